"""Saved policies with whatever is around them: put down and taken up again, they go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from copybandit.agents.discounted import Discounted
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.policy_files import load_policy
from copybandit.agents.stateful import Lasting
from copybandit.agents.watchful import Watchful
from copybandit.agents.windowed import Windowed
from tests.policy_entries import PLAIN, M, feedback, make_batch, some_seed, state_of
from tests.test_policy_files import refused, save, stateful, with_tensors

some_around = st.lists(
    st.sampled_from(
        [
            lambda inside: Discounted(inside, half_life_days=1.0),
            lambda inside: Discounted(inside, half_life_rows=70),
            lambda inside: Windowed(inside, days=2.0, blocks=3),
            lambda inside: Windowed(inside, rows=90, blocks=2),
            lambda inside: Watchful(inside, n_actions=M, false_alarm=0.01, block=0.1),
            lambda inside: Watchful(inside, n_actions=M, false_alarm=0.5, block=0.01, keep=0.5, scope="all"),
            lambda inside: Guarded(inside, Guardrails(floor=0.01, cap=0.95, paused=(2,), control=(2, 3))),
        ]
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=8, deadline=None)
@given(around=some_around, seed=some_seed, before=st.integers(0, 4), after=st.integers(1, 3))
def test_whatever_is_around_it_goes_on_as_if_never_put_down(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    around: list[Callable[[Lasting], Lasting]],
    seed: int,
    before: int,
    after: int,
) -> None:
    """The files of the two are the same, byte for byte, however often one was put down in between."""
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("around")
    policy = reduce(lambda inside, one: one(inside), around, PLAIN[name].make())
    for _ in range(before):
        policy.update(*feedback(policy, rng, 30))
    other = load_policy(save(policy, folder / "put-down"))
    for step in range(after):
        batch, column, reward, weight = feedback(policy, rng, 30)
        later = replace(batch, time=batch.time + step)
        for one in (policy, other):
            one.update(later, column, reward, weight)
        other = load_policy(save(other, folder / "put-down"))
    asked = make_batch(rng)
    first, second = (one.action_probs(asked, np.random.default_rng(0)) for one in (policy, other))
    assert first.tobytes() == second.tobytes() and state_of(other) == state_of(policy)
    assert [path.read_bytes() for path in sorted(save(policy, folder / "whole").iterdir())] == [
        path.read_bytes() for path in sorted((folder / "put-down").iterdir())
    ]


def test_a_window_that_was_tampered_with_is_refused_in_one_line(tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        return save(stateful("windowed", 5, 3), tmp_path / name)

    held = load_file(next(fresh("whole").glob("*.safetensors")))
    wrong: dict[str, tuple[Any, str]] = {
        "candidates": (held["state.candidates"] + M, r"candidates must be in \[-1, 24\)"),
        "context": (held["state.context"] * np.nan, "context must be finite"),
        "state": (held["state.state"][:-1], "array state must be float64 pieces of 3 axes"),
        "reward": (held["state.reward"] + 1e9, "reward must be finite"),
        "weight": (held["state.weight"] * 0, "weight be above 0"),
        "column": (held["state.column"] + 9, "column must point at"),
        "block": (held["state.block"].astype(float), "array block must be int64"),
        "time.shape": (held["state.time.shape"] - 1, "array time must be"),
        "table": (held["state.table"] + 1, "array table must name one of 1 actions"),
        "counted": (np.array(-1), "counted must be one whole number"),
        "ghost": (np.ones(3), "ghost must not be there"),
        "reward.shape": (None, "array reward.shape must be there"),
        "policy.shared": (held["state.policy.shared"][1:], "array shared must be"),
    }
    for name, (array, rule) in wrong.items():
        refused(with_tensors(fresh(name), **{f"state.{name}": array}), rule)
