"""Slates: exact probabilities of every order, one place is the plain policy, and places that few look at do not mislead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.batch_rows import take
from copybandit.agents.policies import UCB1, BetaThompson, EpsilonGreedy, LinUCB, LogisticThompson
from copybandit.agents.slate import Mode, SlatePolicy, Slates
from copybandit.agents.slate_feedback import Examination, learn_slates, rows_of
from copybandit.agents.slate_log import log_slates
from copybandit.sim.schema import read_feedback, write_feedback
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.visits import Visits
from tests.policy_entries import ENTRIES, make_batch, some_seed, trained

MODES: tuple[Mode, ...] = ("renormalise", "ask again")
EXAMINE = (1.0, 0.55, 0.25)


def slate_of(name: str, rng: np.random.Generator, places: int, mode: Mode, steps: int = 3) -> SlatePolicy:
    return SlatePolicy(trained(name, rng, steps), places=places, mode=mode)


def every_slate(batch: Batch, places: int) -> Ints:
    """All ordered slates of a batch of one, shape (orders, places)."""
    here = np.flatnonzero(batch.present[0]).tolist()
    orders = list(permutations(here, min(places, len(here))))
    return np.array([[*order, *[ABSENT] * (places - len(order))] for order in orders], dtype=np.int64)


def probability_of_all(policy: SlatePolicy, batch: Batch) -> tuple[Ints, Floats]:
    """Every order of a batch of one with its probability."""
    orders = every_slate(batch, policy.places)
    many = take(batch, np.zeros(len(orders), dtype=np.int64))
    probs = policy.slate_probs(many, orders, np.random.default_rng(0))
    return orders, Slates(column=orders, action_probs=probs).propensity


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=8, deadline=None)
@given(seed=some_seed, n=st.integers(1, 10), k=st.integers(1, 6), places=st.integers(1, 4))
def test_places_are_distributions_over_what_is_left_and_replay_finds_them(
    name: str, mode: Mode, seed: int, n: int, k: int, places: int
) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = slate_of(name, rng, places, mode), make_batch(rng, n, k)
    slates = policy.draw(batch, rng)
    left = batch.present
    assert slates.action_probs.shape == (n, places, k)
    for place in range(places):
        probs, some = slates.action_probs[:, place], left.any(axis=1)
        assert ((probs >= 0) & (probs <= 1)).all() and (probs[~left] == 0).all()
        np.testing.assert_allclose(probs.sum(axis=1), some, atol=1e-9)
        assert (slates.filled[:, place] == some).all()
        left = left & (np.arange(k) != slates.column[:, place, None])
    again = policy.slate_probs(batch, slates.column, np.random.default_rng(5))
    np.testing.assert_array_equal(again, slates.action_probs)
    weight = Slates(column=slates.column, action_probs=again).propensity / slates.propensity
    assert (weight == 1).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ENTRIES)
def test_one_place_is_the_plain_policy(name: str, mode: Mode) -> None:
    rng = np.random.default_rng(1)
    policy, batch = slate_of(name, rng, 1, mode), make_batch(rng)
    slates = policy.draw(batch, np.random.default_rng(2))
    plain = policy.policy.action_probs(batch, np.random.default_rng(0))
    np.testing.assert_array_equal(slates.action_probs[:, 0], plain)
    np.testing.assert_array_equal(slates.propensity, plain[np.arange(20), slates.column[:, 0]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ENTRIES)
@settings(max_examples=6, deadline=None)
@given(seed=some_seed, k=st.integers(1, 5), places=st.integers(1, 4))
def test_probabilities_of_all_ordered_slates_sum_to_one(
    name: str, mode: Mode, seed: int, k: int, places: int
) -> None:
    rng = np.random.default_rng(seed)
    policy, batch = slate_of(name, rng, places, mode), make_batch(rng, 1, k)
    orders, chance = probability_of_all(policy, batch)
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    first = np.bincount(orders[:, 0], chance, k)
    np.testing.assert_allclose(first, policy.policy.action_probs(batch, rng)[0], atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["softmax", "thompson", "linucb"])
def test_draws_have_the_marginals_of_the_enumeration(name: str, mode: Mode) -> None:
    """Every candidate in every place within 4 standard errors of the exact marginal."""
    rng, draws = np.random.default_rng(3), 20_000
    policy, batch = slate_of(name, rng, 3, mode), make_batch(rng, 1, 5)
    orders, chance = probability_of_all(policy, batch)
    drawn = policy.draw(take(batch, np.zeros(draws, dtype=np.int64)), rng).column
    for place in range(3):
        exact = np.bincount(orders[:, place], chance, 5)
        seen = np.bincount(drawn[:, place], minlength=5) / draws
        assert (np.abs(seen - exact) <= 4 * np.sqrt(exact * (1 - exact) / draws) + 1e-12).all()


def test_renormalised_slates_are_plackett_luce() -> None:
    rng = np.random.default_rng(4)
    policy, batch = slate_of("softmax", rng, 3, "renormalise"), make_batch(rng, 1, 5)
    p = policy.policy.action_probs(batch, rng)[0]
    orders, chance = probability_of_all(policy, batch)
    for order, found in zip(orders.tolist(), chance.tolist(), strict=True):
        left, expected = 1.0, 1.0
        for column in (column for column in order if column != ABSENT):
            expected *= p[column] / left
            left -= p[column]
        assert found == pytest.approx(expected, rel=1e-9)


def test_asking_again_gives_the_second_place_to_the_second_best() -> None:
    """Epsilon-greedy's second choice: by renormalising it is any of the others, by asking again the best of them."""
    prior = np.array([0.01, 0.03, 0.02, 0.015])
    batch = replace(make_batch(np.random.default_rng(0), 1, 4), candidates=np.arange(4, dtype=np.int32)[None])
    batch = replace(batch, state=np.stack([prior, prior], axis=1)[None])
    best = np.array([[1, 2]])
    for mode, expected in (("ask again", 0.98 + 0.02 / 3), ("renormalise", 1 / 3)):
        policy = SlatePolicy(EpsilonGreedy(n_actions=4, epsilon=0.02), places=2, mode=mode)  # type: ignore[arg-type]
        probs = policy.slate_probs(batch, best, np.random.default_rng(0))
        assert probs[0, 1, 2] == pytest.approx(expected)


