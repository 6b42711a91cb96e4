"""One log, three readers: what a policy knew is in the log, so its season can be gone through again, to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from copybandit.agents.bandit_run import some
from copybandit.agents.relearn import logged_requests, relearn
from copybandit.evaluation.bandit_life import season_rules, surround
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.season_worth import largest_reward
from copybandit.evaluation.settings import GuardrailSettings, RewardSettings
from copybandit.evaluation.simulate import on_show, write_parquet
from copybandit.evaluation.stage_bandit import assortment, play_season, season_policy
from copybandit.sim.schema import read_feedback
from copybandit.sim.types import DataError

LIVES: dict[str, dict[str, object]] = {
    "plain": {},
    "held and late": {"holdout": 0.2, "horizon_days": 1.0},
    "sold": {"reward": RewardSettings(click=0.5, revenue=0.1), "holdout": 0.1},
    "forgetting": {"half_life_days": 2.0, "window_days": 4.0, "guardrails": GuardrailSettings(floor=0.02)},
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("name", ["linucb", "thompson", "disjoint_lints"])
def test_a_season_is_gone_through_again(name: str, life: str, fitted: Pipeline, tmp_path: Path) -> None:
    shop, world, gold = fitted.shop(), fitted.fitted().world, fitted.gold()
    options = msgspec.structs.replace(fitted.settings.bandit, n_impressions=2_000, **LIVES[life])
    shown = on_show(shop, options)
    goods = assortment(shown, gold, world)
    first, again = (season_policy(name, goods, world, shop.products, options) for _ in range(2))
    run = play_season(first, goods, gold, world, shop.products, options, seed=3)
    each = largest_reward(options.reward, tuple(shop.products[row] for row in shown.product))
    write_parquet(run, shown, shop, tmp_path, features=goods.actions, most=each)

    log, items = read_feedback(tmp_path / "log.parquet"), pq.read_table(tmp_path / "items.parquet")
    actions, most = np.array(items["features"].to_pylist()), items["most"].to_numpy()[log.item_id]
    np.testing.assert_array_equal(actions, goods.actions)
    np.testing.assert_array_equal(most, run.most)
    probs = relearn(
        surround(again, options, len(actions)),
        log,
        actions,
        batch_size=options.batch_size,
        rng=np.random.default_rng([3, 6]),
        most=most,
        rules=season_rules(options, 3),
    )
    np.testing.assert_array_equal(probs, log.action_probs)
    own = log if log.held is None else some(log, ~log.held)
    assert (rows_of_log(own, probs if log.held is None else probs[~log.held]).weight == 1).all()
    told, learned = first.get_state(), again.get_state()
    assert told.keys() == learned.keys() and told
    for key in told:
        np.testing.assert_array_equal(told[key], learned[key])
    fresh = season_policy(name, goods, world, shop.products, options).get_state()
    assert any((np.asarray(fresh[key]) != np.asarray(told[key])).any() for key in told), "it learned nothing"


def test_a_log_without_what_the_policy_knew_is_refused(fitted: Pipeline) -> None:
    shop, world = fitted.shop(), fitted.fitted().world
    options = msgspec.structs.replace(fitted.settings.bandit, n_impressions=300)
    goods = assortment(on_show(shop, options), fitted.gold(), world)
    policy = season_policy("uniform", goods, world, shop.products, options)
    run = play_season(policy, goods, fitted.gold(), world, shop.products, options, seed=1)
    with pytest.raises(DataError, match="context and state must be there"):
        logged_requests(replace(run.log, context=None), goods.actions)
    with pytest.raises(DataError, match="candidates must be in"):
        logged_requests(run.log, goods.actions[:5])
    for wrong in ({"batch_size": 0}, {"batch_size": 5, "most": np.ones(2)}):
        with pytest.raises(DataError, match="relearn: batch_size must be at least 1"):
            relearn(policy, run.log, goods.actions, rng=np.random.default_rng(0), **wrong)
