"""Fit what a shop can know: interest, segments, wording, and the fitted world that tuning and warm starts believe in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData
from copybandit.evaluation.storage import load_arrays, load_json, save_arrays, save_json
from copybandit.evaluation.world_from_rounds import world_from_rounds
from copybandit.evaluation.world_from_tests import worlds_from_tests
from copybandit.sim.events import EventTable
from copybandit.sim.interest import InterestModel, fit_interest
from copybandit.sim.interest_features import ProductFeatures
from copybandit.sim.interest_pairs import cut_in_time
from copybandit.sim.oracle import Sample, within_brief_sd
from copybandit.sim.segments import interest_words, leaning_reliability, segment_shoppers
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import Floats, Ints, Segment
from copybandit.sim.world import Taste, World, match_scale


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
        world, response, ledger = world_from_rounds(settings, shop, taste, label, rng)
    else:
        kept = _reliability(settings, shop, interest, known)
        world, response, ledger, gold = worlds_from_tests(settings, shop, taste, kept, rng)
        save_record(stage / "gold", gold)
    response |= _agreement(world, gold, shop.sample)
    save_fit(stage, FittedShop(world=world, segments=tuple(segments), label=label))
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


def save_fit(stage: Path, fitted: FittedShop) -> None:
    """Write what `load_fit` reads."""
    save_record(stage / "fitted", fitted.world)
    save_arrays(stage / "label.safetensors", label=fitted.label)
    save_json(stage / "segments.json", [asdict(segment) for segment in fitted.segments])


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
