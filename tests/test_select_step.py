"""Which step is kept: limits first, then reward; noise alone breaks no limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.agents.reward_seam import Reward
from copybandit.evaluation.copy_costs import CopyCosts
from copybandit.evaluation.select_step import Selection, SelectRow, best_step, is_broken
from copybandit.evaluation.settings import LimitSettings
from copybandit.sim.types import Brief, Ints
from tests.tiny_lm import brief, tiny_writer

NAMES = ("kl", "longer", "sameness")


class Wordy:
    """A reward of cells: the number of words."""

    def __init__(self, briefs: Sequence[Brief]) -> None:
        self.cells = SimpleNamespace(briefs=briefs)

    def __call__(self, index: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.array([float(len(text.split())) for text in texts]))


def row(reward: float, broken: tuple[str, ...] = (), update: int = 1) -> SelectRow:
    return SelectRow(seed=0, restart=0, update=update, reward=reward, broken=broken)


def test_a_step_that_keeps_its_limits_comes_before_one_that_earns_more_and_does_not() -> None:
    rows = [row(0.1), row(0.2), row(0.9, ("kl",)), row(0.2, update=4)]
    assert best_step(rows) == rows[3]
    assert best_step(rows[2:3]) == rows[2]


@given(st.lists(st.tuples(st.floats(-1, 1), st.sets(st.sampled_from(NAMES))), min_size=1))
def test_no_step_beats_the_one_that_is_kept_in_both(rows: list[tuple[float, set[str]]]) -> None:
    steps = [row(reward, tuple(sorted(broken))) for reward, broken in rows]
    best = best_step(steps)
    assert not any(len(s.broken) < len(best.broken) for s in steps)
    assert not any(len(s.broken) == len(best.broken) and s.reward > best.reward for s in steps)


def test_a_limit_is_broken_beyond_noise_only() -> None:
    rng = np.random.default_rng(0)
    at_limit = [is_broken(rng.normal(1.0, 2.0, 256), 1.0) for _ in range(2000)]
    assert np.mean(at_limit) == pytest.approx(0.023, abs=3 * np.sqrt(0.023 * 0.977 / 2000))
    assert is_broken(np.full(4, 1.1), 1.0) and not is_broken(np.full(4, 1.0), 1.0)
    assert is_broken(np.array([2.0]), 1.0)


def test_a_plain_row_is_read_back() -> None:
    kept = row(0.5, ("kl",))
    assert SelectRow.read({**vars(kept), "broken": ["kl"]}) == kept


def test_a_step_is_judged_by_its_own_copy_with_limits_told_apart_from_kl() -> None:
    writer, briefs = tiny_writer(), tuple(brief(i) for i in range(24))
    costs = CopyCosts.of(writer, briefs, LimitSettings(length=0.15), 240, np.random.default_rng(0))
    assert costs is not None
    reward = Wordy(briefs)
    judge = Selection(untuned=writer, reward=reward, costs=costs, max_kl=0.5, seed=3)  # type: ignore[arg-type]  # the two members that are read
    same = judge(writer, 0, 1)
    assert (
        same.kl == pytest.approx(0, abs=1e-6) and same.broken == () and (same.restart, same.update) == (0, 1)
    )
    assert judge(writer, 0, 1) == same
    assert replace(judge, max_kl=-0.1)(writer, 0, 1).broken == ("kl",)
    far, near = (replace(judge, costs=replace(costs, length=costs.length - less)) for less in (0.4, 0.2))
    assert far(writer, 0, 1).broken == ("longer",) and near(writer, 0, 1).broken == ()
