"""Slate estimators by listing every slate: exact where their assumption holds, off where it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.ope_slate import (
    CASCADE_DR,
    IIPS,
    PI,
    RIPS,
    SIPS,
    SlateEstimator,
    Slates,
    evaluate_slates,
    pseudo_inverse_weights,
)
from copybandit.sim.types import DataError, Floats, Ints

ITEMS, PLACES = 5, 3  # with 4 items a page of 3 is the one it leaves out, and every cascade is additive
Rewards = Callable[[Ints, np.random.Generator], Floats]
ALL = (SIPS, IIPS, RIPS, CASCADE_DR, PI)
SLATES = np.array(list(permutations(range(ITEMS), PLACES)))


class Page:
    """Both policies choose item after item without putting one back; every slate is one row.

    `log` holds the conditional and marginal probabilities of every slate, `probs` how likely each is under the log.
    """

    def __init__(self, seed: int, reward: Rewards) -> None:
        rng = np.random.default_rng(seed)
        self.slates = SLATES
        logging, self.probs = sequential(rng)
        target, self.target = sequential(rng)
        self.mean = reward(SLATES, rng)
        self.value = float(self.target @ self.mean.sum(axis=1))
        q, v = value_to_go(target, rng.normal(size=(PLACES, ITEMS)))
        self.log = Slates(
            reward=self.mean,
            propensity=logging,
            target_prob=target,
            marginal_propensity=marginals(self.probs),
            marginal_target=marginals(self.target),
            q=q,
            v=v,
            pi_weight=pseudo_inverse_weights(SLATES, self.probs, self.target, ITEMS),
        )

    def expected(self, estimator: SlateEstimator) -> float:
        """Exact mean of the estimate over the log."""
        v, b, _ = estimator.parts(self.log)
        return float(self.probs @ (v + b))


def sequential(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Conditional probability of each place of each slate, and probability of each slate: Plackett-Luce by place."""
    strength = rng.uniform(0.5, 3.0, (PLACES, ITEMS))
    conditional = np.empty(SLATES.shape)
    for row, slate in enumerate(SLATES):
        left = set(range(ITEMS))
        for place, item in enumerate(slate):
            conditional[row, place] = strength[place, item] / strength[place, list(left)].sum()
            left.remove(item)
    return conditional, conditional.prod(axis=1)


def marginals(probs: Floats) -> Floats:
    """Probability of each slate's item at its place, whatever is above."""
    return np.stack(
        [np.bincount(SLATES[:, place], probs, ITEMS)[SLATES[:, place]] for place in range(PLACES)], axis=1
    )


