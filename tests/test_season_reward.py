"""What a season earns: clicks, purchases and revenue as they were weighed, and policies that go after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.bandit import BanditRun, run_bandit
from copybandit.agents.policies import LinUCB, PriorGreedy, Uniform
from copybandit.agents.reward_formula import CLICKS, RewardFormula, RewardTerm
from copybandit.agents.season_reward import SeasonReward
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.evaluation.season_report import value_others
from copybandit.sim.schema import write_feedback
from copybandit.sim.types import DataError
from tests.test_bandit import LogOddsShop


def formula(**weights: float) -> RewardFormula:
    return RewardFormula(terms=tuple(RewardTerm(kind=kind, weight=w) for kind, w in weights.items()))


def season(told: RewardFormula, *, n: int = 20_000, epsilon: float = 0.1, uniform: bool = False) -> BanditRun:
    shop = LogOddsShop(3)
    learner = LinUCB(n_actions=len(shop.actions), n_features=shop.n_features, ridge=20, epsilon=epsilon)
    return run_bandit(
        Uniform() if uniform else learner,
        shop,
        n_impressions=n,
        batch_size=250,
        rng=np.random.default_rng(4),
        reward=SeasonReward(formula=told, till=shop),
    )


@settings(max_examples=15)
@given(st.floats(0, 3), st.floats(0.1, 3), st.floats(0, 3))
def test_an_impression_earns_what_its_events_are_worth(click: float, purchase: float, revenue: float) -> None:
    run = season(formula(click=click, purchase=purchase, revenue=revenue), n=500)
    log = run.log
    worth = click * log.click + purchase * log.conversion + revenue * log.value
    np.testing.assert_allclose(log.reward, worth, rtol=1e-12)
    assert (run.log.reward <= run.most).all() and (run.oracle <= run.most).all()
    shown = run.prior[np.arange(len(log)), log.action]
    assert ((shown > 0) & (shown < 1)).all()


@pytest.mark.parametrize("weights", [{"purchase": 1.0}, {"revenue": 1.0}, {"click": 0.5, "purchase": 2.0}])
def test_the_truth_is_what_impressions_earn_on_average(weights: dict[str, float]) -> None:
    run = season(formula(**weights), uniform=True)
    gain = run.log.reward - run.expected
    assert abs(gain.mean()) < 4 * gain.std() / np.sqrt(len(gain))
    assert abs(run.uniform.mean() - run.expected.mean()) < 4 * run.expected.std() / np.sqrt(len(gain))


def test_who_goes_after_purchases_gets_more_of_them_where_clicks_mislead() -> None:
    runs = season(CLICKS), season(CLICKS, uniform=True), season(formula(purchase=1.0))
    shop = LogOddsShop(3)
    shown = [replace(shop.visits(0, 1), candidates=run.log.item_id[:, None].astype(np.int32)) for run in runs]
    bought = [
        float((run.expected_click * shop.purchase(visits)[:, 0]).mean())
        for run, visits in zip(runs, shown, strict=True)
    ]
    assert bought[2] == pytest.approx(float(runs[2].expected.mean()))
    assert bought[2] > 1.02 * bought[1] and bought[1] > 1.02 * bought[0]
    clicked = [float(run.expected_click.mean()) for run in runs]
    assert clicked[0] > clicked[1] > clicked[2]


def test_the_unit_of_the_reward_changes_no_choice() -> None:
    one, other = season(formula(purchase=1.0), n=3_000), season(formula(purchase=8.0), n=3_000)
    np.testing.assert_array_equal(one.log.action_probs, other.log.action_probs)
    np.testing.assert_array_equal(8 * one.log.reward, other.log.reward)
    # A price is the same for all candidates of a request.
    money = season(formula(revenue=1.0), n=3_000)
    np.testing.assert_array_equal(one.log.action_probs, money.log.action_probs)


def test_another_policys_revenue_is_told_from_the_log() -> None:
    run = season(formula(revenue=1.0), epsilon=0.5)
    target = PriorGreedy().action_probs(run.batch(), np.random.default_rng(0))
    truth = run.policy_value(target)
    rows = rows_of_log(run.log, target, cross_fit_scale(run.prior * run.most[:, None], run.log))
    found = evaluate(rows, USUAL, refuse=False)
    for estimate in (found[0], found[1], found[3]):
        assert abs(estimate.value - truth) < 3 * estimate.std_err, estimate


def test_estimates_know_no_unit(tmp_path: Path) -> None:
    def values(weight: float) -> list[float]:
        run = season(formula(click=weight, purchase=weight), n=60_000)
        write_feedback(run.log, tmp_path / "log.parquet")
        return [row["value"] / weight for row in value_others(run, tmp_path / "log.parquet")]

    np.testing.assert_allclose(values(2.0**-20), values(1.0), rtol=1e-9)


@pytest.mark.parametrize(
    "told",
    [
        formula(click=1.0, purchase=-0.1),
        formula(click=0.0),
        formula(click=1.0, **{"return": 1.0}),
        RewardFormula(terms=CLICKS.terms, aggregation="first"),
        RewardFormula(terms=CLICKS.terms, default=0.5),
    ],
)
def test_what_no_season_can_tell_is_refused(told: RewardFormula) -> None:
    with pytest.raises(
        DataError, match="reward must be a sum over click, purchase, revenue with weights >= 0"
    ):
        SeasonReward(formula=told, till=LogOddsShop(0))


def test_purchases_need_a_till() -> None:
    with pytest.raises(DataError, match="needs a till"):
        SeasonReward(formula=formula(purchase=1.0))
