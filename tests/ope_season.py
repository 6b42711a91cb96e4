"""A season with a holdout in a small shop, logged, and policies kept from another season of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from copybandit.agents.bandit import BanditRun
from copybandit.agents.policy_files import save_policy
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.season_worth import largest_reward
from copybandit.evaluation.simulate import on_show, write_parquet
from copybandit.evaluation.stage_bandit import assortment, play_season, season_policy
from copybandit.sim.types import Floats

ROWS, NOW = 60_000, datetime(2026, 1, 8, tzinfo=UTC)
KEPT = ("linucb", "thompson", "disjoint_lints")


@dataclass(frozen=True, kw_only=True)
class Season:
    """Where a season's log lies, what happened, and where the policies are."""

    folder: Path
    run: BanditRun
    actions: Floats
    kept: dict[str, Path]


def play(fitted: Pipeline, out: Path) -> Season:
    """Chance chooses for all; a tenth of the shoppers is held out."""
    shop, world, gold = fitted.shop(), fitted.fitted().world, fitted.gold()
    options = msgspec.structs.replace(fitted.settings.bandit, n_impressions=ROWS, holdout=0.1)
    shown = on_show(shop, options)
    goods = assortment(shown, gold, world)
    kept: dict[str, Path] = {}
    for name in KEPT:
        policy = season_policy(name, goods, world, shop.products, options)
        before = msgspec.structs.replace(options, n_impressions=6_000, holdout=0.0)
        play_season(policy, goods, gold, world, shop.products, before, seed=8)
        kept[name] = out / name
        save_policy(policy, kept[name], rows=6_000, created=NOW)
    chance = season_policy("uniform", goods, world, shop.products, options)
    run = play_season(chance, goods, gold, world, shop.products, options, seed=9)
    folder = out / "season"
    folder.mkdir()
    most = largest_reward(options.reward, tuple(shop.products[row] for row in shown.product))
    write_parquet(run, shown, shop, folder, features=goods.actions, most=most)
    return Season(folder=folder, run=run, actions=np.asarray(goods.actions), kept=kept)
