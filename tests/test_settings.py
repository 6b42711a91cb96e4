"""Settings: what ships is sound, what is wrong is named in one line."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.configs import read_shipped, shipped
from copybandit.evaluation.load_settings import (
    flatten,
    load_settings,
    parse_override,
    read_settings,
    to_yaml,
)
from copybandit.evaluation.settings import RewardSettings, RunSettings
from copybandit.sim.types import DataError


def message(config: str, overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load_settings(config, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def written(folder: Path, content: str | bytes) -> str:
    path = folder / "mine.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("name", shipped())
def test_shipped_configs_are_valid_and_spell_out_every_setting(name: str) -> None:
    settings = read_settings(name)
    assert settings.name == name and settings.description
    stated = set(flatten(msgspec.convert(msgspec.yaml.decode(read_shipped(name)), RunSettings, strict=False)))
    assert stated == set(flatten(settings))
    text = read_shipped(name).decode()
    missing = [
        key for key in stated - {"data.retail", "data.ab_tests"} if f"{key.split('.')[-1]}:" not in text
    ]
    assert not missing


def test_quickstart_runs_as_it_stands() -> None:
    settings = load_settings("quickstart")
    assert settings.world == "synthetic" and settings.tune.learning_rate == 4e-4


def test_online_retail_takes_its_files_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("x\n")
    settings = load_settings("online-retail", {"data.retail": str(file), "data.ab_tests": str(file)})
    assert settings.data.retail == str(file)


def test_every_setting_is_documented() -> None:
    folder = Path(__file__).parents[1] / "evaluation"
    files = [folder / f"{name}.py" for name in ("settings", "editing_settings", "weekly_settings")]
    source = [line for file in files for line in file.read_text().splitlines()]
    fields = [
        i for i, line in enumerate(source) if line.startswith("    ") and ": " in line and " = " in line
    ]
    groups = (
        "data:",
        "terms:",
        "editor:",
        "characters:",
        "tune:",
        "bandit:",
        "guardrails:",
        "weekly:",
        "def ",
        "most:",
    )
    undocumented = [
        source[i].strip()
        for i in fields
        if not source[i].strip().startswith(groups) and not source[i + 1].strip().startswith('"""')
    ]
    assert len(fields) > 20 and not undocumented


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"tune.epsiodes": 1}, ["command line", "unknown key tune.epsiodes", "episodes", "batch_size"]),
        ({"tune.batch_size": 0}, ["tune.batch_size must be int >= 1", "got 0"]),
        ({"tune.seeds": [0, -1]}, ["tune.seeds.1 must be int >= 0", "got -1"]),
        ({"tune.seeds": []}, ["tune.seeds", "length >= 1", "got []"]),
        ({"terms.base_ctr": 1.5}, ["terms.base_ctr must be float < 1.0", "got 1.5"]),
        ({"terms.drift": float("inf")}, ["terms.drift must be finite", "got inf"]),
        ({"terms.drift": float("nan")}, ["terms.drift", "got nan"]),
        ({"world": "mars"}, ["world must be one of synthetic, online-retail", "'mars'"]),
        ({"bandit.policy": "magic"}, ["bandit.policy must be one of", "linucb", "'magic'"]),
        ({"seed": "a"}, ["seed must be int", "got 'a'"]),
        ({"name": "../up"}, ["name must be", "'../up'"]),
        ({"editor.claim": True}, ["unknown key editor.claim", "claims", "proofreading"]),
        ({"editor.claims": "maybe"}, ["editor.claims must be bool", "got 'maybe'"]),
        ({"editor.packs": ["us", "mars"]}, ["editor.packs.1 must be one of us, eu, cn", "got 'mars'"]),
        ({"editor.currency": "euro"}, ["editor.currency must be an ISO 4217 code", "got 'euro'"]),
        ({"editor.currency": "ECU"}, ["editor.currency must be an ISO 4217 code", "got 'ECU'"]),
        ({"editor.currency": "eur"}, ["editor.currency must be an ISO 4217 code", "got 'eur'"]),
        ({"editor.characters.headline": 0}, ["editor.characters.headline must be int >= 1", "got 0"]),
        ({"bandit": 3}, ["bandit must be a group of keys", "got 3"]),
        ({"bandit.n_products": 501}, ["bandit.n_products", "at most data.n_products = 500", "lower it"]),
        ({"tune.minibatches": 3}, ["tune.batch_size", "multiple of tune.minibatches = 3", "got 128"]),
        ({"tune.episodes": 10}, ["tune.episodes must be at least tune.batch_size = 128", "got 10"]),
        ({"data.n_shoppers": 100}, ["data.n_shoppers", "120 in all", "got 100", "n_segments"]),
        ({"bandit.half_life_days": 0}, ["bandit.half_life_days must be", "> 0", "got 0"]),
        ({"bandit.holdout": 1.0}, ["bandit.holdout must be float < 1.0", "got 1.0"]),
        ({"bandit.horizon_days": 7}, ["bandit.horizon_days must be below bandit.days = 7", "got 7"]),
        ({"bandit.reward": {"purchase": -1}}, ["bandit.reward.purchase must be float >= 0.0", "got -1"]),
        ({"bandit.reward": {"return": 1}}, ["unknown key bandit.reward.return", "click, purchase, revenue"]),
        ({"bandit.reward.click": 0}, ["bandit.reward must be above 0 for click, purchase or revenue"]),
        ({"bandit.horizon_days": -1}, ["bandit.horizon_days must be", ">= 0", "got -1"]),
        ({"bandit.guardrails.cap": 0.2}, ["bandit.guardrails.cap must be float >= 0.5", "got 0.2"]),
        (
            {"bandit.guardrails.floor": 0.2},
            ["bandit.guardrails.floor", "at most 1 / bandit.n_variants", "0.1667"],
        ),
        ({"bandit.guardrails": 3}, ["bandit.guardrails must be a group of keys", "got 3"]),
        ({"bandit.days": 1000}, ["bandit.n_impressions", "500000", "got 200000"]),
        ({"data.retail": "x.csv"}, ["world synthetic reads no files", "drop --retail"]),
    ],
)
def test_bad_values_are_named(overrides: dict[str, object], parts: list[str]) -> None:
    text = message("quickstart", overrides)
    assert all(part in text for part in parts), text


