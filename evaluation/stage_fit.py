"""Fit what a shop can know: interest, segments, wording, and the fitted world that tuning and warm starts believe in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from copybandit.evaluation.sensitivity import RANGES, SEASON_RANGES, STYLE_SHARES
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData, coefficients, first_place_ctr
from copybandit.evaluation.storage import load_arrays, load_json, save_arrays, save_json
from copybandit.sim.encoders import Lsa, Skeleton, Style
from copybandit.sim.events import EventTable
from copybandit.sim.interest import InterestModel, ProductFeatures, cut_in_time, fit_interest
from copybandit.sim.oracle import CEILING, STYLE_SHARE, Sample, pinned, within_brief_sd
from copybandit.sim.retail_gold import fit_collaborative, fit_gold_wording
from copybandit.sim.rounds import SHARED, Fitted, RoundsFit, fit_rounds, poisson_ridge
from copybandit.sim.segments import interest_words, leaning_reliability, segment_shoppers
from copybandit.sim.split import split_groups
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import Bools, Floats, Ints, Segment
from copybandit.sim.upworthy import AbTests, load_ab_tests
from copybandit.sim.wording import (
    Arms,
    LinearWording,
    PairReport,
    Saturated,
    Wording,
    fit_wording,
    judge_wording,
)
from copybandit.sim.world import Taste, World, match_scale

TRANSFER = 0.7
"""Assumed share of a style effect on news headlines that holds for product copy."""


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """Where one coefficient comes from: fitted (interval), literature (source) or assumed (range tried)."""

    term: str
    value: float
    kind: str
    source: str
    interval: tuple[float, float] | None = None
    range: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class FittedShop:
    """What the fit stage hands on.

    Attributes:
        world: the fitted world.
        segments: who copy is written for.
        label: shape (n_shoppers,), segment of each shopper.
    """

    world: World
    segments: tuple[Segment, ...]
    label: Ints


def fit_shop(settings: RunSettings, shop: ShopData, gold: World | None, stage: Path) -> None:
    """Fit everything and save it with its reports; a real shop's gold world is fitted and saved here too."""
    rng = np.random.default_rng([settings.seed, 2])
    # A real shop's later months are left to the gold world.
    known = shop.events if gold is not None else cut_in_time(shop.events, 0.6)[0]
    interest, report = fit_interest(known, shop.products, shop.shoppers.fit, shop.shoppers.judge, rng)
    taste = _taste(
        interest, shop, interest.shopper_vectors(known, interest.features.products(shop.products)), rng
    )
    label = segment_shoppers(taste.shoppers, shop.shoppers.fit, settings.n_segments, settings.seed)
    segments = interest_words(interest.features, taste.shoppers, label, shop.words)
    if shop.rounds is not None and gold is not None:
        world, response, ledger = _from_rounds(settings, shop, taste, label, rng)
    else:
        kept = _reliability(settings, shop, interest, known)
        world, response, ledger, gold = _from_tests(settings, shop, taste, kept, rng)
        save_record(stage / "gold", gold)
    response |= _agreement(world, gold, shop.sample)
    save_record(stage / "fitted", world)
    save_arrays(stage / "label.safetensors", label=label)
    save_json(stage / "segments.json", [asdict(segment) for segment in segments])
    save_json(
        stage / "report.json",
        {
            "interest_model": {
                "auc_popularity_matched": report.auc,
                "auc_popularity_baseline": report.auc_popularity,
                "calibration_slope": report.calibration_slope,
                "n_pairs": report.n_pairs,
            },
            "response_model": response,
            "ledger": [asdict(row) for row in ledger],
        },
    )


def load_fit(stage: Path) -> FittedShop:
    """Read what `fit_shop` saved."""
    return FittedShop(
        world=load_record(stage / "fitted", World),
        segments=tuple(msgspec.convert(row, Segment) for row in load_json(stage / "segments.json")),
        label=load_arrays(stage / "label.safetensors")["label"],
    )


def _topics(text: ProductFeatures, shop: ShopData) -> Floats:
    """What sample copy talks about beyond the reference copy of its product, shape (t, d)."""
    return text.texts(shop.sample.texts) - text.texts(shop.references)[shop.sample.product]


def _reliability(settings: RunSettings, shop: ShopData, interest: InterestModel, known: EventTable) -> float:
    """`leaning_reliability` between the two halves of the known log."""
    products = interest.features.products(shop.products)
    earlier, later = (interest.shopper_vectors(part, products) for part in cut_in_time(known, 0.5))
    label = segment_shoppers(earlier, shop.shoppers.fit, settings.n_segments, settings.seed)
    return leaning_reliability(earlier, later, label, _topics(interest.features, shop))