def clicks_of(slates: Slates, batch: Batch, truth: Floats, rng: np.random.Generator) -> Floats:
    """Position-based clicks, shape (n, L)."""
    variant = np.take_along_axis(batch.candidates, np.maximum(slates.column, 0), 1)
    seen = np.array(EXAMINE)[: slates.column.shape[1]]
    return np.asarray((rng.random(variant.shape) < truth[variant] * seen) & slates.filled, dtype=np.float64)


def requests(n: int, prior: Floats) -> Batch:
    """Every variant in every request, in an order that puts the same ones into the last places."""
    m = len(prior)
    candidates = np.tile(np.arange(m, dtype=np.int32), (n, 1))
    return Batch(
        context=np.zeros((n, 0)),
        actions=np.zeros((m, 1)),
        candidates=candidates,
        state=prior[candidates][..., None],
        time=np.zeros(n),
    )


LEARNERS: dict[str, tuple[Callable[[], Learner], Callable[[Learner, Batch], Floats]]] = {
    "prior": (
        lambda: LinUCB(n_actions=3, n_features=1, ridge=1e9, residual_ridge=1e-3),
        lambda policy, batch: np.asarray(policy.predict(batch)[0]),  # type: ignore[attr-defined]
    ),
    "weight": (
        lambda: BetaThompson(np.full(3, 0.05), strength=1),
        lambda policy, batch: policy._a / (policy._a + policy._b),  # type: ignore[attr-defined]
    ),
}


