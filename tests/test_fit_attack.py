"""`copybandit fit --attack`: a gate for every attack, a section that says first what succeeded, one line without tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.fit_attack import FittedAttack, attack_wording
from copybandit.evaluation.fit_gates import gates
from copybandit.evaluation.fit_inputs import FitRequest
from copybandit.evaluation.fit_report import attack_section
from copybandit.evaluation.fit_told import attack_told
from copybandit.evaluation.fit_wording import NONE, fit_tests
from copybandit.evaluation.policy_ranking import PolicyRanking
from copybandit.evaluation.storage import plain
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import load_ab_tests
from tests.slices import write_upworthy
from tests.small_world import small_world
from tests.test_fit_command import command


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> FittedAttack:
    tests = load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "ab.csv", n_tests=300))
    wording = fit_tests(tests, 0, NONE)
    return attack_wording(wording, tests, 0, catalogue=small_world().products[:5], rounds=1)


def test_every_attack_is_held_to_the_median(found: FittedAttack) -> None:
    ranking = PolicyRanking(policies=("a",), first=np.ones(1), second=np.ones(1), tau=1.0)
    lines = gates(
        judged=(), marginals=(), elasticity=None, grocery=False, ranking=ranking, demand=(), wording=None, attack=found
    )  # fmt: skip
    told = {line.name: line.passed for line in lines if line.name.startswith("attack")}
    tried = [row for row in found.attacks.rows if row.kind == "attack"]
    assert len(told) == len(tried) + 1 and len(tried) == 10
    for row in tried:
        assert [held for name, held in told.items() if f"attack, {row.name}:" in name] == [not row.succeeded]
    assert found.readers == ("style and words",)


def test_the_section_says_first_what_succeeded(found: FittedAttack) -> None:
    rows = [replace(row, succeeded=row.name == "capitals", text="<b>") for row in found.attacks.rows]
    fooled = replace(found, attacks=replace(found.attacks, rows=tuple(rows)))
    page = str(attack_section({"attack": plain(attack_told(fooled))}))
    assert "1 of 10 attacks BEAT the median human copy: capitals" in page
    assert page.index(">SUCCEEDED") < page.index(">held") and "&lt;b&gt;" in page and "<b><" not in page
    held = replace(
        found, attacks=replace(found.attacks, rows=tuple(replace(r, succeeded=False) for r in rows))
    )
    assert "None of 10 attacks" in str(attack_section({"attack": plain(attack_told(held))}))
    assert not str(attack_section({"attack": None}))


def test_attacks_need_tests(tmp_path: Path) -> None:
    message = (
        "--attack needs headline tests to fit the model that is attacked, got none; pass --ab-tests FILE"
    )
    with pytest.raises(DataError, match=message):
        FitRequest(log="log.csv", attack=True)
    ran = command("log.csv", "--attack", cwd=tmp_path)
    assert ran.returncode == 2 and ran.stderr.strip() == f"error: {message}"
