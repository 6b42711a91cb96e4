"""Best of n from one draw: exact weights, consistent curve."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.frontier import Drawn, draw_frontier, kl_of_best, rank_weights
from copybandit.evaluation.pipeline import Pipeline
from copybandit.generators.best_of_n import BestOfN
from copybandit.sim.types import DataError
from tests.enumerable_writer import EnumerableWriter


@given(st.integers(1, 7), st.data())
def test_weights_count_the_subsets_that_each_rank_wins(m: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, m))
    winners = [max(subset) for subset in combinations(range(m), n)]
    share = np.bincount(winners, minlength=m) / len(winners)
    np.testing.assert_allclose(rank_weights(m, n), share, atol=1e-9)


@given(st.integers(0, 99), st.integers(2, 20))
def test_more_texts_never_lower_the_score_and_the_ends_are_mean_and_maximum(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(3, m))
    drawn = Drawn(rows=np.arange(3), score=score, gold=-score)
    means = [drawn.best(n)[0].mean() for n in range(1, m + 1)]
    assert np.diff(means).min() > -1e-12
    np.testing.assert_allclose(drawn.best(1)[0], score.mean(axis=1))
    np.testing.assert_allclose(drawn.best(m)[0], score.max(axis=1))
    np.testing.assert_allclose(
        drawn.best(m)[1], -score.max(axis=1)
    )  # gold follows the choice, it never makes it


@given(st.integers(1, 8))
def test_at_the_kl_of_a_whole_n_the_curve_is_that_n(n: int) -> None:
    drawn = Drawn(rows=np.arange(2), score=np.random.default_rng(n).normal(size=(2, 8)), gold=np.ones((2, 8)))
    np.testing.assert_allclose(drawn.at_kl(kl_of_best(n))[0], drawn.best(n)[0])
    np.testing.assert_allclose(drawn.at_kl(99.0)[0], drawn.best(8)[0])


def test_more_than_were_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="n must be 1 to the 4 texts drawn, got 5"):
        rank_weights(4, 5)


def test_the_curve_agrees_with_the_writer_that_really_picks(fitted: Pipeline) -> None:
    """Mean reward of `BestOfN` itself on the same cells, within four standard errors."""
    reward, gold = fitted.reward("select"), fitted.gold()
    name = reward.cells.briefs[0].product.name
    row = np.array([0])
    texts = (f"Meet the {name}.", f"The {name}, a gift.", f"Say hello to the {name}.", f"The {name} for you.")
    writer = EnumerableWriter(texts=texts, probs=(0.4, 0.3, 0.2, 0.1))
    drawn = draw_frontier(writer, reward, gold, row, np.random.default_rng(0), 600)
    brief = reward.cells.briefs[0]
    picked = BestOfN(base=writer, score=reward.by_brief, n=4)
    (found,) = picked.propose([brief], 200, np.random.default_rng(1))
    scores = reward.by_brief([brief] * len(found), [variant.text for variant in found])
    error = scores.std() / np.sqrt(len(scores)) + 1e-9
    assert abs(drawn.best(4)[0][0] - scores.mean()) < 4 * error + 0.01
