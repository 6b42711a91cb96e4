"""`copybandit tune`: from options to a run folder, to a table of ways of tuning."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress
from copybandit.cli.run_command import DEFAULT_CONFIG, Request
from copybandit.evaluation.headline import percent
from copybandit.evaluation.load_settings import load_settings
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.evaluation.settings import AlgorithmName, RunSettings
from copybandit.evaluation.tune_log import check_reporter
from copybandit.evaluation.tune_shop import TuneRequest, borrow, check_writer, shop_settings, tune_shop
from copybandit.sim.types import DataError

NAMES: tuple[AlgorithmName, ...] = get_args(AlgorithmName)
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `copybandit tune` as they were given; None and () stand for not given."""

    folder: Path | None = None
    config: str | None = None
    algorithms: tuple[str, ...] = ()
    writer: str | None = None
    shop: Path | None = None
    seeds: tuple[int, ...] = ()
    report_to: str = "tensorboard"
    judge: bool = False
    feedback: tuple[Path, ...] = ()
    retail: Path | None = None
    ab_tests: Path | None = None
    sets: tuple[str, ...] = ()

    def request(self) -> TuneRequest:
        """What they mean.

        Raises:
            DataError: an option that means nothing, or two that contradict each other.
        """
        if self.folder:
            raise DataError(f"tune takes no folder, got {self.folder}; pass --out {self.folder} or --resume")
        run = self._settings()
        request = TuneRequest(
            run=run,
            algorithms=_algorithms(self.algorithms) or (run.tune.algorithm,),
            shop=str(self.shop.absolute()) if self.shop else None,
            report_to=check_reporter(self.report_to),
            judge=self.judge,
            feedback=_logs(self.feedback),
        )
        request.check()
        return request

    def _settings(self) -> RunSettings:
        given = Request(retail=self.retail, ab_tests=self.ab_tests, sets=self.sets).overrides()
        if self.seeds:
            given["tune.seeds"] = list(self.seeds)
        if self.writer:
            here = Path(self.writer)
            given["tune.model"] = str(here.absolute()) if here.is_dir() else self.writer
            given["tune.sft_examples"] = 0
        if self.shop and self.config:
            raise DataError(
                f"--shop {self.shop} has a config of its own, got --config {self.config} too; drop one of them"
            )
        if self.shop is None:
            return load_settings(self.config or DEFAULT_CONFIG, given)
        shop_settings(self.shop)
        return _of_shop(self.shop, given)


def _logs(paths: Sequence[Path]) -> tuple[str, ...]:
    """Where the logs lie, whatever folder the run goes on from."""
    for path in paths:
        if not path.exists():
            raise DataError(
                f"--from-feedback {path}: must be a log, got nothing there; name the folder that copybandit simulate wrote"
            )
    return tuple(str(path.absolute()) for path in paths)


def _of_shop(shop: Path, given: Mapping[str, object]) -> RunSettings:
    """Settings of a run whose shop is used again, with single keys replaced."""
    import tempfile

    from copybandit.evaluation.load_settings import to_yaml

    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "config.yaml"
        copied.write_text(to_yaml(shop_settings(shop)), "utf-8")
        return load_settings(str(copied), given)


def _algorithms(names: Sequence[str]) -> tuple[AlgorithmName, ...]:
    """The algorithms that are meant, each once, in the order given."""
    found: list[AlgorithmName] = []
    for name in names:
        known = NAMES if name == ALL else tuple(one for one in NAMES if one == name)
        if not known:
            raise DataError(
                f"--algorithm must be one of {', '.join(NAMES)} or all, got {name!r}; give one of them"
            )
        found += [one for one in known if one not in found]
    return tuple(found)


def new_folder(asked: Asked, out: Path | None) -> RunFolder[TuneRequest]:
    """Read the options, make the folder, and copy into it what of another run is used.

    Raises:
        DataError: bad input, or the folder exists or cannot be made.
    """
    request = asked.request()
    if asked.writer:
        check_writer(request.run.tune.model)
    path = out or Path("runs") / f"tune-{request.run.name}-{request.run.seed}"
    folder = RunFolder.create(path, request)
    if request.shop:
        with folder:
            borrow(Path(request.shop), request, folder)
    return folder


def old_folder(path: Path | None, given: Sequence[str]) -> RunFolder[TuneRequest]:
    """Open a run folder to go on, with what it was told when it began.

    Raises:
        DataError: there is no such run in it, or options were given beside it.
    """
    if path is None or given:
        raise DataError(
            f"--resume takes the run folder alone, got {', '.join(given) or 'none'}; "
            "pass copybandit tune --resume FOLDER"
        )
    return RunFolder.resume(path, stored(path, TuneRequest))


def execute(folder: RunFolder[TuneRequest]) -> None:
    """Tune or go on, show progress, print the table and where the report lies.

    Raises:
        SystemExit: bad input (2), an interrupt (130) or a full disk (1); a line on stderr says which.
    """
    with one_line(f"copybandit tune --resume {shlex.quote(str(folder.path))}"):
        with folder, progress(Console(stderr=True)) as display:
            for line in folder.version_notes():
                display.note(line)
            report = tune_shop(folder, display)
    Console(width=max(100, Console().width), highlight=False).print(_table(report))
    print(f"report: {folder.path / 'report.html'}")


def _table(report: Mapping[str, Any]) -> Table:
    """Writers on the select split and, where it was read, on the judge split."""
    judged = {row["name"]: row for row in report.get("judged") or ()}
    table = Table(box=None, pad_edge=False)
    names = ("writer", "reward", "clicks over sft", "KL", "characters", "reward calls", "seconds")
    for name in (*names, *(("judged, gold",) if judged else ())):
        table.add_column(name, justify="left" if name == "writer" else "right")
    for row in report["comparison"]:
        calls = f"{row['calls']:.0f}" + (
            f" + {row['calls_per_text']} a text" if row["calls_per_text"] else ""
        )
        table.add_row(
            row["name"],
            f"{row['reward']['value']:+.3f}",
            _lift(row),
            "" if row["kl"] is None else f"{row['kl']:.2f}",
            f"{row['characters']:.1f}",
            calls,
            f"{row['seconds']:.0f}",
            *((_lift(judged[row["name"]]),) if judged else ()),
        )
    return table


def _lift(row: Mapping[str, Any]) -> str:
    lift = row["lift"]
    if lift is None:
        return ""
    value, low, high = (percent(lift[key], signed=True) for key in ("value", "ci_low", "ci_high"))
    return f"{value} ({low} to {high})"
