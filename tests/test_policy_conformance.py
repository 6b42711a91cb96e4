"""Every policy keeps the same promises: a loggable distribution, the same for any batch and order, weight 1 on replay."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.bandit import Response, Visits, batch_of, run_bandit
from copybandit.agents.batch import ABSENT
from copybandit.agents.batch_rows import take
from copybandit.agents.check import check_policy
from copybandit.agents.decide import decide
from copybandit.agents.policy_kinds import AROUND, KINDS, kind_of
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.sim.types import Floats, Ints
from tests.policy_entries import (
    ACTIONS,
    ENTRIES,
    LEARNERS,
    PLAIN,
    PRIOR,
    UNORDERED,
    M,
    P,
    feedback,
    make_batch,
    some_seed,
    state_of,
    trained,
)


def test_every_policy_of_the_list_is_tested() -> None:
    assert {kind_of(entry.make()) for entry in PLAIN.values()} == set(KINDS)
    assert {kind_of(entry.make()) for entry in ENTRIES.values()} == set(KINDS) | set(AROUND)
    assert [getattr(kind.make, "name", None) for kind in KINDS.values()] == list(KINDS)


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=25, deadline=None)
@given(seed=some_seed, n=st.integers(1, 30), k=st.integers(1, 8), steps=st.integers(0, 6))
def test_is_a_distribution_over_present_candidates(name: str, seed: int, n: int, k: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, steps)
    check_policy(policy, make_batch(rng, n, k), rng, floor=ENTRIES[name].floor)


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed, n=st.integers(1, 12), k=st.integers(1, 8))
def test_a_batch_is_its_requests_one_by_one(name: str, seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = trained(name, rng, 3), make_batch(rng, n, k)
    together = policy.action_probs(batch, np.random.default_rng(0))
    alone = [policy.action_probs(take(batch, np.array([row])), np.random.default_rng(0)) for row in range(n)]
    np.testing.assert_allclose(np.concatenate(alone), together, atol=1e-9)


@pytest.mark.parametrize("name", ENTRIES)
def test_asking_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(1)
    policy = trained(name, rng, 3)
    before = state_of(policy)
    policy.action_probs(make_batch(rng), rng)
    assert state_of(policy) == before


@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed, n=st.integers(0, 30))
def test_feedback_of_no_weight_changes_nothing(name: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, 2)
    before = state_of(policy)
    batch, column, reward, _ = feedback(policy, rng, n)
    policy.update(batch, column, reward, np.zeros(n))
    assert state_of(policy) == before


@pytest.mark.parametrize("name", LEARNERS)
def test_feedback_with_weight_changes_what_is_chosen(name: str) -> None:
    rng = np.random.default_rng(4)
    policy, batch = trained(name, rng, 0), make_batch(rng)
    before = policy.action_probs(batch, np.random.default_rng(0))
    for _ in range(8):
        policy.update(*feedback(policy, rng))
    assert np.abs(policy.action_probs(batch, np.random.default_rng(0)) - before).max() > 1e-3


@pytest.mark.parametrize("name", UNORDERED)
@settings(max_examples=10, deadline=None)
@given(seed=some_seed)
def test_order_of_rows_within_a_batch_does_not_matter(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    policy = trained(name, rng, 2)
    other = copy.deepcopy(policy)
    batch, column, reward, weight = feedback(policy, rng)
    order = rng.permutation(len(batch))
    policy.update(batch, column, reward, weight)
    other.update(take(batch, order), column[order], reward[order], weight[order])
    asked = make_batch(rng)
    np.testing.assert_allclose(
        policy.action_probs(asked, np.random.default_rng(0)),
        other.action_probs(asked, np.random.default_rng(0)),
        atol=1e-7,
    )


@pytest.mark.parametrize("name", ENTRIES)
def test_log_of_zero_rows_is_harmless(name: str) -> None:
    policy = ENTRIES[name].make()
    empty = make_batch(np.random.default_rng(0), n=0)
    assert policy.action_probs(empty, np.random.default_rng(0)).shape == (0, 4)
    policy.update(empty, np.empty(0, np.int64), np.empty(0), np.empty(0))
    check_policy(policy, make_batch(np.random.default_rng(1)), np.random.default_rng(2))


@pytest.mark.parametrize("name", ENTRIES)
def test_stays_a_distribution_on_rows_at_the_edge_of_what_is_allowed(name: str) -> None:
    rng = np.random.default_rng(10)
    policy = ENTRIES[name].make()
    column = rng.normal(size=(M, 1))
    huge = np.hstack([column * 1e6 / np.abs(column).max(), column, column, np.zeros((M, 2))])
    for weight in (1e6, 1e-12):
        for _ in range(4):
            batch = replace(make_batch(rng, n=100), actions=huge)
            prior = np.where(rng.random(batch.prior.shape) < 0.5, 1e-12, 1 - 1e-12)
            batch = replace(batch, state=np.stack([prior, batch.state[:, :, 1]], axis=2))
            shown = decide(policy.action_probs(batch, rng), rng)
            policy.update(batch, shown, rng.integers(2, size=100).astype(float), np.full(100, weight))
    check_policy(policy, replace(make_batch(rng), actions=huge), rng, floor=ENTRIES[name].floor)


class Street:
    """A shop of 6 products with up to 4 variants; the warm start is noisy, fatigue is none."""

    def __init__(self, seed: int) -> None:
        self.actions: Floats = ACTIONS
        self._rng = np.random.default_rng(seed)
        self._truth = np.clip(PRIOR * np.exp(self._rng.normal(scale=0.5, size=M)), 0.001, 0.5)
        self.seen: list[Visits] = []

    def visits(self, step: int, size: int) -> Visits:
        product = self._rng.integers(M // 4, size=size)
        candidates = (product[:, None] * 4 + np.arange(4)).astype(np.int32)
        candidates[product % 3 == 0, 1] = ABSENT
        visits = Visits(
            shopper=np.arange(size),
            product=product,
            position=np.ones(size, dtype=np.int64),
            time=step + np.arange(size) / size,
            candidates=candidates,
            context=self._rng.normal(size=(size, P)),
            state=np.stack([PRIOR[candidates], self._rng.random((size, 4))], axis=2),
        )
        self.seen.append(visits)
        return visits

    def expected_click(self, visits: Visits) -> Floats:
        return self._truth[visits.candidates]

    def respond(self, visits: Visits, column: Ints) -> Response:
        probability = self.expected_click(visits)[np.arange(len(column)), column]
        click = (self._rng.random(len(column)) < probability).astype(float)
        return Response(click=click, conversion=0 * click, value=0 * click)


@pytest.mark.parametrize("name", ENTRIES)
def test_replaying_the_logging_policy_gives_weight_one_on_every_row(name: str) -> None:
    shop = Street(5)
    run = run_bandit(
        ENTRIES[name].make(), shop, n_impressions=2100, batch_size=250, rng=np.random.default_rng(0)
    )
    again, target, start = ENTRIES[name].make(), [], 0
    for visits in shop.seen:
        part = slice(start, start + len(visits.time))
        batch = batch_of(visits, shop.actions)
        target.append(again.action_probs(batch, np.random.default_rng(1)))
        again.update(batch, run.log.action[part], run.log.reward[part], np.ones(len(batch)))
        start = part.stop
    replayed = np.concatenate(target)
    np.testing.assert_array_equal(replayed, run.log.action_probs)
    rows = rows_of_log(run.log, replayed, cross_fit_scale(run.prior, run.log))
    ips, snips, _, _ = evaluate(rows, USUAL, refuse=False)
    assert ips.value == snips.value == run.log.reward.mean()
    assert ips.weight_sum_over_n == ips.max_weight == 1.0
    assert ips.ess == len(run.log)
