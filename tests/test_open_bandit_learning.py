"""A policy learned from a log: no row teaches its own fold, a gain that is there is found, and else nothing is claimed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.batch import Batch
from copybandit.agents.policies import LinUCB
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.open_bandit_learning import (
    AFFINITY,
    Judged,
    cross_fitted,
    features_of,
    judge,
    requests,
    users_of,
    verdict,
)
from copybandit.sim.open_bandit import OpenBandit, load_open_bandit
from copybandit.sim.types import DataError, Floats
from tests.slices import write_open_bandit


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> OpenBandit:
    """A uniform log of 3,000 rounds over 8 items."""
    root = write_open_bandit(tmp_path_factory.mktemp("log"), n_rounds=3_000, n_items=8, seed=0)
    return load_open_bandit(root / "random" / "men")


def with_clicks(log: OpenBandit, rate: Floats) -> OpenBandit:
    """The same rounds of a uniform policy, item i clicked at rate[i]."""
    rng, n, k = np.random.default_rng(1), len(log), len(log.items)
    item = rng.integers(k, size=n)
    click = (rng.random(n) < rate[item]).astype(float)
    return replace(log, item_id=item, click=click, propensity=np.full(n, 1 / k))


def learner(log: OpenBandit) -> LinUCB:
    return LinUCB(
        alpha=0.0,
        epsilon=0.1,
        n_actions=len(log.items),
        n_features=features_of(log).shape[1],
        state_channels=(AFFINITY,),
        residual_ridge=4.0,
    )


def judged(log: OpenBandit) -> Judged:
    return judge(log, lambda: learner(log), folds=5)


def test_a_gain_that_is_there_is_found_and_its_size_is_right(log: OpenBandit) -> None:
    rate = np.array([0.3, *[0.05] * 7])
    found = judged(with_clicks(log, rate))
    true = 0.9 * 0.3 + 0.1 * rate.mean() - rate.mean()
    assert found.gain.ci_low < true < found.gain.ci_high
    assert found.verdict.startswith("better than the logging policy: ")
    doubly = found.estimates[-1]
    assert doubly.estimator == "dr" and doubly.value - found.logged == pytest.approx(found.gain.value)


def test_where_all_items_are_alike_nothing_is_claimed(log: OpenBandit) -> None:
    found = judged(with_clicks(log, np.full(8, 0.1)))
    assert found.gain.ci_low < 0 < found.gain.ci_high
    assert found.verdict.startswith("no difference from the logging policy is shown: ")


def test_rewards_of_a_fold_do_not_reach_its_own_predictions(log: OpenBandit) -> None:
    told = with_clicks(log, np.linspace(0.05, 0.3, 8))
    fold = np.arange(len(told)) * 3 // len(told)
    other = replace(told, click=np.where(fold == 1, 1 - told.click, told.click))
    one, two = (cross_fitted(row, lambda: learner(log), fold) for row in (told, other))
    for before, after in zip(one, two, strict=True):
        np.testing.assert_array_equal(before[fold == 1], after[fold == 1])
        assert np.abs(before[fold != 1] - after[fold != 1]).max() > 0


def test_an_estimate_that_warns_supports_no_claim() -> None:
    gain = Interval(value=0.2, ci_low=0.1, ci_high=0.3)
    assert verdict(gain, ("few rows",)).startswith("no claim: the interval says better, but few rows: ")
    assert verdict(Interval(value=-0.2, ci_low=-0.3, ci_high=-0.1), ()).startswith("worse than")


def test_requests_hold_all_items_and_what_users_liked(log: OpenBandit) -> None:
    batch = requests(log, 0.1)
    assert isinstance(batch, Batch) and batch.candidates.shape == (3_000, 8)
    np.testing.assert_array_equal(batch.state[:, :, AFFINITY], log.affinity)
    np.testing.assert_allclose(features_of(log).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(users_of(log).mean(axis=0), 0, atol=1e-12)
    with pytest.raises(DataError, match=r"folds must be in \[2, 1500\], got 1"):
        judge(log, lambda: learner(log), folds=1)


def test_the_sample_of_men(data_dir: Path) -> None:
    log = load_open_bandit(data_dir / "open_bandit" / "random" / "men")
    found = judged(log)
    assert found.logged == pytest.approx(0.0046)
    doubly = found.estimates[-1]
    assert doubly.weight_sum_over_n == pytest.approx(1, abs=0.1) and doubly.n == 10_000
    assert found.gain.ci_low < 0 < found.gain.ci_high and found.verdict.startswith("no difference")
