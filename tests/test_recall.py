"""What shoppers remember, in words of bits, against its definition; draws ahead against draws one at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.draws import Draws, words_of
from copybandit.sim.exposures import SLOTS
from copybandit.sim.pending import Pending, ages
from copybandit.sim.recall import Recall, stock_table

CLUSTER = np.array([[0, 1, 1], [2, 0, 3], [3, 3, 0]])
shown = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(lives=st.lists(shown, min_size=2, max_size=3), memory=st.floats(0, 0.99), product=st.integers(0, 2))
def test_words_are_the_last_sixteen_visits(
    lives: list[list[tuple[int, int]]], memory: float, product: int
) -> None:
    length = min(map(len, lives))
    recall, table = Recall(len(lives), CLUSTER), stock_table(memory)
    for visit in range(length):
        now = np.array([life[visit] for life in lives])
        recall.remember(now[:, 0], now[:, 1])
    copies, clusters = recall.words(slice(None), np.full(len(lives), product))
    some = recall.words(np.array([1]), np.array([product]))
    assert (some[0] == copies[1:2]).all() and (some[1] == clusters[1:2]).all()
    for row, life in enumerate(lives):
        recent = list(enumerate(reversed(life[:length][-SLOTS:])))
        for column in range(3):
            own = sum(memory**age for age, seen in recent if seen == (product, column))
            kin = sum(memory**age for age, seen in recent if CLUSTER[seen] == CLUSTER[product, column])
            assert np.isclose(table[copies[row, column]], own, atol=1e-5)
            assert np.isclose(table[clusters[row, column]], kin, atol=1e-5)
    recall.forget(np.array([0]))
    copies, clusters = recall.words(slice(None), np.full(len(lives), product))
    assert not copies[0].any() and not clusters[0].any()


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 2**20),
    steps=st.integers(1, 40),
    reseed=st.integers(0, 39),
)
def test_a_draw_depends_on_key_and_number_alone(n: int, seed: int, steps: int, reseed: int) -> None:
    rng = np.random.default_rng(seed)
    draws, key, number = Draws(n), rng.integers(2**63, size=n).astype(np.uint64), np.zeros(n, dtype=np.int64)
    # A small block, so that it runs out often.
    draws._depth = 4
    draws._words = draws._words[: 4 * n]
    draws.seed(np.arange(n), key)
    for step in range(steps):
        rows = np.flatnonzero(rng.random(n) < 0.6)
        if step == reseed:
            draws.seed(rows, key[rows])
            number[rows] = 0
        assert (draws.take(rows) == words_of(key[rows], number[rows])).all()
        number[rows] += 1
    assert (draws.take(slice(None)) == words_of(key, number)).all()


def test_ages_are_the_bits_of_arrivals() -> None:
    pending = Pending(3, 5)
    pending.add(np.array([2]), np.array([2]), np.array([7.0]))
    pending.arrive()
    pending.add(np.array([0, 2]), np.array([0, 1]), np.array([1.0, 2.0]))
    bits, value = pending.arrive()
    assert ages(bits, 6).tolist() == [[1, 0, 0, 0, 0, 0], [0] * 6, [0] * 6] and value.tolist() == [1, 0, 0]
    assert pending.waiting.tolist() == [0, 0, 2]
    bits, value = pending.arrive()
    assert ages(bits, 6)[2].tolist() == [0, 1, 1, 0, 0, 0] and value[2] == 9
    pending.add(np.array([1]), np.array([3]), np.array([5.0]))
    pending.forget(np.array([0, 1]))
    assert not any(pending.arrive()[0].any() for _ in range(6)) and not pending.waiting.any()
