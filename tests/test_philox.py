"""Counter-based draws: the published algorithm, even, independent, and the same alone as in a batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from copybandit.sim.philox import philox4x32, uniforms
from copybandit.sim.types import DataError

ONES = 0xFFFFFFFF
# Known-answer vectors of Random123 (kat_vectors, philox4x32 10): counter, key, result.
KNOWN = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)
words = st.integers(0, ONES)


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_the_published_vectors(
    counter: tuple[int, ...], key: tuple[int, int], result: tuple[int, ...]
) -> None:
    rows = np.array([counter], dtype=np.uint64)
    assert philox4x32(rows, key).tolist() == [list(result)]
    assert philox4x32(np.repeat(rows, 3, axis=0), key).tolist() == [list(result)] * 3


@given(
    counters=st.lists(st.tuples(words, words, words, words), min_size=2, max_size=5),
    key=st.tuples(words, words),
)
def test_a_row_alone_draws_what_it_draws_in_a_batch(
    counters: list[tuple[int, int, int, int]], key: tuple[int, int]
) -> None:
    rows = np.array(counters, dtype=np.uint64)
    together = philox4x32(rows, key)
    assert all((philox4x32(rows[i : i + 1], key)[0] == together[i]).all() for i in range(len(rows)))


def test_uniforms_are_even_and_their_columns_independent() -> None:
    u = uniforms(3, 1, np.arange(20_000), 5)
    assert u.shape == (20_000, 4) and (u > 0).all() and (u < 1).all()
    assert all(stats.kstest(u[:, column], "uniform").pvalue > 1e-3 for column in range(4))
    correlation = np.asarray(np.corrcoef(u.T))[np.triu_indices(4, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(len(u))


def test_seed_stream_shopper_and_step_all_matter() -> None:
    keys = [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
        (0, 0, 2**33, 0),
        (0, 0, 0, 2**33),
    ]
    assert len({float(uniforms(*key).item(0)) for key in keys}) == len(keys)


def test_steps_may_differ_by_row() -> None:
    both = uniforms(0, 0, np.array([4, 4]), np.array([7, 8]))
    assert (both[0] == uniforms(0, 0, 4, 7)[0]).all() and (both[1] == uniforms(0, 0, 4, 8)[0]).all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((-1, 0, 0, 0), "seed"),
        ((2**32, 0, 0, 0), "seed"),
        ((0, 2**32, 0, 0), "stream"),
        ((0, 0, np.array([3, -1]), 0), "shopper"),
        ((0, 0, 0, -2), "step"),
        ((0, 0, np.array([0.5]), 0), "shopper"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[int, int, int, int], word: str) -> None:
    with pytest.raises(DataError, match=f"random draws: {word}"):
        uniforms(*arguments)
