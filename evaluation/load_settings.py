"""From a config's name or path to `RunSettings`, or another record, with one line for whoever wrote it wrong.

YAML here is read as YAML 1.2 reads numbers, so that `1e-4` is a number, and a key given twice is an error
instead of the last one winning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from copybandit.configs import read_shipped, shipped
from copybandit.evaluation.editing_settings import editor_of
from copybandit.evaluation.settings import BanditSettings, RunSettings, TuneSettings
from copybandit.sim.segments import MIN_CELL
from copybandit.sim.types import DataError

Settings = TypeVar("Settings")


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 floats and without silent repeats of a key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load_settings(name_or_path: str, overrides: Mapping[str, object] | None = None) -> RunSettings:
    """Settings of a shipped config or a YAML file, with single keys replaced, ready to run.

    Args:
        name_or_path: a name that `copybandit configs` lists, or the path of a YAML file.
        overrides: dotted key to value, e.g. ``{"tune.episodes": 512}``.

    Raises:
        DataError: one line that names file, key and remedy.
    """
    settings = read_settings(name_or_path, overrides)
    _check_together(settings, name_or_path)
    return settings


def read_settings(name_or_path: str, overrides: Mapping[str, object] | None = None) -> RunSettings:
    """As `load_settings`, but without asking whether the keys fit together and the data files are there."""
    raw = _parse(*_read(name_or_path))
    given = dict(overrides or {})
    for key, value in given.items():
        _put(raw, key, value)
    return _convert(raw, RunSettings, name_or_path, given)


def read_config(path: Path, kind: type[Settings]) -> Settings:
    """A record that `to_yaml` wrote.

    Raises:
        DataError: the file is broken, or holds another kind of record.
    """
    return _convert(_parse(*_read(str(path))), kind, str(path), {})


def parse_override(text: str) -> tuple[str, object]:
    """Key and value of ``key=value``, the value read as YAML.

    >>> parse_override("tune.learning_rate=1e-4")
    ('tune.learning_rate', 0.0001)
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise DataError(f"--set needs key=value, got {text!r}; for example --set tune.episodes=512")
    try:
        return key.strip(), yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise DataError(f"--set {key.strip()}: {value!r} is not a YAML value; quote it") from error


def flatten(settings: object) -> dict[str, object]:
    """Dotted key to plain value, in the order of the fields.

    >>> flatten(RunSettings(name="x"))["tune.seeds"]
    (0,)
    """
    return dict(_leaves(msgspec.to_builtins(settings, enc_hook=_path_to_text), ""))


def to_yaml(settings: object) -> str:
    """A record as YAML that `read_config` reads back unchanged."""
    plain = msgspec.to_builtins(settings, enc_hook=_path_to_text)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000)


def _path_to_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a {type(value).__name__} has no form in YAML")


def _text_to_path(kind: type[Any], value: object) -> Path:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(f"a {kind.__name__} cannot be read from YAML")


