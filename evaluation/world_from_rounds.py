"""The fitted world of a shop that has logged rounds: every term is fitted to them, and judged on held-out shoppers."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from copybandit.evaluation.ledger import LedgerRow, assumed, tried
from copybandit.evaluation.sensitivity import RANGES
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData, coefficients
from copybandit.sim.encoders import Skeleton, Style
from copybandit.sim.rounds import SHARED, RoundsFit, fit_rounds, poisson_ridge
from copybandit.sim.types import Floats, Ints
from copybandit.sim.wording import Arms, LinearWording, judge_wording
from copybandit.sim.world import Taste, World


def world_from_rounds(
    settings: RunSettings, shop: ShopData, taste: Taste, label: Ints, rng: np.random.Generator
) -> tuple[World, dict[str, object], list[LedgerRow]]:
    """Fit position, interest, match and wording from logged rounds of fit shoppers; judge them on judge shoppers.

    Copy is written for segments, so match enters as the leaning of the shopper's segment: a mean over many shoppers,
    while one shopper's taste is known so poorly that its coefficient would be attenuated (Wald's grouping, 1940).
    """
    assert shop.rounds is not None
    encoders = (Style.fit(shop.sample.texts), Skeleton.fit(shop.sample.texts, shop.sample.product))
    blank = LinearWording(encoders=encoders, coefficients=tuple(np.zeros((1, e.dimension)) for e in encoders))
    skeleton = World(
        taste=taste, wording=blank, references=shop.references, coefficients=coefficients(settings)
    )
    copy = skeleton.encode(shop.sample.texts, shop.sample.product)
    log = shop.rounds.feedback
    rows = np.flatnonzero(shop.shoppers.fit[log.shopper])
    z = taste.interest(log.shopper, log.product)
    known = shop.shoppers.fit
    leaning = np.stack(
        [skeleton.leaning(np.flatnonzero(known & (label == k))) for k in range(label.max() + 1)]
    )
    m = (leaning[label[log.shopper]] * copy.topic[log.item_id]).sum(axis=1)
    fit = fit_rounds(shop.rounds, rows, z[rows], m[rows], shop.references, encoders, rng)
    base, eta, b_interest, b_match = fit.shared
    world = replace(
        skeleton,
        wording=fit.wording,
        coefficients=replace(
            skeleton.coefficients,
            base=base.value,
            position_eta=max(eta.value, 0.0),
            b_interest=max(b_interest.value, 0.0),
            b_match=max(b_match.value, 0.0),
        ),
    )
    return world, _held_out_rounds(shop, world), _fitted_ledger(fit, settings)


def _held_out_rounds(shop: ShopData, world: World) -> dict[str, object]:
    """Pairs of texts of one product on judge shoppers: which got more clicks, against which scores higher."""
    assert shop.rounds is not None
    log = shop.rounds.feedback
    judged = shop.shoppers.judge[log.shopper]
    n = len(shop.sample.texts)
    clicks = np.bincount(log.item_id[judged], log.click[judged], minlength=n).astype(np.int64)
    shown = np.bincount(log.item_id[judged], minlength=n)
    arms = Arms(
        texts=shop.sample.texts, group=shop.sample.product, clicks=clicks, impressions=np.maximum(shown, 1)
    )
    left, right = _pairs_within(shop.sample.product)
    seen = (shown[left] > 0) & (shown[right] > 0) & (clicks[left] + clicks[right] > 0)
    left, right = left[seen], right[seen]
    copy = world.encode(shop.sample.texts, shop.sample.product)
    score = copy.wording.mean(axis=0)
    report = judge_wording(score, arms, left, right, _z(arms, left, right))
    rows = np.flatnonzero(judged)
    item = log.item_id[rows]
    terms = world.terms(log.shopper[rows], copy.take(item), position=log.position[rows])
    design = np.stack(
        [np.ones(len(rows)), terms.interest + terms.match + np.log(terms.examine), score[item]], axis=1
    )
    beta, error = poisson_ridge(design, log.click[rows], np.ones(len(rows)), np.full(3, 1e-6))
    # Texts have a click or two each: their log rates say little, so the slope comes from the impressions.
    slope, wide = float(beta[2]), 1.96 * float(error[2])
    return asdict(replace(report, calibration_slope=slope, slope_interval=(slope - wide, slope + wide)))


def _pairs_within(group: Ints) -> tuple[Ints, Ints]:
    order = np.argsort(group, kind="stable")
    left, right = [], []
    for gap in range(1, int(np.bincount(group).max())):
        same = group[order[gap:]] == group[order[:-gap]]
        left.append(order[:-gap][same])
        right.append(order[gap:][same])
    return np.concatenate(left), np.concatenate(right)


def _z(arms: Arms, left: Ints, right: Ints) -> Floats:
    """Two-proportion z statistic of left minus right."""
    c, n = np.asarray(arms.clicks, dtype=np.float64), np.asarray(arms.impressions, dtype=np.float64)
    pooled = (c[left] + c[right]) / (n[left] + n[right])
    variance = pooled * (1 - pooled) * (1 / n[left] + 1 / n[right])
    return np.asarray((c[left] / n[left] - c[right] / n[right]) / np.sqrt(np.maximum(variance, 1e-300)))


def _fitted_ledger(fit: RoundsFit, settings: RunSettings) -> list[LedgerRow]:
    source = f"logged rounds of the fit split's shoppers, two in five of {settings.data.n_rounds:,}"
    rows = [
        LedgerRow(term=name, value=item.value, kind="fitted", source=source, interval=(item.low, item.high))
        for name, item in zip(SHARED, fit.shared, strict=True)
    ]
    chosen = (
        ("sd of wording that carries over", fit.effect_sd, "held-out products in"),
        ("sd of wording, for the doubt", fit.doubt_sd, "held-out products in"),
        ("sd of product appeal", fit.product_sd, "evidence of"),
    )
    return [
        *rows,
        *(
            LedgerRow(term=term, value=value, kind="fitted", source=f"{how} the {source}")
            for term, value, how in chosen
        ),
        LedgerRow(
            term="wording (gold)",
            value=0.30,
            kind="literature",
            source="within-test sd of true log CTR, Upworthy Research Archive (Matias et al. 2021)",
        ),
        *assumed(settings),
        tried("b_match (gold)", settings.terms.b_match, "no public data", RANGES["b_match"]),
        tried("b_interest (gold)", settings.terms.b_interest, "no public data", RANGES["b_interest"]),
    ]
