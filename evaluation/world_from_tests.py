"""The worlds of a shop without rounds: wording from A/B tests, the other terms of a click assumed; fitted and gold."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from copybandit.evaluation.fit_wording import judge_tests
from copybandit.evaluation.ledger import LedgerRow, assumed, tried
from copybandit.evaluation.sensitivity import RANGES
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData, coefficients, first_place_ctr
from copybandit.sim.encoders import Lsa, Style
from copybandit.sim.interest_pairs import cut_in_time
from copybandit.sim.oracle import CEILING, pinned
from copybandit.sim.retail_gold import fit_collaborative, fit_gold_wording
from copybandit.sim.split import split_groups
from copybandit.sim.upworthy import AbTests, load_ab_tests
from copybandit.sim.wording import Arms, PairReport, Saturated, Wording, fit_wording
from copybandit.sim.world import Taste, World, match_scale

TRANSFER = 0.7
"""Assumed share of a style effect on news headlines that holds for product copy."""


def worlds_from_tests(
    settings: RunSettings, shop: ShopData, taste: Taste, reliability: float, rng: np.random.Generator
) -> tuple[World, dict[str, object], list[LedgerRow], World]:
    """Fit wording from A/B tests; the other terms are assumed, because no data here identify them.

    The assumed match is per standard deviation of a true leaning; fitted leanings are worth `reliability` of it.
    """
    tests = load_ab_tests(Path(str(settings.data.ab_tests)))
    split = split_groups(tests.groups(), settings.seed + 2)
    arms, held = tests.take(split.fit).arms(), tests.take(split.select)
    ensemble = fit_wording(arms, (Style.fit(arms.texts), Lsa.fit(arms.texts, 64)), rng)
    report = _judge_tests(ensemble, held)
    style = fit_wording(arms, (Style.fit(arms.texts),), rng)
    slope = float(np.clip(_judge_tests(style, held).calibration_slope, 0.2, 1.0))
    shrunk = replace(style, coefficients=tuple(TRANSFER * slope * block for block in style.coefficients))
    start = coefficients(settings)
    start = replace(start, b_match=reliability * start.b_match)
    world = World(taste=taste, wording=shrunk, references=shop.references, coefficients=start)
    world = world.at_base_rate(first_place_ctr(settings), rng)
    gold = _real_gold(settings, shop, tests.take(split.judge).arms(), rng)
    return world, asdict(report), _real_ledger(settings, slope, reliability, arms), gold


def _judge_tests(wording: Wording, held: AbTests) -> PairReport:
    return judge_tests(wording.members(held.text).mean(axis=0), held)


def _real_gold(settings: RunSettings, shop: ShopData, arms: Arms, rng: np.random.Generator) -> World:
    """Another family, another encoder, other tests, later time."""
    later = cut_in_time(shop.events, 0.6)[1]
    found = fit_collaborative(later, shop.products)
    logit = found.shoppers @ found.products.T
    topics = found.text.texts(shop.sample.texts) - found.text.texts(shop.references)[shop.sample.product]
    taste = Taste(
        shoppers=found.shoppers,
        products=found.products,
        quality=np.zeros(len(shop.products)),
        centre=float(logit.mean()),
        scale=float(logit.std()),
        match_scale=match_scale(found.shoppers, topics, rng),
        text=found.text,
    )
    wording = Saturated(inner=fit_gold_wording(arms, rng), gain=1.0, limit=CEILING)
    world = World(
        taste=taste,
        wording=pinned(wording, shop.sample, rng),
        references=shop.references,
        coefficients=coefficients(settings),
    )
    return world.at_base_rate(first_place_ctr(settings), rng)


def _real_ledger(settings: RunSettings, slope: float, reliability: float, arms: Arms) -> list[LedgerRow]:
    terms = settings.terms
    return [
        LedgerRow(
            term="wording",
            value=TRANSFER * slope,
            kind="fitted",
            source=f"style effects on {len(arms.texts):,} arms of Upworthy tests, times held-out slope "
            f"{slope:.2f} and an assumed transfer of {TRANSFER}",
        ),
        LedgerRow(
            term="wording sd (gold)",
            value=0.30,
            kind="literature",
            source="within-test sd of true log CTR, Upworthy Research Archive (Matias et al. 2021)",
        ),
        LedgerRow(
            term="interest",
            value=1.0,
            kind="fitted",
            source="purchases of the fit shoppers in the first 60% of the log",
        ),
        tried("b_interest", terms.b_interest, "no clicks in the log", RANGES["b_interest"]),
        tried("b_match", terms.b_match, "nothing identifies it", RANGES["b_match"]),
        LedgerRow(
            term="reliability of segment leanings",
            value=reliability,
            kind="fitted",
            source="slope of later on earlier leanings in the known log; multiplies b_match in the fitted world",
        ),
        *assumed(settings),
    ]
