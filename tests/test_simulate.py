"""`copybandit simulate`: a policy's season as a log, with exact propensities and the truth beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from copybandit.agents.policies import Uniform
from copybandit.agents.policy_files import load_policy, read_manifest, save_policy
from copybandit.agents.windowed import Windowed
from copybandit.cli.run_command import Request
from copybandit.cli.simulate_command import simulate as command
from copybandit.evaluation.carried_policy import CarriedPolicy
from copybandit.evaluation.named_policies import policies
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.season_worth import click_worth
from copybandit.evaluation.settings import PolicyName, RewardSettings
from copybandit.evaluation.simulate import CAMPAIGN, on_show, simulate
from copybandit.evaluation.stage_bandit import COMPARED, assortment, play_season, season_policy
from copybandit.sim.open_bandit import load_open_bandit
from copybandit.sim.schema import read_feedback
from copybandit.sim.types import DataError
from tests.small_run import SMALL, small_pipeline


def season(fitted: Pipeline, policy: str | None, form: str) -> Path:
    return simulate(fitted.folder, policy, form, Silent())


def test_the_log_comes_in_both_forms(fitted: Pipeline) -> None:
    table, campaign = season(fitted, "uniform", "parquet"), season(fitted, "uniform", "open-bandit")
    log, loaded = read_feedback(table / "log.parquet"), load_open_bandit(campaign / "uniform" / CAMPAIGN)
    assert len(log) == len(loaded) == 7_000 and log.policy == loaded.policy == "uniform"
    for name in ("timestamp", "item_id", "position", "click", "propensity"):
        np.testing.assert_array_equal(getattr(log, name), getattr(loaded, name))
    present = (log.candidates >= 0).sum(axis=1)
    np.testing.assert_allclose(log.propensity, 1 / present)
    assert len(loaded.user_levels) == 4 and loaded.items.codes.shape == (len(loaded.items), 3)
    segment = fitted.fitted().label[log.shopper]
    assert [loaded.user_levels[0][code] for code in loaded.user_features[:, 0]] == [
        f"segment-{i}" for i in segment
    ]
    items = pq.read_table(table / "items.parquet").to_pydict()
    owner = np.array([product.product_id for product in fitted.shop().products])
    assert (np.array(items["product_id"])[log.item_id] == owner[log.product]).all()
    texts = pd.read_csv(campaign / "uniform" / CAMPAIGN / "item_text.csv", index_col=0)["text"].tolist()
    assert texts == items["text"] and set(texts) <= set(fitted.shop().sample.texts)


def test_expected_rewards_are_the_truth(fitted: Pipeline) -> None:
    table, campaign = season(fitted, "uniform", "parquet"), season(fitted, "uniform", "open-bandit")
    log, truth = read_feedback(table / "log.parquet"), pq.read_table(table / "expected_reward.parquet")
    each, shown = np.array(truth["expected_reward_each"].to_pylist()), truth["expected_reward"].to_numpy()
    np.testing.assert_array_equal(shown, each[np.arange(len(log)), log.action])
    np.testing.assert_array_equal(each.max(axis=1), truth["expected_reward_best"].to_numpy())
    # Clicks come as often as expected, and the best candidate beats a uniform choice.
    sd = np.sqrt((shown * (1 - shown)).sum())
    assert abs(log.click.sum() - shown.sum()) < 4 * sd
    assert truth["expected_reward_best"].to_numpy().mean() > 1.1 * shown.mean()
    told = pd.read_csv(campaign / "uniform" / CAMPAIGN / "expected_reward.csv", index_col=0)
    np.testing.assert_array_equal(told["expected_reward"], shown)


def test_every_policy_that_can_be_named_plays_a_season(fitted: Pipeline) -> None:
    shop, world, gold = fitted.shop(), fitted.fitted().world, fitted.gold()
    options = msgspec.structs.replace(fitted.settings.bandit, n_impressions=1000)
    goods = assortment(on_show(shop, options), gold, world)
    named = {policy.name: policy for policy in policies(goods, world, 1000, hashed_crosses=16)}
    assert tuple(named) == get_args(PolicyName) and set(COMPARED) <= set(named)
    crossed = [name for name, policy in named.items() if policy.settings().get("hashed_crosses") == 16]
    assert crossed == ["linucb", "softmax", "squarecb", "lints", "logistic_thompson"]
    for name, policy in named.items():
        run = play_season(policy, goods, gold, world, shop.products, options, seed=1)
        present = (run.log.candidates >= 0).sum(axis=1)
        assert run.policy == name and len(run.log) == 1000
        assert (run.log.propensity >= 0.05 / present - 1e-12).all()


@pytest.mark.parametrize("weights", [{"purchase": 1.0}, {"revenue": 1.0}, {"click": 1.0, "purchase": 20.0}])
def test_every_policy_takes_every_reward(fitted: Pipeline, weights: dict[str, float]) -> None:
    shop, world, gold = fitted.shop(), fitted.fitted().world, fitted.gold()
    options = msgspec.structs.replace(
        fitted.settings.bandit, n_impressions=600, reward=RewardSettings(**weights)
    )
    goods = assortment(on_show(shop, options), gold, world)
    worth = click_worth(options.reward, goods, world, shop.products)
    assert worth.shape == (len(goods.actions),) and ((worth > 0) & (worth < 1)).all()
    for name in get_args(PolicyName):
        policy = season_policy(name, goods, world, shop.products, options)
        run = play_season(policy, goods, gold, world, shop.products, options, seed=1)
        log, zero = run.log, RewardSettings()
        weight = msgspec.structs.replace(zero, **weights)
        earned = weight.click * log.click + weight.purchase * log.conversion + weight.revenue * log.value
        np.testing.assert_allclose(log.reward, earned)
        believed = (run.prior[run.truth > 0]).mean()
        assert run.policy == name and believed < 0.014, "a purchase is rarer than a click"


def test_a_click_is_worth_one_where_clicks_count(fitted: Pipeline) -> None:
    shop, world = fitted.shop(), fitted.fitted().world
    goods = assortment(on_show(shop, fitted.settings.bandit), fitted.gold(), world)
    assert (click_worth(RewardSettings(click=1.0), goods, world, shop.products) == 1).all()
    # An impression believed to sell as it clicks: E[R] / most of the requests, averaged, is near what counting starts from.
    weights = RewardSettings(purchase=1.0)
    options = msgspec.structs.replace(fitted.settings.bandit, reward=weights)
    policy = season_policy("uniform", goods, world, shop.products, options)
    run = play_season(policy, goods, fitted.gold(), world, shop.products, options, seed=1)
    told = run.prior[np.arange(len(run.log)), run.log.action].mean()
    started = (
        world.mean_click(np.arange(0, 600, 2), goods.belief)
        * click_worth(weights, goods, world, shop.products)
    )[run.log.item_id].mean()
    assert 0.5 < told / started < 2


def test_a_campaign_holds_the_policys_own_rows_and_clicks_alone(tmp_path: Path) -> None:
    pipeline = small_pipeline(tmp_path / "held", **{"bandit.holdout": 0.3, "bandit.n_impressions": 1_400})
    for name in ("data", "fit"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    log = read_feedback(season(pipeline, "linucb", "parquet") / "log.parquet")
    assert log.held is not None and 0 < log.held.sum() < 1_400
    loaded = load_open_bandit(season(pipeline, "linucb", "open-bandit") / "linucb" / CAMPAIGN)
    np.testing.assert_array_equal(loaded.propensity, log.propensity[~log.held])
    np.testing.assert_array_equal(loaded.click, log.click[~log.held])
    with pytest.raises(DataError, match=r"bandit.reward must be \{click: 1\}, got 1 per purchase"):
        simulate(
            small_pipeline(tmp_path / "a", **{"bandit.reward": {"purchase": 1}}).folder,
            None,
            "open-bandit",
            Silent(),
        )


def test_a_learning_policy_has_propensities_of_its_own_and_is_repeatable(
    fitted: Pipeline, tmp_path: Path
) -> None:
    path = season(fitted, None, "parquet") / "log.parquet"
    log = read_feedback(path)
    assert log.policy == "linucb" and len(np.unique(log.propensity.round(6))) > 1
    np.testing.assert_allclose(log.action_probs.sum(axis=1), 1)
    content = path.read_bytes()
    path.parent.rename(tmp_path / "before")
    assert (season(fitted, "linucb", "parquet") / "log.parquet").read_bytes() == content


@pytest.mark.parametrize(
    ("policy", "form", "rule"),
    [
        ("greedy", "parquet", "policy must be one of uniform, "),
        (None, "csv", "format must be one of parquet, open-"),
    ],
)
def test_unknown_choices_are_refused(
    policy: str | None, form: str, rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(Request(out=tmp_path / "a"), policy, form)
    assert caught.value.code == 2 and rule in capsys.readouterr().err and not (tmp_path / "a").exists()


def test_the_command_makes_a_folder_and_goes_on_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smaller: dict[str, Any] = {**SMALL, "bandit.n_impressions": 700}
    sets = tuple(f"{key}={value}" for key, value in smaller.items())
    command(Request(out=tmp_path / "a", sets=sets), "thompson", "parquet")
    fit = (tmp_path / "a" / "stages" / "fit" / "timing.json").read_bytes()
    command(Request(out=tmp_path / "a", resume=True), "uniform", "open-bandit")
    assert (tmp_path / "a" / "stages" / "fit" / "timing.json").read_bytes() == fit
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"log: {tmp_path / 'a' / 'stages' / name}"
        for name in ("simulate-thompson-parquet", "simulate-uniform-open-bandit")
    ]
    assert len(load_open_bandit(Path(lines[1][5:]) / "uniform" / CAMPAIGN)) == 700


def test_a_policy_goes_on_from_where_it_was_kept(fitted: Pipeline, tmp_path: Path) -> None:
    kept, later = tmp_path / "first", tmp_path / "second"
    first = CarriedPolicy(save=kept, now=datetime(2026, 1, 8, tzinfo=UTC))
    log = simulate(fitted.folder, "lints", "parquet", Silent(), first)
    manifest = read_manifest(kept)
    assert (manifest.policy, manifest.lineage.rows) == ("lints", 7_000)
    second = CarriedPolicy(start=kept, save=later, now=datetime(2026, 1, 15, tzinfo=UTC))
    again = simulate(fitted.folder, None, "parquet", Silent(), second)
    told = read_manifest(later).lineage
    assert told.rows == 14_000 and told.parent == manifest.sha256 and again != log
    # The same season, but from its first row on by what was learned in the one before.
    before, after = (read_feedback(path / "log.parquet") for path in (log, again))
    np.testing.assert_array_equal(before.candidates[:100], after.candidates[:100])
    assert np.abs(before.action_probs[:100] - after.action_probs[:100]).max() > 0.01
    learned, fresh = load_policy(later).get_state(), load_policy(kept).get_state()
    assert (learned["each"][:, -2] >= fresh["each"][:, -2]).all()
    with pytest.raises(DataError, match="policy must be lints, that of"):
        simulate(fitted.folder, "linucb", "parquet", Silent(), second)


def test_a_checkpoint_of_what_is_around_a_policy_is_not_taken_up(tmp_path: Path) -> None:
    around, now = Windowed(Uniform(), days=2.0), datetime(2026, 1, 8, tzinfo=UTC)
    save_policy(around, tmp_path, rows=0, created=now)
    with pytest.raises(
        DataError, match=r"policy must be one that settings can name, got windowed of .*; save"
    ):
        CarriedPolicy(start=tmp_path, now=now).name(None)


def test_the_readme_names_every_policy_that_can_be_named() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert [name for name in get_args(PolicyName) if f"`{name}`" not in readme] == []
