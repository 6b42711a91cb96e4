"""The online week: policies choose among approved variants in the gold world; other policies are valued from the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from msgspec import structs

from copybandit.agents.bandit import BanditRun, run_bandit
from copybandit.agents.stateful import Lasting
from copybandit.evaluation.approve import Approved
from copybandit.evaluation.bandit_life import plain, season_rules, surround
from copybandit.evaluation.feedback_logs import write_items
from copybandit.evaluation.named_policies import SHARED_SD, named_policy
from copybandit.evaluation.season_report import summary, value_others
from copybandit.evaluation.season_worth import click_worth, counts_clicks, largest_reward, season_reward
from copybandit.evaluation.sensitivity import season_sensitivity
from copybandit.evaluation.settings import BanditSettings, PolicyName
from copybandit.sim.encoders import Style
from copybandit.sim.schema import write_feedback
from copybandit.sim.shop import Assortment, Shop
from copybandit.sim.types import Floats, Product
from copybandit.sim.world import World

DOUBT_COLUMNS, STYLE_COLUMNS = 20, 6
COMPARED = ("uniform", "explore_then_commit", "thompson", "linucb")
"""Policies that every report has beside the named one."""


def assortment(approved: Approved, gold: World, fitted: World) -> Assortment:
    """Encode the variants in both worlds and give policies at most 28 features of them.

    The first are the directions in which the fitted wording is in doubt, so large that a coefficient of standard deviation
    `SHARED_SD` is the fit's own posterior; the others let whole styles and writers be better than it thinks.
    """
    belief = fitted.encode(approved.texts, approved.product)
    style = _principal(Style.fit(approved.texts).encode(approved.texts), STYLE_COLUMNS)
    writer = np.stack([approved.writer == 0, approved.writer == 2], axis=1).astype(np.float64)
    others = np.hstack([style, writer])
    deviation = others.std(axis=0)
    others = (others - others.mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1.0)
    return Assortment(
        products=approved.products,
        variants=approved.table,
        truth=gold.encode(approved.texts, approved.product),
        belief=belief,
        actions=np.hstack([doubt_directions(belief.wording, DOUBT_COLUMNS) / SHARED_SD, others]),
    )


def doubt_directions(members: Floats, k: int) -> Floats:
    """Columns a whose products a a' come closest to the ensemble's covariance between texts, shape (m, min(k, members)).

    Args:
        members: shape (members, m), scores of m texts.
        k: at most so many columns, largest doubt first.
    """
    spread = (members - members.mean(axis=0)).T / np.sqrt(len(members))
    left, size, _ = np.linalg.svd(spread, full_matrices=False)
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    return np.asarray((left * signs * size)[:, :k])


def _principal(x: Floats, k: int) -> Floats:
    """The first k principal components, signs fixed, shape (n, min(k, d))."""
    centred = x - x.mean(axis=0)
    _, _, right = np.linalg.svd(centred, full_matrices=False)
    right = right[:k]
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    return np.asarray(centred @ (right * signs[:, None]).T)


def season_policy(
    name: str, goods: Assortment, fitted: World, catalogue: tuple[Product, ...], options: BanditSettings
) -> Lasting:
    """The policy of a name, before a season of these options."""
    worth = click_worth(options.reward, goods, fitted, catalogue)
    return named_policy(
        name, goods, fitted, options.n_impressions, worth=worth, hashed_crosses=options.hashed_crosses
    )


def play_season(
    policy: Lasting,
    goods: Assortment,
    gold: World,
    fitted: World,
    catalogue: tuple[Product, ...],
    options: BanditSettings,
    seed: int,
    on_step: Callable[[int, int], None] | None = None,
) -> BanditRun:
    """One policy's season, with the reward, forgetting, guardrails, holdout and horizon of the options.

    The policy is changed; its truth is ``gold``, its belief ``fitted``. ``seed`` is that of visits, responses and choices;
    ``on_step`` is called with impressions done and in all after each batch.
    """
    n = options.n_impressions
    season = Shop(gold, fitted, goods, catalogue, seed=seed, n_impressions=n, days=options.days)
    return run_bandit(
        surround(policy, options, len(goods.actions)),
        season,
        n_impressions=n,
        batch_size=min(options.batch_size, len(gold.taste.shoppers)),
        rng=np.random.default_rng([seed, 6]),
        reward=season_reward(options.reward, season),
        rules=season_rules(options, seed),
        on_step=on_step,
    )


def play(
    approved: Approved,
    gold: World,
    fitted: World,
    catalogue: tuple[Product, ...],
    settings: BanditSettings,
    seed: int,
    stage: Path,
    on_step: Callable[[int, int], None],
) -> dict[str, Any]:
    """Run every policy over one season, write logs and their items, and report; the named policy also without template."""
    goods = assortment(approved, gold, fitted)
    most = largest_reward(settings.reward, tuple(catalogue[row] for row in approved.product))
    write_items(stage, approved.texts, approved.product, catalogue, features=goods.actions, most=most)

    def run(name: str, shown: Assortment, world: World = gold) -> BanditRun:
        options = settings if name == settings.policy else plain(settings)
        policy = season_policy(name, shown, fitted, catalogue, options)
        return play_season(policy, shown, world, fitted, catalogue, options, seed, on_step)

    report, ope_rows = _compare(settings, lambda name: run(name, goods), stage)
    bare = run(settings.policy, _without_template(goods, approved))
    report["without_template"] = {"policies": {settings.policy: summary(bare)}}
    report["variants"] = len(approved.texts)
    report["likeness"] = approved.likeness()
    report["near_duplicates"] = approved.near_duplicates
    reached = report["policies"][settings.policy]["gap_closed"]
    tried = season_sensitivity(
        gold, lambda world: run(settings.policy, goods, world).online().gap_closed(), reached
    )
    return {"bandit": report, "ope": {"rows": ope_rows}, "sensitivity": [asdict(row) for row in tried]}


def _compare(
    settings: BanditSettings, run: Callable[[str], BanditRun], stage: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The season of each policy that is compared, and what the logs of two of them say of another policy."""
    clicks, rows = counts_clicks(settings.reward), list[dict[str, Any]]()
    report: dict[str, Any] = {
        "policy": settings.policy,
        "impressions": settings.n_impressions,
        "reward": structs.asdict(settings.reward),
        "policies": {},
    }
    for name in get_args(PolicyName):
        if name not in (*COMPARED, settings.policy):
            continue
        done = run(name)
        report["policies"][name] = summary(done)
        if name in ("uniform", settings.policy):
            path = stage / f"log-{name}.parquet"
            write_feedback(done.log, path)
            rows += value_others(done, path)
        if name == "uniform":
            ends = {"uniform": float(done.uniform.mean()), "oracle": float(done.oracle.mean())}
            report |= {f"{end}_{'ctr' if clicks else 'reward'}": mean for end, mean in ends.items()}
    return report, rows


def _without_template(goods: Assortment, approved: Approved) -> Assortment:
    """The same without the template's copy, and without products that have no other: all of theirs was refused."""
    template = (approved.table >= 0) & (approved.writer[approved.table] == 0)
    others = np.where(template, -1, goods.variants)
    left = (others >= 0).any(axis=1)
    return replace(goods, products=goods.products[left], variants=others[left])
