"""Fatigue and recovery: stocks are the sums they say, clusters are those of the cosines, and knowing them pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.bandit import run_bandit
from copybandit.agents.copy_clusters import cluster_copies
from copybandit.agents.exposure_stock import ExposureStock
from copybandit.agents.policies import LinUCB
from copybandit.agents.stocked_shop import StockedShop
from copybandit.sim.exposures import SLOTS
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.visits import Response, Visits

some_seed = st.integers(0, 2**32 - 1)
CLUSTER: Ints = np.array([0, 0, 1, 1, 1, 2])


@settings(max_examples=30, deadline=None)
@given(seed=some_seed, n=st.integers(0, 60), kin=st.floats(0, 1), tau=st.floats(0.1, 10))
def test_a_stock_is_the_sum_of_the_last_exposures(seed: int, n: int, kin: float, tau: float) -> None:
    rng = np.random.default_rng(seed)
    memory = ExposureStock(n_shoppers=3, cluster=CLUSTER, tau_days=tau, kin=kin)
    shopper, variant, time = rng.integers(3, size=n), rng.integers(6, size=n), np.sort(rng.uniform(0, 9, n))
    for rows in np.array_split(np.arange(n), rng.integers(1, 5)):
        memory.remember(shopper[rows], variant[rows], time[rows])
    candidates = np.array([[0, 3, 5, -1], [-1, 1, 2, 4], [5, 4, 3, 2]])
    found = memory.stock(np.arange(3), candidates, np.full(3, 6.0))
    for row in range(3):
        mine = np.flatnonzero(shopper == row)[-SLOTS:]
        for column, copy in enumerate(candidates[row]):
            total = sum(
                np.exp(-(6.0 - time[i]) / tau)
                * (1.0 if variant[i] == copy else kin * (CLUSTER[variant[i]] == CLUSTER[copy]))
                for i in mine
                if copy >= 0 and time[i] <= 6.0
            )
            assert found[row, column] == pytest.approx(total, abs=1e-12)


def test_rows_may_be_remembered_in_any_batches() -> None:
    rng = np.random.default_rng(0)
    shopper, variant, time = rng.integers(5, size=200), rng.integers(6, size=200), np.sort(rng.random(200))
    whole, single = (ExposureStock(n_shoppers=5, cluster=CLUSTER, tau_days=1.0) for _ in range(2))
    whole.remember(shopper, variant, time)
    for row in range(200):
        single.remember(shopper[row : row + 1], variant[row : row + 1], time[row : row + 1])
    asked = np.tile(np.arange(6), (5, 1))
    at = np.full(5, 2.0)
    np.testing.assert_array_equal(whole.stock(np.arange(5), asked, at), single.stock(np.arange(5), asked, at))


def test_rows_that_do_not_fit_change_nothing() -> None:
    memory = ExposureStock(n_shoppers=3, cluster=CLUSTER, tau_days=1.0)
    two, one = np.array([0, 1]), np.array([0.5])
    for shopper, variant, time in ((two, two, one), (two, two[:1], np.ones(2)), (two[:1], two, one)):
        with pytest.raises(DataError, match="give one row per exposure"):
            memory.remember(shopper, variant, time)
    asked = np.tile(np.arange(6), (3, 1))
    assert not memory.stock(np.arange(3), asked, np.ones(3)).any()
    with pytest.raises(DataError, match="give one row per exposure"):
        memory.stock(np.arange(3), asked, one)


def test_stocks_recover() -> None:
    memory = ExposureStock(n_shoppers=1, cluster=CLUSTER, tau_days=2.0, kin=0.25)
    memory.remember(np.array([0]), np.array([2]), np.array([1.0]))
    for day in (1.0, 3.0, 9.0):
        stock = memory.stock(np.array([0]), np.array([[2, 3, 0]]), np.array([day]))
        np.testing.assert_allclose(stock, np.array([[1.0, 0.25, 0.0]]) * np.exp(-(day - 1) / 2))


def test_strangers_are_refused_and_nothing_is_remembered() -> None:
    memory = ExposureStock(n_shoppers=2, cluster=CLUSTER, tau_days=1.0)
    one = np.array([0])
    for shopper, variant, time, rule in (
        (np.array([2]), one, np.zeros(1), r"shopper must be in \[0, 2\), got 2"),
        (one, np.array([6]), np.zeros(1), r"variant must be in \[0, 6\), got 6"),
        (one, np.array([-1]), np.zeros(1), r"variant must be in \[0, 6\), got -1"),
        (one, one, np.array([np.nan]), "time must be finite"),
    ):
        with pytest.raises(DataError, match=rule):
            memory.remember(shopper, variant, time)
    assert not memory.stock(np.arange(2), np.tile(np.arange(6), (2, 1)), np.zeros(2)).any()
    with pytest.raises(DataError, match="tau_days"):
        ExposureStock(n_shoppers=2, cluster=CLUSTER, tau_days=0.0)


@settings(max_examples=30, deadline=None)
@given(seed=some_seed, m=st.integers(0, 40), threshold=st.floats(0.05, 1.0), added=st.integers(0, 10))
def test_clusters_are_those_of_leaders(seed: int, m: int, threshold: float, added: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(m + added, 3))
    cluster = cluster_copies(embeddings[:m], threshold=threshold)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    leaders: list[int] = []
    for row in range(m):
        near = [place for place, one in enumerate(leaders) if unit[row] @ unit[one] >= threshold - 1e-12]
        if not near:
            leaders.append(row)
        assert cluster[row] == (near[0] if near else len(leaders) - 1)
    np.testing.assert_array_equal(cluster_copies(embeddings, threshold=threshold)[:m], cluster)
    np.testing.assert_array_equal(cluster_copies(7 * embeddings[:m], threshold=threshold), cluster)


def test_clusters_refuse_what_is_no_cosine() -> None:
    with pytest.raises(DataError, match=r"threshold must be in \(0, 1\]"):
        cluster_copies(np.ones((2, 2)), threshold=0.0)
    with pytest.raises(DataError, match="finite"):
        cluster_copies(np.full((2, 2), np.nan))
    np.testing.assert_array_equal(cluster_copies(np.zeros((3, 2))), [0, 1, 2])


class TiringShop:
    """60 shoppers, 5 products with 4 copies in 2 clusters; a copy costs .6 of its clicks per exposure to its like.

    The warm start knows the copies and nothing of fatigue; exposures fade by a day.
    """

    def __init__(self, seed: int) -> None:
        world = np.random.default_rng([seed, 0])
        self._traffic, self._clicks = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
        self.actions: Floats = np.zeros((20, 0))
        self.cluster: Ints = np.arange(20) // 2
        self._rate = np.clip(0.25 * np.exp(world.normal(scale=0.3, size=20)), 0.01, 0.7)
        self._shown: list[tuple[Ints, Ints, Floats]] = []
        self._tired: Floats = np.zeros((60, 20))
        self._at: Floats = np.zeros(60)

    def _stock(self, visits: Visits) -> Floats:
        """By its own bookkeeping: one decayed table, not a ring."""
        faded = self._tired[visits.shopper] * np.exp(self._at[visits.shopper] - visits.time)[:, None]
        return np.take_along_axis(faded, visits.candidates.astype(np.int64), axis=1)

    def visits(self, step: int, size: int) -> Visits:
        shopper = self._traffic.permutation(60)[:size]
        product = self._traffic.integers(5, size=size)
        candidates = (product[:, None] * 4 + np.arange(4)).astype(np.int32)
        return Visits(
            shopper=shopper,
            product=product,
            position=np.ones(size, dtype=np.int64),
            time=np.full(size, step / 5),
            candidates=candidates,
            context=np.zeros((size, 0)),
            state=self._rate[candidates][:, :, None],
        )

    def expected_click(self, visits: Visits) -> Floats:
        return np.asarray(self._rate[visits.candidates] * np.exp(-0.9 * self._stock(visits)))

    def respond(self, visits: Visits, column: Ints) -> Response:
        rows = np.arange(len(column))
        click = (self._clicks.random(len(column)) < self.expected_click(visits)[rows, column]).astype(float)
        shown = visits.candidates[rows, column]
        self._tired[visits.shopper] *= np.exp(self._at[visits.shopper] - visits.time)[:, None]
        self._at[visits.shopper] = visits.time
        same = np.arange(20) == shown[:, None]
        like = self.cluster == self.cluster[shown][:, None]
        self._tired[visits.shopper] += np.where(same, 1.0, np.where(like, 0.5, 0.0))
        return Response(click=click, conversion=0 * click, value=0 * click)


def season(seed: int, channels: tuple[int, ...]) -> float:
    """Expected clicks per impression."""
    shop = TiringShop(seed)
    stock = ExposureStock(n_shoppers=60, cluster=shop.cluster, tau_days=1.0)
    policy = LinUCB(n_actions=20, n_features=0, state_channels=channels, ridge=10.0)
    run = run_bandit(
        policy,
        StockedShop(shop, stock),
        n_impressions=6_000,
        batch_size=40,
        rng=np.random.default_rng([seed, 3]),
    )
    return float(run.expected.mean())


def test_a_policy_that_knows_the_stock_beats_the_same_one_blind_to_it() -> None:
    knowing, blind = (np.array([season(seed, ch) for seed in range(8)]) for ch in ((1,), ()))
    gain = knowing - blind
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert gain.mean() > 0.05 * blind.mean()
