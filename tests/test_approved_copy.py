"""Earlier copy as training pairs: what may be shown, for whom it was written, and how it did."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from copybandit.evaluation.approved_copy import approved_copy, expected_copy, retrieval_best, shown_copy
from copybandit.evaluation.shop_data import ShopData
from copybandit.generators.editor import Editor, EditorSettings, check
from copybandit.generators.limits import LIMITS
from copybandit.generators.recognise import recognise
from copybandit.generators.retrieval import RetrievalWriter
from copybandit.generators.template import REFERENCE
from copybandit.sim.split import split_groups
from copybandit.sim.synthetic import Rounds
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


def test_retrieval_best_never_sees_what_it_is_judged_on() -> None:
    """Other texts and clicks for every product and shopper outside the fit split change nothing; inside they do."""
    data, world = shop(), small_world().fitted
    briefs = [Brief(product=product) for product in np.array(data.products, object)[data.catalogue.judge]]

    def written(rounds: Rounds, texts: tuple[str, ...]) -> list[str]:
        told = replace(data, rounds=rounds, sample=replace(data.sample, texts=texts))
        writer = retrieval_best(told, world, Editor(), np.random.default_rng(0))
        return [row[0].text for row in writer.propose(briefs, 1, np.random.default_rng(1))]

    assert data.rounds is not None
    log, texts = data.rounds.feedback, tuple(data.sample.texts)
    fit_text = data.catalogue.fit[data.sample.product]
    fit_row = data.shoppers.fit[log.shopper] & fit_text[log.item_id]
    before = written(data.rounds, texts)
    assert len(set(before)) > len(briefs) // 2
    others = tuple(
        text if fit else f"Never {text}" for text, fit in zip(texts, fit_text.tolist(), strict=True)
    )
    flipped = np.where(fit_row, log.click, 1 - log.click)
    assert written(replace(data.rounds, feedback=replace(log, click=flipped)), others) == before
    inside = np.where(fit_row, 1 - log.click, log.click)
    assert written(replace(data.rounds, feedback=replace(log, click=inside)), texts) != before


def test_without_a_log_retrieval_goes_by_what_the_fitted_world_expects() -> None:
    data, world = replace(shop(), rounds=None), small_world().fitted
    found = approved_copy(data, data.catalogue.fit, Editor(), np.random.default_rng(0))
    shown = expected_copy(found, data, world, data.shoppers.fit)
    copy = world.encode(list(found.texts), data.sample.product[found.row])
    rate = world.mean_click(np.flatnonzero(data.shoppers.fit), copy)
    np.testing.assert_allclose(shown.clicks / shown.impressions, rate, atol=1e-6)
    writer = retrieval_best(data, world, Editor(), np.random.default_rng(0))
    assert isinstance(writer, RetrievalWriter) and writer.shown.texts == found.texts


def test_where_the_editor_passes_nothing_there_is_nothing_to_retrieve() -> None:
    short = Editor(settings=EditorSettings(limits=tuple(replace(limit, characters=1) for limit in LIMITS)))
    assert retrieval_best(shop(), small_world().fitted, short, np.random.default_rng(0)) is REFERENCE
