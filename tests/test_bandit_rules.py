"""A season with a holdout and a horizon: who gets what, what is learned from whom, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.bandit import SeasonRules, run_bandit
from copybandit.agents.bandit_run import BanditRun
from copybandit.agents.batch import Batch
from copybandit.agents.holdout import Holdout
from copybandit.agents.policies import EpsilonGreedy, LinUCB, Uniform
from copybandit.evaluation.bandit_life import plain, season_rules, surround
from copybandit.evaluation.settings import BanditSettings, GuardrailSettings
from copybandit.evaluation.stage_bandit import held_out
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
    report, held = held_out(run), run.log.held
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
