"""The shop that a run works on: catalogue, behaviour, earlier copy and its response; made up or read from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.storage import (
    load_arrays,
    load_json,
    load_table,
    save_arrays,
    save_json,
    save_table,
)
from copybandit.generators.grammar import write
from copybandit.generators.injection import cleaned, screen
from copybandit.generators.template import REFERENCE
from copybandit.sim.catalogue import draw_catalogue, lexicon
from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.interest_features import interest_text
from copybandit.sim.oracle import Sample, synthetic_gold
from copybandit.sim.retail import load_retail
from copybandit.sim.schema import read_feedback, write_feedback
from copybandit.sim.split import Split, split_groups
from copybandit.sim.store import load_record, save_record
from copybandit.sim.synthetic import POSITIONS, Rounds, browse, log_rounds
from copybandit.sim.types import Brief, DataError, Ints, Product, Segment
from copybandit.sim.world import Coefficients, World

EARLIER_TEXTS = 8
"""Texts per product that the shop showed before anything was tuned."""
VIEWS = 30
"""Mean views per shopper of the synthetic shop."""


@dataclass(frozen=True, kw_only=True)
class ShopData:
    """What a run knows of its shop before anything is fitted.

    Attributes:
        products: the catalogue; event tables point into it.
        events: behaviour.
        words: what shoppers may be said to care for; empty means any word of the catalogue.
        references: reference copy of each product.
        sample: earlier copy, on which worlds are scaled.
        rounds: logged response to the earlier copy; None for real input, which has none.
        shoppers, catalogue: splits of shoppers and of products.
    """

    products: tuple[Product, ...]
    events: EventTable
    words: tuple[str, ...]
    references: tuple[str, ...]
    sample: Sample
    rounds: Rounds | None
    shoppers: Split
    catalogue: Split


def coefficients(settings: RunSettings) -> Coefficients:
    """The World's coefficients as configured; `base` is set when the world is made."""
    terms = settings.terms
    return Coefficients(
        base=0.0,
        b_interest=terms.b_interest,
        b_match=terms.b_match,
        position_eta=terms.position_eta,
        fatigue=terms.fatigue,
        drift=terms.drift,
    )


def first_place_ctr(settings: RunSettings) -> float:
    """Click rate in the first place that gives `base_ctr` on average over the places."""
    examine = (1.0 + np.arange(POSITIONS)) ** -settings.terms.position_eta
    return float(settings.terms.base_ctr / examine.mean())


def make_synthetic(settings: RunSettings, stage: Path) -> None:
    """Make up the shop of a seed and save it, its gold world under `gold`."""
    rng = np.random.default_rng([settings.seed, 0])
    products = screened(draw_catalogue(settings.data.n_products, rng), stage)
    words = known_words(products)
    references, sample = _earlier_copy(products, words, rng)
    gold = synthetic_gold(
        products,
        references,
        sample,
        settings.data.n_shoppers,
        coefficients(settings),
        first_place_ctr(settings),
        settings.seed,
    )
    events = browse(gold, products, words, VIEWS, rng)
    rounds = log_rounds(gold, tuple(sample.texts), sample.product, settings.data.n_rounds, settings.seed, rng)
    save_record(stage / "gold", gold)
    write_feedback(rounds.feedback, stage / "rounds.parquet")
    _save(stage, products, events, words, references, sample)


def read_real(settings: RunSettings, stage: Path) -> None:
    """Read the purchase log and save the shop of its most bought products and busiest shoppers."""
    if not settings.data.retail or not settings.data.ab_tests:
        missing = "--retail FILE" if not settings.data.retail else "--ab-tests FILE"
        raise DataError(f"config {settings.name}: world online-retail needs real files; pass {missing}")
    shop = load_retail(Path(settings.data.retail))
    kept, events = _busiest(shop.products, shop.events, settings)
    products = screened(kept, stage)
    rng = np.random.default_rng([settings.seed, 0])
    references, sample = _earlier_copy(products, catalogue_words(products), rng)
    _save(stage, products, events, (), references, sample)
    save_json(stage / "dropped.json", dict(shop.dropped))


def screened(products: Sequence[Product], stage: Path) -> tuple[Product, ...]:
    """Drop what reads as an order to a writer from the products' texts, and save what was dropped as screened.json."""
    found = [cleaned(product) for product in products]
    dropped = [
        {"product_id": one.product.product_id, **asdict(finding)} for one in found for finding in one.findings
    ]
    save_json(stage / "screened.json", dropped)
    return tuple(one.product for one in found)


def left_out(stage: Path) -> list[dict[str, Any]]:
    """What `screened` dropped, each with product_id and the fields of `Finding`; a shop from before it is screened now.

    Raises:
        DataError: such a shop holds an order to a writer, and so may all that was made from it.
    """
    if (stage / "screened.json").exists():
        return list(load_json(stage / "screened.json"))
    for product in _products(load_json(stage / "shop.json")):
        for finding in screen(product):
            raise DataError(
                f"{stage}: a shop must hold no order to the writer, got {finding.text!r} in product {product.product_id}, "
                f"saved before texts were screened; remove {stage} and resume, which does all stages again"
            )
    return []


