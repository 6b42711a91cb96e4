"""Warm start from logs: a log taught and the rest learned is all of it learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.batch_rows import join, take
from copybandit.agents.decide import decide
from copybandit.agents.policies import BetaThompson, EpsilonGreedy, LinUCB, PriorGreedy
from copybandit.agents.warm_start import requests_of, warm_start
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.schema import read_feedback, write_feedback
from copybandit.sim.types import DataError, Floats, Ints
from tests.policy_entries import state_of
from tests.test_policies import ACTIONS, PRIOR, M, Q, make_batch

EPOCH = np.datetime64("2026-01-01T00:00:00", "us")


def season(n: int = 400) -> tuple[LoggedFeedback, Batch]:
    """A log of an epsilon-greedy policy in no order of time, and its requests."""
    rng = np.random.default_rng(0)
    day = rng.permutation(n) / 50
    batch = replace(make_batch(rng, n), time=day)
    probs = PriorGreedy(epsilon=0.3).action_probs(batch, rng)
    action = decide(probs, rng)
    click = (rng.random(n) < 0.05 + 0.3 * (batch.shown(action) % 4 == 0)).astype(float)
    log = LoggedFeedback(
        timestamp=EPOCH + np.rint(day * 86_400e6).astype("timedelta64[us]"),
        shopper=np.arange(n),
        product=np.zeros(n, np.int64),
        position=np.ones(n, np.int64),
        candidates=batch.candidates,
        action_probs=probs,
        action=action,
        click=click,
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=click,
        policy="prior_greedy",
    )
    return log, batch


def rows_of(log: LoggedFeedback, rows: slice) -> LoggedFeedback:
    columns: dict[str, Any] = {
        name: value[rows] for name, value in vars(log).items() if isinstance(value, np.ndarray)
    }
    return replace(log, **columns)


def make() -> list[Learner]:
    return [
        LinUCB(n_actions=M, n_features=Q, interactions=((0, 1),), state_channels=(1,)),
        BetaThompson(PRIOR, strength=60),
        EpsilonGreedy(n_actions=M, strength=5),
    ]


@pytest.mark.parametrize("kind", range(3))
def test_a_warm_start_and_the_rest_is_all_of_it(kind: int) -> None:
    log, batch = season()
    whole, split = make()[kind], make()[kind]
    whole.update(batch, log.action, log.reward, np.ones(400))
    warm_start(split, rows_of(log, slice(0, 250)), take(batch, np.arange(250)), batch_size=64)
    rest = np.arange(250, 400)
    split.update(take(batch, rest), log.action[rest], log.reward[rest], np.ones(150))
    asked = make_batch(np.random.default_rng(1), 100)
    probs = [one.action_probs(asked, np.random.default_rng(2)) for one in (whole, split)]
    np.testing.assert_allclose(probs[0], probs[1], atol=1e-9)


def test_a_log_is_taught_in_order_of_time() -> None:
    class Witness(EpsilonGreedy):
        def __init__(self) -> None:
            super().__init__(n_actions=M)
            self.batches: list[Batch] = []

        def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
            self.batches += (
                [batch] if weight.any() else []
            )  # all rows of weight 0 are only asked whether they can be learned
            super().update(batch, column, reward, weight)

    log, batch = season()
    witness = Witness()
    warm_start(witness, log, batch, batch_size=64)
    assert [len(one) for one in witness.batches] == [64] * 6 + [16]
    assert (np.diff(join(witness.batches).time) >= 0).all()


def test_inverse_weights_make_an_even_choice_of_the_log() -> None:
    log, batch = season(4000)
    model = LinUCB(n_actions=M, n_features=Q)
    weight = warm_start(model, log, batch, weighting="inverse", most=3.0)
    np.testing.assert_allclose(weight, np.minimum(1 / (batch.present.sum(axis=1) * log.propensity), 3.0))
    assert weight.max() == 3.0
    # Unclipped, they are 1 on average.
    unclipped = warm_start(model, log, batch, weighting="inverse", most=1e6)
    assert abs(unclipped.mean() - 1) < 4 * unclipped.std() / np.sqrt(4000)


def test_a_log_from_a_file_is_the_log(tmp_path: Path) -> None:
    log, batch = season()
    write_feedback(log, tmp_path / "log.parquet")
    again = read_feedback(tmp_path / "log.parquet")
    requests = requests_of(
        again,
        batch.prior,
        actions=ACTIONS,
        context=batch.context,
        state=batch.state[:, :, 1:],
        since=EPOCH,
    )
    direct, read = make()[0], make()[0]
    warm_start(direct, log, batch)
    warm_start(read, again, requests)
    asked = make_batch(np.random.default_rng(1), 50)
    probs = [one.action_probs(asked, np.random.default_rng(2)) for one in (direct, read)]
    np.testing.assert_array_equal(probs[0], probs[1])


def test_one_prior_per_variant_is_enough_for_policies_without_features() -> None:
    log, _ = season()
    requests = requests_of(log, PRIOR)
    assert requests.actions.shape == (M, 0) and requests.time.min() == 0
    shown = requests.present
    np.testing.assert_array_equal(requests.prior[shown], PRIOR[requests.candidates[shown]])
    policy = BetaThompson(PRIOR, strength=60)
    warm_start(policy, log, requests)
    clicks = np.bincount(log.item_id, log.reward, M)
    np.testing.assert_allclose(policy._a - policy._start(np.arange(M))[0], clicks, atol=1e-9)


def test_requests_of_another_log_are_refused() -> None:
    log, batch = season()
    policy = EpsilonGreedy(n_actions=M)
    for requests, options, rule in (
        (take(batch, np.arange(399)), {}, "candidates of the log"),
        (take(batch, np.arange(400)[::-1]), {}, "candidates of the log"),
        (batch, {"batch_size": 0}, "batch_size must be at least 1"),
        (batch, {"most": 0.0}, "most above 0"),
    ):
        with pytest.raises(DataError, match=rule):
            warm_start(policy, log, requests, **options)
    assert (policy._clicks == 44.0).all()


def test_a_log_with_one_row_that_the_learner_refuses_is_not_learned_at_all() -> None:
    log, batch = season()
    last = int(np.argmax(log.timestamp))
    policy, reward = BetaThompson(PRIOR, strength=60), log.reward.copy()
    reward[last] = 2.0
    before = state_of(policy)
    with pytest.raises(DataError, match=r"thompson: reward must be in \[0, 1\], got 0.0 to 2.0"):
        warm_start(policy, replace(log, reward=reward), batch, batch_size=50)
    assert state_of(policy) == before


def test_priors_and_states_that_do_not_fit_a_log_are_refused() -> None:
    log, batch = season()
    for prior, state, rule in (
        (PRIOR[:5], None, r"prior must be \(400, 4\), or have a place for each variant up to 23, got \(5,\)"),
        (batch.prior[:, :3], None, r"prior must be \(400, 4\), .* got \(400, 3\)"),
        (batch.prior, batch.state[:3], r"state must be \(400, 4, s\), got \(3, 4, 2\)"),
    ):
        with pytest.raises(DataError, match=rule):
            requests_of(log, prior, state=state)
