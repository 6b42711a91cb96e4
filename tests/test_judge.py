"""Cells, the reward, intervals and the swap test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.evaluation.approved_copy import retrieval_best
from copybandit.evaluation.cells import VETO, CellReward, Cells, make_cells, write_cells
from copybandit.evaluation.editing_settings import EditingSettings, LengthSettings, editor_of
from copybandit.evaluation.intervals import lift_interval, mean_interval
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.stage_judge import best_style, non_personal, swap_test, write_all
from copybandit.generators.editor import Editor
from copybandit.generators.lm import CausalLM
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE
from copybandit.sim.types import DataError


def test_splits_share_neither_products_nor_shoppers(fitted: Pipeline) -> None:
    parts = [fitted.cells(name) for name in ("fit", "select", "judge")]
    for kind in ("product", "shopper"):
        seen: set[int] = set()
        for part in parts:
            rows = part.product if kind == "product" else np.concatenate(part.shoppers)
            mine = set(np.unique(rows).tolist())
            assert mine and not mine & seen
            seen |= mine


def test_reference_copy_earns_nothing_and_refused_copy_the_veto(fitted: Pipeline) -> None:
    cells, shop = fitted.cells("fit"), fitted.shop()
    reward = CellReward(fitted.fitted().world, cells, Editor())
    index = np.arange(10)
    same = reward(index, [shop.references[product] for product in cells.product[:10]])
    np.testing.assert_allclose(same.total, 0, atol=1e-12)
    lies = reward(index, [f"The {brief.product.name} for 1.23, now 99% off." for brief in cells.briefs[:10]])
    np.testing.assert_allclose(lies.total, VETO)


def test_reward_is_a_lower_bound(fitted: Pipeline) -> None:
    cells, world = fitted.cells("fit"), fitted.fitted().world
    index = np.arange(len(cells))
    texts = [INTEREST_TEMPLATE.text(brief) for brief in cells.briefs]
    total = CellReward(world, cells, Editor())(index, texts).total
    mean = world.gain(cells.leaning(world), world.encode(texts, cells.product))
    assert (total <= np.maximum(mean, VETO) + 1e-12).all()


def test_a_template_writes_every_cell(fitted: Pipeline) -> None:
    cells, shop = fitted.cells("judge"), fitted.shop()
    written = write_cells(REFERENCE, cells, shop.references, Editor(), np.random.default_rng(0))
    assert written.refused == 0 and written.fallback == 0
    assert written.texts == tuple(shop.references[product] for product in cells.product)


def test_swap_is_above_zero_for_copy_that_is_chosen_by_the_truth_and_zero_without_match(
    fitted: Pipeline,
) -> None:
    """Let each segment have the interest word that the gold world likes best for it: the test must see that."""
    cells, gold, shop = fitted.cells("judge"), fitted.gold(), fitted.shop()
    words = shop.words
    leaning = [gold.leaning(group) for group in cells.shoppers]
    best = []
    for product, segment in zip(cells.product, cells.segment, strict=True):
        texts = [f"For {word} lovers: {shop.products[product].name}." for word in words]
        copy = gold.encode(texts, np.full(len(texts), product))
        best.append(texts[int(np.argmax(gold.gain(leaning[segment], copy)))])
    rng = np.random.default_rng(0)
    found = swap_test(gold, cells, [best], 200, rng)
    assert found.ci_low > 0
    flat = swap_test(gold.without_match(), cells, [best], 200, rng)
    assert flat.value == pytest.approx(0, abs=1e-12)
    same = [shop.references[product] for product in cells.product]
    assert swap_test(gold, cells, [same], 200, rng).value == pytest.approx(0, abs=1e-12)


def test_best_style_is_a_known_move(fitted: Pipeline) -> None:
    style = best_style(fitted.reward("select"))
    assert style.text(fitted.cells("judge").briefs[0])


def test_no_segment_of_enough_shoppers_is_refused(fitted: Pipeline) -> None:
    shop, found = fitted.shop(), fitted.fitted()
    nobody = np.zeros(len(found.label), dtype=np.bool_)
    with pytest.raises(DataError, match="give more data"):
        make_cells(shop.products, found.segments, found.label, nobody, shop.catalogue.fit)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 2.0), st.integers(1, 3), st.integers(2, 12), st.integers(0, 99))
def test_a_constant_lift_has_no_width(factor: float, seeds: int, products: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    theirs = rng.uniform(0.01, 0.02, size=(seeds, products * 2))
    product = np.repeat(np.arange(products), 2)
    found = lift_interval(theirs * factor, theirs, product, 200, rng)
    assert found.value == pytest.approx(factor - 1) and found.ci_high - found.ci_low < 1e-9


def test_mean_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    product = np.repeat(np.arange(60), 4)
    hits = 0
    for _ in range(300):
        values = (rng.normal(size=60)[product] + rng.normal(size=240))[None, :]
        found = mean_interval(values, product, 400, rng)
        hits += found.ci_low <= 0 <= found.ci_high
    # 0.95 less three binomial errors, and less the bootstrap's own shortfall at 60 clusters
    assert hits / 300 > 0.95 - 3 * (0.95 * 0.05 / 300) ** 0.5 - 0.01


def test_best_of_n_asks_by_brief_for_the_reward_that_tuning_works_for(fitted: Pipeline) -> None:
    reward = fitted.reward("judge")
    rows = np.array([5, 0, 5])
    texts = [INTEREST_TEMPLATE.text(reward.cells.briefs[0])] * 2 + ["Never."]
    asked = [reward.cells.briefs[row] for row in rows.tolist()]
    np.testing.assert_array_equal(reward.by_brief(asked, texts), reward(rows, texts).total)


def few(fitted: Pipeline, part: str) -> Cells:
    """The cells of the first 8 products of a split."""
    cells = fitted.cells(part)
    rows = np.flatnonzero(np.isin(cells.product, np.unique(cells.product)[:8]))
    briefs = tuple(cells.briefs[row] for row in rows)
    return replace(cells, briefs=briefs, product=cells.product[rows], segment=cells.segment[rows])


def test_every_writer_of_the_judge_stage_passes_the_runs_own_editor(fitted: Pipeline) -> None:
    """An editor that allows 45 characters: what it refuses is shown for no writer, bar the reference copy that stands in."""
    characters = LengthSettings(headline=45)
    editor, world = editor_of(EditingSettings(characters=characters)), fitted.fitted().world
    shop, tiny = fitted.shop(), CausalLM.load("tiny", temperature=0.8)
    select, judge = (CellReward(world, few(fitted, part), editor) for part in ("select", "judge"))
    rng = np.random.default_rng(0)
    retrieval = retrieval_best(shop, world, editor, rng)
    found = write_all(tiny, [tiny, tiny], retrieval, select, judge, shop.references, rng)
    assert {name for name, rows in found.texts.items() if len(rows) == 2} == {"sft", "ppo"}
    assert {"retrieval-best", "SFT best of 4", "best non-personal"} < set(found.texts)
    references = [shop.references[product] for product in judge.cells.product]
    for name, rows in found.texts.items():
        for texts in rows:
            for text, reference in zip(texts, references, strict=True):
                assert len(text) <= 45 or text == reference, (name, text)
    assert 0 < found.refused["sft"] < 1 and found.kl == pytest.approx(0, abs=1e-6)
    best, plain = (
        judge(np.arange(len(references)), list(found.texts[name][0])) for name in ("SFT best of 4", "sft")
    )
    own = np.array(
        [
            reference not in pair
            for *pair, reference in zip(
                found.texts["SFT best of 4"][0], found.texts["sft"][0], references, strict=True
            )
        ]
    )
    assert own.sum() >= 8 and best.total[own].mean() > plain.total[own].mean()


def test_non_personal_copy_is_one_text_a_product(fitted: Pipeline) -> None:
    judge, shop = fitted.reward("judge"), fitted.shop()
    tiny, rng = CausalLM.load("tiny", temperature=0.8), np.random.default_rng(0)
    texts = np.array(non_personal(tiny, judge, shop.references, rng).texts)
    for product in np.unique(judge.cells.product):
        assert len(set(texts[judge.cells.product == product])) == 1