def test_a_reward_that_is_named_is_all_there_is() -> None:
    assert load_settings("quickstart", {"bandit.reward": {"purchase": 1}}).bandit.reward == RewardSettings(
        purchase=1.0
    )
    both = load_settings("quickstart", {"bandit.reward.purchase": 5}).bandit.reward
    assert both == RewardSettings(click=1.0, purchase=5.0)


def test_missing_data_files_are_named(tmp_path: Path) -> None:
    assert "pass --retail FILE" in message("online-retail")
    absent = str(tmp_path / "no.csv")
    text = message("online-retail", {"data.retail": absent, "data.ab_tests": absent})
    assert absent in text and "--retail" in text


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("name: x\ntune: {epsiodes: 3}\n", ["mine.yaml", "unknown key tune.epsiodes", "episodes"]),
        ("seed: 1\n", ["key name is missing"]),
        ("name: x\nseed: [1\n", ["mine.yaml line 3", "correct the YAML"]),
        ("name: x\nseed: 1\nseed: 2\n", ["mine.yaml line 3", "'seed' is given twice"]),
        ("name: x\n1: 2\n", ["mine.yaml", "must be str"]),
        ("name: x\n? [a, b]\n: 2\n", ["mine.yaml", "correct"]),
        ("- name\n", ["must be key: value lines", "got list"]),
        ("", ["got nothing"]),
        (b"name: caf\xe9\n", ["byte 9 is not UTF-8"]),
        ("name: x\nwhen: !!python/name:os.system\n", ["line 2", "correct the YAML"]),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: str | bytes, parts: list[str]) -> None:
    text = message(written(tmp_path, content))
    assert all(part in text for part in parts), text


def test_a_config_that_is_not_there_lists_the_shipped_ones(tmp_path: Path) -> None:
    assert "online-retail, quickstart" in message("quikstart")
    assert "is a folder" in message(str(tmp_path))


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("-2.5E3", -2500.0), ("3", 3), ("abc", "abc")])
def test_numbers_are_read_as_people_write_them(text: str, value: object) -> None:
    assert parse_override(f"a.b={text}") == ("a.b", value)


@pytest.mark.parametrize("text", ["novalue", "=3", "a=[1"])
def test_an_override_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="--set"):
        parse_override(text)


@given(
    seed=st.integers(0, 2**31 - 1),
    rate=st.floats(1e-12, 10, allow_nan=False),
    seeds=st.lists(st.integers(0, 9), min_size=1),
    text=st.text(st.characters(exclude_categories=["C", "Z"])),
)
def test_settings_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rate: float, seeds: list[int], text: str
) -> None:
    overrides = {"seed": seed, "tune.learning_rate": rate, "tune.seeds": seeds, "description": text}
    settings = load_settings("quickstart", overrides)
    path = tmp_path_factory.mktemp("settings") / "config.yaml"
    path.write_text(to_yaml(settings), encoding="utf-8")
    assert load_settings(str(path)) == settings