def value_to_go(target: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Any model q of place and item, and its mean over what the target policy may show there."""
    q = np.stack([score[place, SLATES[:, place]] for place in range(PLACES)], axis=1)
    v = np.empty(q.shape)
    for row, slate in enumerate(SLATES):
        for place in range(PLACES):
            same = (SLATES[:, :place] == slate[:place]).all(axis=1)
            _, first = np.unique(SLATES[same, place], return_index=True)
            v[row, place] = target[same, place][first] @ q[same, place][first]
    return q, v


def some(log: Slates, rows: Ints) -> Slates:
    """These pages."""
    return replace(log, **{name: values[rows] for name, values in vars(log).items() if values is not None})


def independent(slates: Ints, rng: np.random.Generator) -> Floats:
    """Each place earns by its own item."""
    table = rng.random((PLACES, ITEMS))
    return np.stack([table[place, slates[:, place]] for place in range(PLACES)], axis=1)


def cascade(slates: Ints, rng: np.random.Generator) -> Floats:
    """Each place earns by the items down to it."""
    click = rng.uniform(0.2, 0.9, ITEMS)[slates]
    missed = np.cumprod(1 - click, axis=1)
    return click * np.hstack([np.ones((len(slates), 1)), missed[:, :-1]])


def whole_page(slates: Ints, rng: np.random.Generator) -> Floats:
    """Each place earns by the item at the bottom too."""
    table = rng.random((ITEMS, ITEMS, PLACES))
    return table[slates[:, -1], slates[:, 0]]


def moved_within(slates: Ints, rng: np.random.Generator) -> Floats:
    """The total is a sum over places and items, but the places earn it for each other."""
    return independent(slates, rng)[:, ::-1]


EXACT: dict[Rewards, set[str]] = {
    independent: {"sips", "iips", "rips", "cascade_dr", "pi"},
    cascade: {"sips", "rips", "cascade_dr"},
    whole_page: {"sips"},
    moved_within: {"sips", "pi"},
}


@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("reward", EXACT)
def test_exact_under_its_own_assumption(reward: Rewards, seed: int) -> None:
    page = Page(seed, reward)
    for estimator in ALL:
        if estimator.name in EXACT[reward]:
            assert page.expected(estimator) == pytest.approx(page.value, abs=1e-9), estimator.name


@pytest.mark.parametrize("reward", EXACT)
def test_biased_where_its_assumption_fails(reward: Rewards) -> None:
    pages = [Page(seed, reward) for seed in range(30)]
    for estimator in ALL:
        off = np.mean([abs(page.expected(estimator) - page.value) for page in pages])
        assert (off < 1e-9) == (estimator.name in EXACT[reward]), (estimator.name, off)
        assert off < 1e-9 or off > 1e-4


@given(seed=st.integers(0, 2**32 - 1))
def test_independent_places_give_the_pseudo_inverse_its_short_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    slates = np.array(list(product(range(3), repeat=2)))
    logging, target = rng.dirichlet(np.ones(3) * 3, 2) * 0.9 + 0.1 / 3, rng.dirichlet(np.ones(3), 2)
    p, t = (
        np.stack([table[place, slates[:, place]] for place in (0, 1)], axis=1) for table in (logging, target)
    )
    listed = pseudo_inverse_weights(slates, p.prod(axis=1), t.prod(axis=1), 3)
    log = Slates(
        reward=rng.random(p.shape), propensity=p, target_prob=t, marginal_propensity=p, marginal_target=t
    )
    np.testing.assert_allclose(PI.parts(log)[2], listed, atol=1e-9)
    np.testing.assert_allclose(listed, 1 + (t / p - 1).sum(axis=1), atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
def test_replaying_the_log_is_its_mean_and_chunks_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = Page(seed, cascade)
    rows = rng.choice(len(SLATES), 60, p=page.probs)
    log = some(page.log, rows)
    same = replace(
        log,
        target_prob=log.propensity,
        marginal_target=log.marginal_propensity,
        q=0 * log.reward,
        v=0 * log.reward,
        pi_weight=None,
    )
    for estimate in evaluate_slates(same, ALL, refuse=False):
        assert estimate.value == pytest.approx(log.reward.sum(axis=1).mean())
        assert estimate.ess == pytest.approx(60) and estimate.max_weight == pytest.approx(1)
    parts = [some(log, np.arange(7)), some(log, np.arange(7, 60))]
    whole, chunks = evaluate_slates(log, ALL, refuse=False), evaluate_slates(parts, ALL, refuse=False)
    for one, two in zip(whole, chunks, strict=True):
        assert two.value == pytest.approx(one.value) and two.std_err == pytest.approx(one.std_err)


def test_covering_in_simulation_and_in_the_order_of_variance() -> None:
    page, rng = Page(3, cascade), np.random.default_rng(4)
    rows = rng.choice(len(SLATES), 40_000, p=page.probs)
    click = (rng.random((40_000, PLACES)) < page.mean[rows]).astype(float)
    q = np.stack([page.mean[:, place:].sum(axis=1) for place in range(PLACES)], axis=1)[rows]
    log = replace(some(page.log, rows), reward=click)
    sips, rips, cascade_dr = evaluate_slates(log, (SIPS, RIPS, CASCADE_DR))
    for found in (sips, rips, cascade_dr):
        assert abs(found.value - page.value) < 3 * found.std_err and not found.findings
    assert rips.std_err < sips.std_err
    better = replace(log, q=q, v=q * 0 + (q.mean(axis=0)))
    (near,) = evaluate_slates(better, (CASCADE_DR,), refuse=False)
    assert near.std_err < rips.std_err


def test_bad_input_is_refused_in_one_line() -> None:
    log = Page(0, cascade).log
    n = len(log)
    uniform = np.full(n, 1 / n)
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: replace(log, reward=log.reward[0]), r"reward must be \(n, L\)"),
        (lambda: replace(log, reward=log.reward[:0]), r"reward must be \(n, L\)"),
        (lambda: replace(log, propensity=0 * log.propensity), r"propensity must be in \(0, 1\]"),
        (lambda: replace(log, target_prob=log.target_prob + 1), r"target_prob must be in \[0, 1\]"),
        (lambda: replace(log, marginal_propensity=-log.propensity), "marginal_propensity must be in"),
        (lambda: replace(log, marginal_target=2 + log.propensity), "marginal_target must be in"),
        (lambda: replace(log, q=log.reward * np.nan), "q must be"),
        (lambda: replace(log, v=log.reward[:3]), "v must be"),
        (lambda: replace(log, pi_weight=log.reward), "pi_weight must be"),
        (lambda: evaluate_slates(replace(log, q=None), (CASCADE_DR,)), "cascade_dr needs q, got none"),
        (lambda: evaluate_slates(replace(log, marginal_target=None), (IIPS,)), "iips needs marginal_target"),
        (lambda: evaluate_slates([], ALL), "needs pages and an estimator"),
        (lambda: pseudo_inverse_weights(SLATES, uniform, uniform, 2), r"items must be in \[0, 2\)"),
        (lambda: pseudo_inverse_weights(SLATES, uniform / 2, uniform, ITEMS), "logging must be"),
        (lambda: pseudo_inverse_weights(SLATES, uniform, -uniform, ITEMS), "target must be"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