@pytest.mark.parametrize("by", LEARNERS)
def test_the_true_click_rate_is_learned_whatever_the_place(by: str) -> None:
    """Fixed places: each variant is seen in one place only. With the examination known the truth comes out."""
    make, rate = LEARNERS[by]
    truth, n, rng = np.array([0.03, 0.05, 0.07]), 60_000, np.random.default_rng(11)
    batch = requests(n, np.full(3, 0.05))
    column = np.tile(np.arange(3), (n, 1))
    slates = Slates(column=column, action_probs=np.tile(np.eye(3), (n, 1, 1)))
    reward = clicks_of(slates, batch, truth, rng)
    error = np.sqrt(truth / (n * np.array(EXAMINE)))
    told, naive = make(), make()
    learn_slates(told, batch, slates, reward, Examination(examine=EXAMINE, by=by))  # type: ignore[arg-type]
    learn_slates(naive, batch, slates, reward, Examination(examine=(1.0, 1.0, 1.0), by=by))  # type: ignore[arg-type]
    one = take(batch, np.array([0]))
    assert (np.abs(rate(told, one) - truth) < 4 * error).all()
    assert rate(naive, one)[2] < truth[2] - 20 * error[2]


@pytest.mark.parametrize(
    ("make", "by"),
    [
        (lambda: LinUCB(n_actions=8, n_features=1, residual_ridge=4.0, epsilon=0.1), "prior"),
        (lambda: EpsilonGreedy(n_actions=8, strength=4.0, epsilon=0.1), "prior"),
        (
            lambda: LogisticThompson(n_actions=8, n_features=1, residual_ridge=4.0, points=8, epsilon=0.1),
            "prior",
        ),
        (lambda: BetaThompson(np.full(8, 0.05), strength=20, epsilon=0.1), "weight"),
        (lambda: UCB1(n_actions=8, width=0.2, epsilon=0.1), "weight"),
    ],
)
def test_learning_slates_ends_with_the_best_variants_on_top(make: Callable[[], Learner], by: str) -> None:
    truth = np.linspace(0.02, 0.16, 8)
    policy = SlatePolicy(make(), places=3, mode="ask again")
    rng, how = np.random.default_rng(6), Examination(examine=EXAMINE, by=by)  # type: ignore[arg-type]
    batch = requests(500, np.full(8, 0.05))
    for _ in range(40):
        slates = policy.draw(batch, rng)
        learn_slates(policy.policy, batch, slates, clicks_of(slates, batch, truth, rng), how)  # type: ignore[arg-type]
    shown = policy.draw(batch, rng).column
    assert truth[shown[:, 0]].mean() > 0.13 and truth[shown].mean() > 0.11  # chance is .09


def test_a_cascade_teaches_down_to_the_first_click() -> None:
    batch = requests(3, np.full(4, 0.05))
    column = np.array([[0, 1, 2], [3, 1, 0], [2, 3, -1]])
    probs = np.zeros((3, 3, 4))
    np.put_along_axis(probs, np.maximum(column, 0)[..., None], 1.0, 2)
    slates = Slates(column=column, action_probs=probs)
    reward = np.array([[0.0, 1, 1], [0, 0, 0], [1, 0, 0]])
    rows = rows_of(batch, slates, reward, Examination(examine=(), by="cascade"), np.array([1.0, 2, 3]))
    assert rows.column.tolist() == [0, 1, 2, 3, 1, 0, 2, 3]
    assert rows.reward.tolist() == [0, 1, 1, 0, 0, 0, 1, 0]
    assert rows.weight.tolist() == [1, 1, 0, 2, 2, 2, 3, 0]