def _leaves(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _read(name_or_path: str) -> tuple[str, bytes]:
    if name_or_path in shipped():
        return name_or_path, read_shipped(name_or_path)
    try:
        return name_or_path, Path(name_or_path).read_bytes()
    except OSError as error:
        reason = "is a folder" if isinstance(error, IsADirectoryError) else "cannot be read"
        if isinstance(error, FileNotFoundError):
            reason = "is neither a shipped config nor a file"
        raise DataError(
            f"config {name_or_path} {reason}; give one of {', '.join(shipped())} or the path of a YAML file"
        ) from error


def _parse(source: str, content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    try:
        raw = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source} line {mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or "not YAML"
        raise DataError(f"{place}: {' '.join(problem.split())}; correct the YAML") from error
    if not isinstance(raw, dict):
        got = "nothing" if raw is None else type(raw).__name__
        raise DataError(f"{source}: a config must be key: value lines, got {got}; start with name: NAME")
    return raw


def _put(raw: dict[str, Any], key: str, value: object) -> None:
    """Set a dotted key; an unknown one is found by the conversion that follows."""
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        child = node.get(parent)
        node[parent] = child if isinstance(child, dict) else {}
        node = node[parent]
    node[last] = value


def _convert(
    raw: dict[str, Any], kind: type[Settings], source: str, overrides: Mapping[str, object]
) -> Settings:
    try:
        settings = msgspec.convert(raw, kind, dec_hook=_text_to_path)
    except msgspec.ValidationError as error:
        raise DataError(_explain(str(error), raw, kind, source, overrides)) from error
    for key, value in flatten(settings).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(
                f"{_place(source, key, overrides)}: {key} must be finite, got {value}; correct it"
            )
    return settings


def _explain(
    message: str, raw: dict[str, Any], kind: type[Any], source: str, overrides: Mapping[str, object]
) -> str:
    """One line out of msgspec's message, which ends in "- at `$.path`" unless the path is the root."""
    message, _, _ = message.partition(" - at `key` in")
    problem, _, path = message.partition(" - at `$")
    keys = [part for part in re.split(r"[.\[\]`]+", path) if part]
    node: Any = raw
    for key in keys:
        node = node[int(key)] if isinstance(node, list) else node.get(key) if isinstance(node, dict) else node
    name = ".".join(keys)
    unknown = re.search(r"unknown field `(.*)`", problem)
    if unknown:
        name = ".".join([*keys, unknown[1]])
        allowed = ", ".join(get_type_hints(_type_at(kind, keys)))
        return f"{_place(source, name, overrides)}: unknown key {name}; allowed here: {allowed}"
    missing = re.search(r"missing required field `(.*)`", problem)
    if missing:
        return f"{source}: key {missing[1]} is missing; add {missing[1]}: VALUE"
    rule = re.sub(r",? got `.*`$", "", problem.removeprefix("Expected ")).replace("`", "").rstrip(",")
    if problem.startswith("Invalid enum value"):
        rule = "one of " + ", ".join(map(str, get_args(_type_at(kind, keys))))
    rule = rule.replace("object", "a group of keys")
    place = _place(source, name, overrides)
    return f"{place}: {name or 'every key'} must be {rule}, got {node!r}; correct the value"


def _place(source: str, key: str, overrides: Mapping[str, object]) -> str:
    """Where the value came from: the command line or the file."""
    return (
        "command line" if any(key == given or key.startswith(given + ".") for given in overrides) else source
    )


def _type_at(kind: Any, keys: list[str]) -> Any:
    for key in keys:  # a number counts the values of a list, all of one type
        kind = get_args(kind)[0] if key.isdigit() else get_type_hints(kind)[key]
    return kind


def _check_together(settings: RunSettings, source: str) -> None:
    """Rules that involve more than one key, and the files a real world is read from."""
    data = settings.data
    least = MIN_CELL * settings.n_segments
    if data.n_shoppers < least:
        rule = f"at least {MIN_CELL} per segment, {least} in all"
        _refuse(source, "data.n_shoppers", rule, data.n_shoppers, "raise it or lower n_segments")
    _check_bandit(settings.bandit, data.n_products, source)
    _check_tune(settings.tune, source)
    editor_of(settings.editor)
    _check_file(settings.world, source, "retail", "--retail", data.retail)
    _check_file(settings.world, source, "ab_tests", "--ab-tests", data.ab_tests)


def _check_bandit(bandit: BanditSettings, n_products: int, source: str) -> None:
    if bandit.n_products > n_products:
        rule = f"at most data.n_products = {n_products}"
        _refuse(source, "bandit.n_products", rule, bandit.n_products, "lower it")
    if bandit.n_impressions < bandit.days * bandit.batch_size:
        rule = f"at least days x batch_size = {bandit.days * bandit.batch_size}"
        _refuse(source, "bandit.n_impressions", rule, bandit.n_impressions, "raise it")
    if bandit.guardrails.floor * bandit.n_variants > 1:
        rule = f"at most 1 / bandit.n_variants = {1 / bandit.n_variants:.4g}"
        _refuse(source, "bandit.guardrails.floor", rule, bandit.guardrails.floor, "lower it")
    if bandit.horizon_days >= bandit.days:
        rule = f"below bandit.days = {bandit.days}, or nothing is learned"
        _refuse(source, "bandit.horizon_days", rule, bandit.horizon_days, "lower it")
    if not any(msgspec.structs.astuple(bandit.reward)):
        rule = "above 0 for click, purchase or revenue"
        _refuse(source, "bandit.reward", rule, "0 for all", "give --set bandit.reward='{purchase: 1}'")


def _check_tune(tune: TuneSettings, source: str) -> None:
    if tune.batch_size % tune.minibatches:
        rule = f"a multiple of tune.minibatches = {tune.minibatches}"
        _refuse(source, "tune.batch_size", rule, tune.batch_size, "change either")
    if tune.episodes < tune.batch_size:
        rule = f"at least tune.batch_size = {tune.batch_size}"
        _refuse(source, "tune.episodes", rule, tune.episodes, "raise it")


def _refuse(source: str, key: str, rule: str, actual: object, remedy: str) -> NoReturn:
    raise DataError(f"{source}: {key} must be {rule}, got {actual}; {remedy}")


def _check_file(world: str, source: str, key: str, flag: str, path: str | None) -> None:
    if world == "synthetic" and path is not None:
        raise DataError(
            f"{source}: world synthetic reads no files, got data.{key} = {path}; "
            f"drop {flag} or use --config online-retail"
        )
    if world == "online-retail" and path is None:
        raise DataError(f"{source}: world online-retail needs data.{key}; pass {flag} FILE")
    if path is not None and not Path(path).is_file():
        raise DataError(f"data.{key}: file {path} does not exist; correct the path after {flag}")