def known_words(products: Sequence[Product]) -> tuple[str, ...]:
    """Words of the lexicon that some product's text holds."""
    held = set(
        " ".join(interest_text(product) for product in products)
        .lower()
        .replace(",", " ")
        .replace(".", " ")
        .split()
    )
    return tuple(word for word in lexicon().interest_words if word in held)


def catalogue_words(products: Sequence[Product]) -> tuple[str, ...]:
    """The 200 commonest one-word facts and categories of a real catalogue."""
    words = [word for product in products for word in (*product.facts, product.category) if word.isalpha()]
    values, counts = np.unique(words, return_counts=True)
    return tuple(str(word) for word in values[np.argsort(-counts, kind="stable")][:200])


def _busiest(
    products: Sequence[Product], events: EventTable, settings: RunSettings
) -> tuple[tuple[Product, ...], EventTable]:
    """Keep the products and shoppers with the most purchases, in their old order."""
    bought = events.kind == PURCHASE
    keep = _top(np.bincount(events.product[bought], minlength=len(products)), settings.data.n_products)
    events = events.take(np.isin(events.product, keep))
    buys = np.bincount(events.shopper[events.kind == PURCHASE], minlength=len(events.shopper_ids))
    people = _top(buys, settings.data.n_shoppers)
    people = people[buys[people] > 0]
    events = events.take(np.isin(events.shopper, people))
    product_of = np.full(len(products), -1)
    product_of[keep] = np.arange(len(keep))
    shopper_of = np.full(len(events.shopper_ids), -1)
    shopper_of[people] = np.arange(len(people))
    events = replace(
        events,
        product=product_of[events.product],
        shopper=shopper_of[events.shopper],
        product_ids=tuple(events.product_ids[index] for index in keep),
        shopper_ids=tuple(events.shopper_ids[index] for index in people),
    )
    return tuple(products[index] for index in keep), events


def _top(count: Ints, n: int) -> Ints:
    return np.sort(np.argsort(-count, kind="stable")[:n])


def _earlier_copy(
    products: Sequence[Product], words: Sequence[str], rng: np.random.Generator
) -> tuple[tuple[str, ...], Sample]:
    """Reference copy of each product, and texts of random moves and random interest words."""
    texts, owner = [], []
    for index, product in enumerate(products):
        for _ in range(EARLIER_TEXTS):
            picked = tuple(str(word) for word in rng.choice(list(words), 3, replace=False))
            segment = Segment(segment_id=0, interests=picked, size=1)
            texts.append(write(Brief(product=product, segment=segment), rng))
            owner.append(index)
    references = tuple(REFERENCE.text(Brief(product=product)) for product in products)
    return references, Sample(texts=tuple(texts), product=np.array(owner))


def _save(
    stage: Path,
    products: Sequence[Product],
    events: EventTable,
    words: Sequence[str],
    references: Sequence[str],
    sample: Sample,
) -> None:
    save_json(
        stage / "shop.json",
        {
            "products": [asdict(product) for product in products],
            "shopper_ids": events.shopper_ids,
            "words": words,
            "references": references,
            "texts": list(sample.texts),
        },
    )
    save_table(stage / "events.arrow", events.to_arrow())
    save_arrays(stage / "sample.safetensors", product=sample.product)


def load_shop(settings: RunSettings, stage: Path) -> ShopData:
    """Read what `make_synthetic` or `read_real` saved, and split it."""
    raw = load_json(stage / "shop.json")
    products = _products(raw)
    events = _reindexed(
        EventTable.from_arrow(load_table(stage / "events.arrow")), raw["shopper_ids"], products
    )
    sample = Sample(texts=tuple(raw["texts"]), product=load_arrays(stage / "sample.safetensors")["product"])
    rounds = None
    if (stage / "rounds.parquet").exists():
        rounds = Rounds(
            feedback=read_feedback(stage / "rounds.parquet"),
            texts=tuple(sample.texts),
            product=sample.product,
        )
    return ShopData(
        products=products,
        events=events,
        words=tuple(raw["words"]),
        references=tuple(raw["references"]),
        sample=sample,
        rounds=rounds,
        shoppers=split_groups(np.array(events.shopper_ids), settings.seed),
        catalogue=split_groups(np.array([product.product_id for product in products]), settings.seed + 1),
    )


def _products(raw: Mapping[str, Any]) -> tuple[Product, ...]:
    return tuple(msgspec.convert(row, Product) for row in raw["products"])


def _reindexed(events: EventTable, shopper_ids: Sequence[str], products: Sequence[Product]) -> EventTable:
    """Give an event table the shop's own order of shoppers and products."""
    shopper = {name: index for index, name in enumerate(shopper_ids)}
    product = {item.product_id: index for index, item in enumerate(products)}
    shopper_of = np.array([shopper[name] for name in events.shopper_ids], dtype=np.int64)
    product_of = np.array([*(product[name] for name in events.product_ids), -1], dtype=np.int64)
    return replace(
        events,
        shopper=shopper_of[events.shopper],
        product=product_of[events.product],
        shopper_ids=tuple(shopper_ids),
        product_ids=tuple(item.product_id for item in products),
    )


def load_gold(data: Path, fit: Path) -> World:
    """The gold world, saved with the data of a synthetic shop and with the fit of a real one."""
    folder = data if (data / "gold.json").exists() else fit
    return load_record(folder / "gold", World)
