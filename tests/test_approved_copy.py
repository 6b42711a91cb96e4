"""Earlier copy as training pairs: what may be shown, for whom it was written, and how it did."""

from __future__ import annotations

from functools import cache

import numpy as np

from copybandit.evaluation.approved_copy import approved_copy, shown_copy
from copybandit.evaluation.shop_data import ShopData
from copybandit.generators.editor import Editor, check
from copybandit.generators.recognise import recognise
from copybandit.generators.retrieval import RetrievalWriter
from copybandit.sim.split import split_groups
from copybandit.sim.types import Brief
from tests.small_world import small_world


@cache
def shop() -> ShopData:
    world = small_world()
    return ShopData(
        products=world.products,
        events=world.events,
        words=world.words,
        references=world.references,
        sample=world.sample,
        rounds=world.rounds,
        shoppers=world.shoppers,
        catalogue=split_groups(np.array([product.product_id for product in world.products]), 1),
    )


def test_copy_of_the_asked_products_with_the_interests_it_speaks_of() -> None:
    data = shop()
    found = approved_copy(data, data.catalogue.fit, Editor(), np.random.default_rng(0))
    assert len(found.texts) == len(found.briefs) == len(found.row) > 50
    assert data.catalogue.fit[data.sample.product[found.row]].all()
    spoken = 0
    for brief, text, row in zip(found.briefs, found.texts, found.row, strict=True):
        assert text == data.sample.texts[row] and not check(brief, text)
        assert brief.product == data.products[data.sample.product[row]]
        assert brief.segment is not None and len(set(brief.segment.interests)) == 3
        reading = recognise(brief.product, text, data.words)
        assert reading is not None and set(reading.interests) <= set(brief.segment.interests)
        spoken += bool(reading.interests)
    assert spoken > 5
    assert approved_copy(data, data.catalogue.fit, Editor(), np.random.default_rng(0)).briefs == found.briefs


def test_the_log_tells_how_copy_did_and_retrieval_finds_the_best() -> None:
    data = shop()
    assert data.rounds is not None
    log, everybody = data.rounds.feedback, np.ones(200, dtype=bool)
    found = approved_copy(data, data.catalogue.fit, Editor(), np.random.default_rng(0))
    shown = shown_copy(found, data.rounds, everybody)
    k = int(found.row[7])
    mine = log.item_id == k
    assert (shown.impressions[7], shown.clicks[7]) == (mine.sum(), (log.click[mine] > 0).sum())
    fewer = shown_copy(found, data.rounds, data.shoppers.fit)
    assert 0 < fewer.impressions.sum() < shown.impressions.sum()
    writer = RetrievalWriter(shown=shown)
    briefs = [Brief(product=product) for product in data.products]
    for brief, (variant,) in zip(briefs, writer.propose(briefs, 1, np.random.default_rng(0)), strict=True):
        assert not check(brief, variant.text)
