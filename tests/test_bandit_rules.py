"""A season with a holdout and a horizon: who gets what, what is learned from whom, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from copybandit.agents.bandit import SeasonRules, run_bandit
from copybandit.agents.bandit_run import BanditRun
from copybandit.agents.batch import Batch
from copybandit.agents.holdout import Holdout
from copybandit.agents.policies import EpsilonGreedy, LinUCB, PriorGreedy, Uniform
from copybandit.evaluation.bandit_life import plain, season_rules, surround
from copybandit.evaluation.named_policies import EPSILON
from copybandit.evaluation.season_report import compared, held_out, summary, value_others
from copybandit.evaluation.settings import BanditSettings, GuardrailSettings
from copybandit.sim.schema import read_feedback, write_feedback
from copybandit.sim.types import DataError, Floats, Ints
from tests.test_bandit import LogOddsShop

TENTH = Holdout(share=0.3, salt="x")


class Witness(EpsilonGreedy):
    """Notes what it is told."""

    def __init__(self, n_actions: int) -> None:
        super().__init__(n_actions=n_actions)
        self.told: list[tuple[Floats, Floats, float]] = []
        self.now = 0.0

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        self.now = float(batch.time.max())
        return super().action_probs(batch, rng)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        self.told.append((batch.time, reward, self.now))
        super().update(batch, column, reward, weight)


def season(rules: SeasonRules, n: int = 4_000) -> tuple[BanditRun, Witness]:
    shop = LogOddsShop(0)
    policy = Witness(len(shop.actions))
    run = run_bandit(policy, shop, n_impressions=n, batch_size=250, rng=np.random.default_rng(1), rules=rules)
    return run, policy


def test_the_held_out_get_the_control_and_teach_nothing(tmp_path: Path) -> None:
    run, policy = season(SeasonRules(holdout=TENTH, control=Uniform()))
    log = run.log
    assert log.held is not None and 0.2 < log.held.mean() < 0.4
    np.testing.assert_array_equal(log.held, TENTH.holds_index(log.shopper))
    present = log.candidates >= 0
    even = present / present.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(log.action_probs[log.held], even[log.held])
    assert (np.abs(log.action_probs - even)[~log.held].max(axis=1) > 0.1).mean() > 0.9
    assert sum(len(time) for time, _, _ in policy.told) == (~log.held).sum()
    assert sum(float(reward.sum()) for _, reward, _ in policy.told) == log.reward[~log.held].sum()
    write_feedback(log, tmp_path / "log.parquet")
    np.testing.assert_array_equal(read_feedback(tmp_path / "log.parquet").held, log.held)


def test_rewards_reach_the_policy_when_their_time_has_come() -> None:
    run, policy = season(SeasonRules(horizon_days=0.2))
    days = (run.log.timestamp - run.log.timestamp[0]) / np.timedelta64(1, "D")
    for time, _, now in policy.told:
        assert time.max() <= now - 0.2 + 1e-9
    told = np.concatenate([time for time, _, _ in policy.told])
    assert (np.diff(told) >= 0).all()
    known = days <= days[-1] - 0.2 - 1e-6
    assert len(told) == known.sum()
    assert sum(float(reward.sum()) for _, reward, _ in policy.told) == run.log.reward[known].sum()


def test_without_rules_a_season_is_what_it_was() -> None:
    one, other = season(SeasonRules())[0].log, season(SeasonRules(horizon_days=0.0))[0].log
    np.testing.assert_array_equal(one.action_probs, other.action_probs)
    assert one.held is None


def test_rules_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="horizon_days must be finite"):
        SeasonRules(horizon_days=-1.0)
    with pytest.raises(DataError, match="a holdout needs a control"):
        SeasonRules(holdout=TENTH)


def test_what_learning_is_worth_is_told_by_the_assignment() -> None:
    run, _ = season(SeasonRules(holdout=TENTH, control=Uniform()), n=20_000)
    report, held = held_out(run.log)["click"], run.log.held
    assert held is not None
    assert report["difference"] == pytest.approx(run.log.click[~held].mean() - run.log.click[held].mean())
    true = run.expected[~held].mean() - run.expected[held].mean()
    assert report["ci_low"] < true < report["ci_high"] and report["ci_low"] > 0


def test_settings_surround_a_policy_from_the_inside_out() -> None:
    def make() -> LinUCB:
        return LinUCB(n_actions=4, n_features=0)

    policy = make()
    assert surround(policy, BanditSettings(), 4) is policy
    options = BanditSettings(
        half_life_days=2.0,
        window_days=7.0,
        false_alarm=0.01,
        holdout=0.1,
        horizon_days=1.0,
        guardrails=GuardrailSettings(floor=0.05),
    )
    assert surround(make(), options, 4).name == "guarded_watchful_discounted_windowed_linucb"
    assert surround(policy, plain(options), 4) is policy
    rules = season_rules(options, 3)
    assert rules.holdout == Holdout(share=0.1, salt="season-3") and rules.horizon_days == 1.0
    assert season_rules(BanditSettings(), 3).holdout is None


def test_what_the_held_out_did_is_no_evidence_of_any_policy(tmp_path: Path) -> None:
    run, _ = season(SeasonRules(holdout=TENTH, control=Uniform()), n=20_000)
    held = run.log.held
    assert held is not None

    def told(of: BanditRun) -> list[dict[str, Any]]:
        write_feedback(of.log, tmp_path / "log.parquet")
        return value_others(of, tmp_path / "log.parquet")

    rows = told(run)
    target = PriorGreedy(epsilon=EPSILON).action_probs(run.batch(), np.random.default_rng(0))
    truth = float((target * run.truth).sum(axis=1)[~held].mean())
    for row in rows:
        assert row["n"] == (~held).sum() and row["truth"] == pytest.approx(truth)
        assert row["covered"] or row["refused"] or row["estimator"] == "dm"
    clicking = np.where(held, 1.0, run.log.click)
    assert told(replace(run, log=replace(run.log, click=clicking, reward=clicking))) == rows


def test_the_policys_figures_are_of_its_own_rows() -> None:
    run, _ = season(SeasonRules(holdout=TENTH, control=Uniform()), n=8_000)
    held = run.log.held
    assert held is not None
    report = summary(run)
    assert report["clicked"] == pytest.approx(run.log.click[~held].mean())
    assert report["ctr"] == pytest.approx(run.expected[~held].mean())
    assert report["gap_closed"] == pytest.approx(
        (run.expected - run.uniform)[~held].sum() / (run.oracle - run.uniform)[~held].sum()
    )
    assert report["gap_closed"] > run.gap_closed(), "chance closes nothing"
    assert report["holdout"]["share"] == held.mean()
    everybody = replace(run, log=replace(run.log, held=np.ones(len(held), np.bool_)))
    with pytest.raises(DataError, match="a policy needs rows of its own"):
        everybody.online()


def test_the_interval_of_the_holdout_covers_as_often_as_it_says() -> None:
    """Shoppers differ, and each comes ten times: rows are not independent."""
    run, _ = season(SeasonRules(holdout=TENTH, control=Uniform()), n=4_000)
    log, rng, n = run.log, np.random.default_rng(0), 4_000
    inside = lifts = 0
    for _ in range(300):
        taste = rng.beta(1, 3, size=400)
        shopper = rng.integers(400, size=n)
        held = (rng.random(400) < 0.3)[shopper]
        click = (rng.random(n) < taste[shopper] * np.where(held, 0.8, 1.0)).astype(np.float64)
        found = compared(click, replace(log, shopper=shopper, held=held))
        inside += found["ci_low"] < 0.05 < found["ci_high"]
        lifts += found["lift_low"] < 0.25 < found["lift_high"]
    assert 0.92 * 300 < inside < 0.98 * 300 and 0.92 * 300 < lifts < 0.98 * 300


def test_one_shopper_is_no_group() -> None:
    run, _ = season(SeasonRules(holdout=TENTH, control=Uniform()), n=1_000)
    lone = replace(run.log, held=run.log.shopper == run.log.shopper[0])
    assert np.isnan(compared(lone.click, lone)["ci_low"])
    none = replace(run.log, held=np.zeros(1_000, np.bool_))
    assert np.isnan(compared(none.click, none)["difference"])


@pytest.mark.parametrize("horizon", [0.0, 0.1])
def test_a_batch_of_held_out_shoppers_alone_teaches_nothing_and_hurts_nobody(horizon: float) -> None:
    options = BanditSettings(
        half_life_days=1.0,
        window_days=2.0,
        false_alarm=0.01,
        guardrails=GuardrailSettings(floor=0.05),
    )
    shop = LogOddsShop(0)
    policy = surround(LinUCB(n_actions=len(shop.actions), n_features=4), options, len(shop.actions))
    rules = SeasonRules(holdout=Holdout(share=0.9, salt="x"), control=Uniform(), horizon_days=horizon)
    run = run_bandit(policy, shop, n_impressions=400, batch_size=5, rng=np.random.default_rng(1), rules=rules)
    held = run.log.held
    assert held is not None and held.reshape(80, 5).all(axis=1).any()
