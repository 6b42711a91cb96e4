"""Bagging: replicates spread as the bootstrap says, and the log may be cut into batches anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from copybandit.agents.batch import Batch
from copybandit.agents.policies import BootstrapBag
from copybandit.agents.policy_bag import TIMES
from copybandit.sim.types import DataError

M = 4


def request(n: int, prior: float = 0.05) -> Batch:
    return Batch(
        context=np.zeros((n, 1)),
        actions=np.zeros((M, 1)),
        candidates=np.tile(np.arange(2, dtype=np.int32), (n, 1)),
        state=np.full((n, 2, 1), prior),
        time=np.zeros(n),
    )


def test_replicates_spread_as_the_warm_start_and_then_as_the_clicks() -> None:
    policy, replicates, n = BootstrapBag(n_actions=M, replicates=4000, strength=44.0), 4000, 400
    before = policy.ratio[0]
    assert before.mean() == pytest.approx(1, abs=3 * 44**-0.5 / replicates**0.5)
    assert before.std() == pytest.approx(44**-0.5, rel=3 / (2 * replicates) ** 0.5 + 0.02)
    # 280 clicks of 200 expected, on the first variant alone.
    reward = (np.arange(n) < 280).astype(float)
    policy.update(request(n, 0.5), np.zeros(n, np.int64), reward, np.ones(n))
    after = policy.ratio[0]
    mean = (44 + 280) / (44 + 200)
    # Delta method: gamma start, Poisson(1) count of each row in clicks and in expected ones.
    variance = (44 + (280 * (1 - mean * 0.5) ** 2 + (n - 280) * (mean * 0.5) ** 2)) / 244**2
    assert after.mean() == pytest.approx(mean, abs=3 * (variance / replicates) ** 0.5 + 0.005)
    assert after.std() == pytest.approx(variance**0.5, rel=3 / (2 * replicates) ** 0.5 + 0.02)
    np.testing.assert_array_equal(
        policy.ratio[1], BootstrapBag(n_actions=M, replicates=4000, strength=44.0).ratio[1]
    )


def test_share_of_replicates_is_the_probability_of_being_the_best() -> None:
    policy, n = BootstrapBag(n_actions=M, replicates=4000, epsilon=1e-9), 800
    column = np.arange(n) % 2
    reward = ((np.arange(n) // 2 < 220) & (column == 0)) | ((np.arange(n) // 2 < 200) & (column == 1))
    policy.update(request(n, 0.5), column, reward.astype(float), np.ones(n))
    first, second = policy.ratio[:2]
    gap = (264 - 244) / 244
    p = ndtr(gap / np.sqrt(first.var() + second.var()))
    share = policy.action_probs(request(1), np.random.default_rng(0))[0, 0]
    assert share == pytest.approx(p, abs=3 * (p * (1 - p) / 4000) ** 0.5 + 0.02)


def test_a_log_cut_into_batches_anywhere_leads_to_the_same_state() -> None:
    rng, n = np.random.default_rng(1), 60
    column, reward, weight = rng.integers(2, size=n), rng.random(n), rng.choice([0.0, 0.5, 1.0], n)
    states = []
    for cuts in ([n], [1] * n, [7, 20, 33]):
        policy, start = BootstrapBag(n_actions=M, replicates=8, seed=3), 0
        for size in cuts:
            rows = slice(start, start + size)
            policy.update(request(size), column[rows], reward[rows], weight[rows])
            start += size
        states.append(policy.ratio)
    np.testing.assert_allclose(states[1], states[0], rtol=1e-13)
    np.testing.assert_allclose(states[2], states[0], rtol=1e-13)


def test_seeds_differ_and_the_same_seed_repeats() -> None:
    ratios = [BootstrapBag(n_actions=M, seed=seed).ratio for seed in (0, 0, 1)]
    np.testing.assert_array_equal(ratios[0], ratios[1])
    assert np.abs(ratios[0] - ratios[2]).min() > 0


def test_counts_are_poisson() -> None:
    np.testing.assert_allclose(TIMES[:3], np.exp(-1) * np.array([1, 2, 2.5]))
    assert TIMES[-1] == 1


@pytest.mark.parametrize("replicates", [0, 3, 6])
def test_replicates_must_fill_blocks(replicates: int) -> None:
    with pytest.raises(DataError, match=f"replicates must be a multiple of 4, got {replicates}"):
        BootstrapBag(n_actions=M, replicates=replicates)