def _taste(interest: InterestModel, shop: ShopData, shoppers: Floats, rng: np.random.Generator) -> Taste:
    features = interest.features
    topics = _topics(features, shop)
    return Taste(
        shoppers=shoppers,
        products=features.products(shop.products),
        quality=np.zeros(len(shop.products)),
        centre=interest.centre,
        scale=interest.scale,
        match_scale=match_scale(shoppers, topics, rng),
        text=features,
    )


def _from_rounds(
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
        *_assumed(settings),
        _tried("b_match (gold)", settings.terms.b_match, "no public data", RANGES["b_match"]),
        _tried("b_interest (gold)", settings.terms.b_interest, "no public data", RANGES["b_interest"]),
    ]


def _tried(term: str, value: float, source: str, values: tuple[float, ...]) -> LedgerRow:
    """An assumed coefficient, with the values at which results are repeated."""
    return LedgerRow(term=term, value=value, kind="assumed", source=source, range=values)


def _assumed(settings: RunSettings) -> list[LedgerRow]:
    terms = settings.terms
    return [
        LedgerRow(
            term="base CTR", value=terms.base_ctr, kind="literature", source="Upworthy arms click at 1.2-1.5%"
        ),
        _tried("fatigue", terms.fatigue, "no public data", SEASON_RANGES["fatigue"]),
        _tried("drift", terms.drift, "no public data", SEASON_RANGES["drift"]),
        _tried(
            "style share of wording (gold)", STYLE_SHARE, "style ranks few Upworthy pairs right", STYLE_SHARES
        ),
        _tried("position_eta (gold)", terms.position_eta, "no public data", SEASON_RANGES["position_eta"]),
    ]


def _from_tests(
    settings: RunSettings, shop: ShopData, taste: Taste, reliability: float, rng: np.random.Generator
) -> tuple[World, dict[str, object], list[LedgerRow], World]:
    """Fit wording from A/B tests; the other terms are assumed, because no data here identify them.

    The assumed match is per standard deviation of a true leaning; fitted leanings are worth `reliability` of it.
    """
    tests = load_ab_tests(Path(str(settings.data.ab_tests)))
    split = split_groups(tests.groups(), settings.seed + 2)
    arms, held = _arms(tests, split.fit), tests.take(split.select)
    ensemble = fit_wording(arms, (Style.fit(arms.texts), Lsa.fit(arms.texts, 64)), rng)
    report = _judge_tests(ensemble, held)
    style = fit_wording(arms, (Style.fit(arms.texts),), rng)
    slope = float(np.clip(_judge_tests(style, held).calibration_slope, 0.2, 1.0))
    shrunk = replace(style, coefficients=tuple(TRANSFER * slope * block for block in style.coefficients))
    start = coefficients(settings)
    start = replace(start, b_match=reliability * start.b_match)
    world = World(taste=taste, wording=shrunk, references=shop.references, coefficients=start)
    world = world.at_base_rate(first_place_ctr(settings), rng)
    gold = _real_gold(settings, shop, _arms(tests, split.judge), rng)
    return world, asdict(report), _real_ledger(settings, slope, reliability, arms), gold


def _arms(tests: AbTests, rows: Bools) -> Arms:
    part = tests.take(rows)
    group = np.unique(np.stack([part.test, part.image]), axis=1, return_inverse=True)[1].ravel()
    return Arms(texts=part.text, group=group, clicks=part.clicks, impressions=part.impressions)


def _judge_tests(wording: Wording, held: AbTests) -> PairReport:
    pairs = held.pairs()
    arms = _arms(held, np.ones(len(held), dtype=np.bool_))
    return judge_wording(wording.members(held.text).mean(axis=0), arms, pairs.left, pairs.right, pairs.z)


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
        _tried("b_interest", terms.b_interest, "no clicks in the log", RANGES["b_interest"]),
        _tried("b_match", terms.b_match, "nothing identifies it", RANGES["b_match"]),
        LedgerRow(
            term="reliability of segment leanings",
            value=reliability,
            kind="fitted",
            source="slope of later on earlier leanings in the known log; multiplies b_match in the fitted world",
        ),
        *_assumed(settings),
    ]


def _agreement(world: World, gold: World, sample: Sample) -> dict[str, object]:
    """How far the fitted wording agrees with the gold one on earlier copy, within products."""
    fitted = world.encode(sample.texts, sample.product).wording.mean(axis=0)
    truth = gold.encode(sample.texts, sample.product).wording.mean(axis=0)
    return {
        "corr_fitted_gold": float(
            np.corrcoef(_within(fitted, sample.product), _within(truth, sample.product))[0, 1]
        ),
        "sd_fitted": within_brief_sd(fitted, sample.product),
        "sd_gold": within_brief_sd(truth, sample.product),
    }


def _within(values: Floats, product: Ints) -> Floats:
    mean = np.bincount(product, values) / np.maximum(np.bincount(product), 1)
    return np.asarray(values - mean[product])


__all__ = ["Fitted", "FittedShop", "LedgerRow", "fit_shop", "load_fit"]
