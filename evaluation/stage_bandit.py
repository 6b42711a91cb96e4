"""The online week: policies choose among approved variants in the gold world; other policies are valued from the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.agents.bandit import BanditRun, run_bandit
from copybandit.agents.forgetful import Forgetful
from copybandit.agents.policies import PriorGreedy
from copybandit.evaluation.approve import Approved
from copybandit.evaluation.bandit_life import plain, season_rules, surround
from copybandit.evaluation.feedback_logs import write_items
from copybandit.evaluation.named_policies import EPSILON, SHARED_SD, named_policy, policies
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import Estimate, evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.evaluation.sensitivity import season_sensitivity
from copybandit.evaluation.settings import BanditSettings
from copybandit.sim.encoders import Style
from copybandit.sim.schema import read_feedback, write_feedback
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


def play_season(
    policy: Forgetful,
    goods: Assortment,
    gold: World,
    fitted: World,
    catalogue: tuple[Product, ...],
    options: BanditSettings,
    seed: int,
    on_step: Callable[[int, int], None] | None = None,
) -> BanditRun:
    """One policy's season, with the forgetting, guardrails, holdout and horizon of the options.

    Args:
        policy: chooses and learns; it is changed.
        goods: what is on show.
        gold: the truth.
        fitted: the belief.
        catalogue: gives the prices.
        options: impressions, days and batch size, and what surrounds the policy.
        seed: of visits, responses and choices.
        on_step: called with impressions done and in all after each batch.
    """
    season = Shop(
        gold, fitted, goods, catalogue, seed=seed, n_impressions=options.n_impressions, days=options.days
    )
    return run_bandit(
        surround(policy, options, len(goods.actions)),
        season,
        n_impressions=options.n_impressions,
        batch_size=min(options.batch_size, len(gold.taste.shoppers)),
        rng=np.random.default_rng([seed, 6]),
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
    write_items(stage, approved.texts, approved.product, catalogue)

    def run(policy: Forgetful, shown: Assortment, world: World = gold) -> BanditRun:
        options = settings if policy.name == settings.policy else plain(settings)
        return play_season(policy, shown, world, fitted, catalogue, options, seed, on_step)

    def named(shown: Assortment) -> Forgetful:
        return named_policy(settings.policy, shown, fitted, settings.n_impressions)

    report: dict[str, Any] = {
        "policy": settings.policy,
        "impressions": settings.n_impressions,
        "policies": {},
    }
    ope_rows: list[dict[str, Any]] = []
    for policy in policies(goods, fitted, settings.n_impressions):
        if policy.name not in (*COMPARED, settings.policy):
            continue
        done = run(policy, goods)
        report["policies"][policy.name] = summary(done)
        if policy.name in ("uniform", settings.policy):
            path = stage / f"log-{policy.name}.parquet"
            write_feedback(done.log, path)
            ope_rows += value_others(done, path)
        if policy.name == "uniform":
            report["uniform_ctr"] = float(done.uniform.mean())
            report["oracle_ctr"] = float(done.oracle.mean())
    bare = _without_template(goods, approved)
    report["without_template"] = {"policies": {settings.policy: summary(run(named(bare), bare))}}
    report["variants"] = len(approved.texts)
    report["likeness"] = approved.likeness()
    report["near_duplicates"] = approved.near_duplicates
    reached = report["policies"][settings.policy]["gap_closed"]
    tried = season_sensitivity(gold, lambda world: run(named(goods), goods, world).gap_closed(), reached)
    return {"bandit": report, "ope": {"rows": ope_rows}, "sensitivity": [asdict(row) for row in tried]}


def _without_template(goods: Assortment, approved: Approved) -> Assortment:
    """The same without the template's copy, and without products that have no other: all of theirs was refused."""
    template = (approved.table >= 0) & (approved.writer[approved.table] == 0)
    others = np.where(template, -1, goods.variants)
    left = (others >= 0).any(axis=1)
    return replace(goods, products=goods.products[left], variants=others[left])


def summary(done: BanditRun) -> dict[str, Any]:
    """What the report shows of one policy's season."""
    daily, curve = done.daily(), done.regret_curve(60)
    report = {
        "ctr": float(done.expected.mean()),
        "clicked": float(done.log.click.mean()),
        "gap_closed": done.gap_closed(),
        "gap_closed_day7": done.gap_closed_day(int(daily.day.max())),
        "gap_closed_by_day": daily.gap_closed.tolist(),
        "regret": curve.regret.tolist(),
        "regret_at": curve.impressions.tolist(),
    }
    return report if done.log.held is None else report | {"holdout": held_out(done)}


def held_out(done: BanditRun) -> dict[str, float]:
    """Clicks of the held out against the others', by assignment and without weights; 95% interval of the difference.

    Impressions of one shopper are taken together: the variance is that of the shoppers' mean residuals.
    """
    held, click = done.log.held, done.log.click
    assert held is not None
    rate = [float(click[rows].mean()) if rows.any() else float("nan") for rows in (~held, held)]
    variance = 0.0
    for rows, mean in zip((~held, held), rate, strict=True):
        residual = np.bincount(done.log.shopper[rows], click[rows] - mean)
        variance += float(np.square(residual).sum()) / max(int(rows.sum()), 1) ** 2
    lift, half = rate[0] - rate[1], 1.96 * float(np.sqrt(variance))
    return {
        "share": float(held.mean()),
        "clicked": rate[0],
        "clicked_held": rate[1],
        "difference": lift,
        "ci_low": lift - half,
        "ci_high": lift + half,
    }


def value_others(done: BanditRun, path: Path) -> list[dict[str, Any]]:
    """Reread a log and value another policy from it; the simulator's truth stands beside each estimate."""
    log = read_feedback(path)
    target = PriorGreedy(epsilon=EPSILON)
    probs = target.action_probs(done.batch(), np.random.default_rng(0))
    truth = done.policy_value(probs)
    rows = rows_of_log(log, probs, cross_fit_scale(done.prior, log))
    return [
        {"log": done.policy, "policy": target.name, **told(estimate, truth)}
        for estimate in evaluate(rows, USUAL)
    ]


def told(estimate: Estimate, truth: float) -> dict[str, Any]:
    """What the report shows of an estimate; one that is refused has its reasons and no number."""
    low, high = estimate.ci_low, estimate.ci_high
    number = {"value": estimate.value, "ci_low": low, "ci_high": high, "covered": low <= truth <= high}
    return {
        "estimator": estimate.estimator,
        **(dict.fromkeys(number) if estimate.refused else number),
        "ess": estimate.ess,
        "max_weight": estimate.max_weight,
        "weight_sum_over_n": estimate.weight_sum_over_n,
        "effective_rewards": estimate.effective_rewards,
        "support_misses": estimate.support_misses,
        "truth": truth,
        "refused": estimate.refused,
        "doubts": [finding.gate for finding in estimate.findings],
        "warnings": list(estimate.warnings),
    }
