"""Every estimator on a season of our own shop, whose truth the simulator knows."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.agents.bandit import BanditRun, run_bandit
from copybandit.agents.policies import LinUCB, PriorGreedy
from copybandit.evaluation.ope_crossfit import Ridge, cross_fit, cross_fit_scale, folds_by
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import (
    DR,
    IPS,
    KERNEL,
    MIPS,
    SNDR,
    SNIPS,
    clipped,
    dr_os,
    switch_dr,
)
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.evaluation.ope_tuning import tune, tune_rows
from copybandit.evaluation.ope_weights import embedded_rows, kernel_rows
from copybandit.sim.shop import Assortment
from copybandit.sim.types import Floats
from tests.small_world import small_assortment, small_shop, small_world

N = 20_000


@pytest.fixture(scope="module")
def goods() -> Assortment:
    return small_assortment(small_world())


@pytest.fixture(scope="module")
def season(goods: Assortment) -> BanditRun:
    """A learning policy's log."""
    shop = small_shop(small_world(), goods, seed=3, n_impressions=N)
    policy = LinUCB(n_actions=len(goods.actions), n_features=goods.actions.shape[1], epsilon=0.3)
    return run_bandit(policy, shop, n_impressions=N, batch_size=200, rng=np.random.default_rng(4))


@pytest.fixture(scope="module")
def target(season: BanditRun) -> Floats:
    return PriorGreedy(epsilon=0.2).action_probs(season.batch(), np.random.default_rng(0))


def test_unshrunk_estimators_find_the_truth(season: BanditRun, target: Floats) -> None:
    truth = season.policy_value(target)
    rows = rows_of_log(season.log, target, cross_fit_scale(season.prior, season.log))
    for found in evaluate(rows, (IPS, SNIPS, DR, SNDR)):
        assert not found.findings and abs(found.value - truth) < 3 * found.std_err, found


def test_a_model_learned_from_the_log_keeps_the_truth(
    season: BanditRun, goods: Assortment, target: Floats
) -> None:
    log = season.log
    actions, n = goods.actions, len(season.log)
    # A variant stands for itself: the context is nothing, the actions are all variants; pick each round's own.
    q_all = cross_fit(
        np.empty((n, 0)),
        actions,
        log.item_id,
        log.reward,
        folds_by(log.shopper, 3, np.random.default_rng(0)),
        Ridge(),
    )
    q = np.take_along_axis(q_all, np.maximum(log.candidates, 0), axis=1)
    (found,) = evaluate(rows_of_log(log, target, q), [DR])
    assert abs(found.value - season.policy_value(target)) < 3 * found.std_err


def test_tuned_ones_are_no_wider_and_stay_near(season: BanditRun, target: Floats) -> None:
    truth = season.policy_value(target)
    rows = rows_of_log(season.log, target, cross_fit_scale(season.prior, season.log))
    ips, dr = evaluate(rows, (IPS, DR))
    for family, plain in ((clipped, ips), (switch_dr, dr), (dr_os, dr)):
        found = tune(rows, family).estimate
        assert found.std_err <= plain.std_err * (1 + 1e-9)
        assert abs(found.value - truth) < 3 * plain.std_err


def test_weights_over_copy_are_narrower_and_near(
    season: BanditRun, goods: Assortment, target: Floats
) -> None:
    truth, log = season.policy_value(target), season.log
    (ips,) = evaluate(rows_of_log(log, target), [IPS])
    spread = float(np.sqrt(goods.actions.var(axis=0).sum()))
    kernel = tune_rows(
        lambda width: kernel_rows(log, target, goods.actions, width),
        KERNEL,
        [0.01 * spread, 0.3 * spread, spread],
    ).estimate
    # Copies whose first feature is on one side of its median are one category.
    category = (goods.actions[:, 0] > np.median(goods.actions[:, 0])).astype(np.int64)
    (mips,) = evaluate(embedded_rows(log, target, category), [MIPS])
    for found in (kernel, mips):
        assert found.std_err <= ips.std_err * (1 + 1e-9) and found.weight_sum_over_n == pytest.approx(
            1, abs=0.05
        )
        assert abs(found.value - truth) < 3 * ips.std_err, found