def test_a_counted_row_is_a_click_or_the_examined_part_of_an_impression() -> None:
    batch = requests(1, np.full(3, 0.05))
    slates = Slates(column=np.array([[2, 0, 1]]), action_probs=np.eye(3)[[2, 0, 1]][None])
    policy = BetaThompson(np.full(3, 0.5), strength=2)
    learn_slates(policy, batch, slates, np.array([[0.0, 1.0, 0.5]]), Examination(examine=EXAMINE))
    np.testing.assert_allclose(policy._a, [2.0, 1.5, 1.0])
    np.testing.assert_allclose(policy._b, [1.0, 1.125, 2.0])


def test_the_log_holds_a_row_per_place_and_the_slate_is_their_product(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    policy, batch = slate_of("softmax", rng, 3, "ask again"), make_batch(rng, 30, 5)
    slates = policy.draw(batch, rng)
    visits = Visits(
        shopper=np.arange(30),
        product=np.arange(30) % 7,
        position=np.ones(30, dtype=np.int64),
        time=np.linspace(0, 2, 30),
        candidates=batch.candidates,
        context=batch.context,
        state=batch.state,
    )
    click = (rng.random((30, 3)) < 0.3).astype(float)
    log = log_slates(visits, slates, click=click, epoch=np.datetime64("2026-01-01", "us"), policy=policy.name)
    write_feedback(log, tmp_path / "log.parquet")
    again = read_feedback(tmp_path / "log.parquet")
    assert len(again) == slates.filled.sum() and again.policy == "softmax x 3"
    np.testing.assert_array_equal(again.action_probs, log.action_probs)
    product = np.ones(30)
    np.multiply.at(product, again.shopper, again.propensity)
    np.testing.assert_allclose(product, slates.propensity, rtol=1e-12)
    np.testing.assert_array_equal(again.click, click[slates.filled])
    assert ((again.action_probs > 0) <= (again.candidates != ABSENT)).all()


def test_what_is_no_slate_is_refused() -> None:
    rng = np.random.default_rng(9)
    batch = make_batch(rng, 2, 4)
    whole = np.full((2, 2, 4), 0.25)
    for column, probs, rule in (
        (np.array([[0, 0], [1, 2]]), whole, "a column may stand once"),
        (np.array([[-1, 0], [1, 2]]), whole, "from the first on"),
        (np.array([[0, 1], [1, 2]]), whole[:, :1], "one distribution per place"),
        (np.array([[0, 1], [1, 2]]), whole * 0, "must have a probability"),
        (np.array([[0, 1], [1, 2]]), whole * 8, "must have a probability"),
        (np.array([[-2, 0], [1, 2]]), whole, r"column must be in \[-1, 4\), got -2 to 2"),
        (np.array([[0, 4], [1, 2]]), whole, r"column must be in \[-1, 4\), got 0 to 4"),
    ):
        with pytest.raises(DataError, match=rule):
            Slates(column=column, action_probs=probs)
    with pytest.raises(DataError, match="places must be at least 1"):
        SlatePolicy(UCB1(n_actions=24), places=0)
    policy = SlatePolicy(UCB1(n_actions=24), places=2)
    with pytest.raises(DataError, match=r"column must be \(2, 2\)"):
        policy.slate_probs(batch, np.zeros((2, 1), dtype=np.int64), rng)
    with pytest.raises(DataError, match="present candidates"):
        policy.slate_probs(batch, np.array([[0, 9], [0, 1]]), rng)
    full = requests(1, np.full(4, 0.05))
    slates = Slates(column=np.array([[0, 1]]), action_probs=np.full((1, 2, 4), 0.25))
    for reward, how, rule in (
        (np.ones((1, 3)), Examination(examine=(1.0, 1.0)), "one reward per place"),
        (np.ones((1, 2)), Examination(examine=(1.0,)), "examine must know 2 places"),
        (np.full((1, 2), np.nan), Examination(examine=(1.0, 0.5)), r"reward must be in \[0, 1\]"),
    ):
        with pytest.raises(DataError, match=rule):
            rows_of(full, slates, reward, how)
    with pytest.raises(DataError, match=r"examine must be in \(0, 1\]"):
        Examination(examine=(1.0, 0.0))
