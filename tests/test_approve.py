"""What goes on show: approved, different, and each writer in its own slots."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from copybandit.evaluation.approve import SLOTS, Approved, approve
from copybandit.evaluation.editing_settings import EditingSettings, LengthSettings, editor_of
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.settings import BanditSettings
from copybandit.generators.diversity import SAME, likeness
from copybandit.generators.editor import Editor
from copybandit.generators.grammar import write
from copybandit.sim.types import DataError

Texts = Mapping[str, list[list[str]]]
SHOWN = BanditSettings(n_products=12, diversity=True)


@pytest.fixture(scope="module")
def texts(fitted: Pipeline) -> Texts:
    """The template, and two writers that draw from the grammar."""
    cells, shop, rng = fitted.cells("judge"), fitted.shop(), np.random.default_rng(0)
    drawn = {name: [[write(brief, rng) for brief in cells.briefs]] for name in ("sft", "ppo")}
    return {"template": [[shop.references[product] for product in cells.product]], **drawn}


def shown(fitted: Pipeline, texts: Texts, editor: Editor | None = None) -> Approved:
    return approve(fitted.cells("judge"), texts, fitted.fitted().world, editor or fitted.editor, SHOWN)


def test_each_writer_has_its_slots_and_no_two_texts_are_nearly_one(fitted: Pipeline, texts: Texts) -> None:
    found, cells = shown(fitted, texts), fitted.cells("judge")
    assert found.products.tolist() == np.unique(cells.product)[:12].tolist()
    for product, row in zip(found.products, found.table, strict=True):
        mine = row[row >= 0]
        assert (found.product[mine] == product).all()
        for writer, (name, count) in enumerate(SLOTS):
            own = [found.texts[k] for k in mine if found.writer[k] == writer]
            pool = [texts[name][0][cell] for cell in np.flatnonzero(cells.product == product)]
            assert len(own) <= count and set(own) <= set(pool)
        alike = likeness([found.texts[k] for k in mine])
        assert (alike[np.triu_indices(len(mine), 1)] <= SAME).all()
    assert 0 < found.likeness() < 1


def test_a_text_that_is_nearly_another_is_left_out_and_counted(fitted: Pipeline, texts: Texts) -> None:
    louder = {**texts, "ppo": [[text.removesuffix(".") + "!" for text in texts["sft"][0]]]}
    found = shown(fitted, louder)
    by_sft = {found.texts[k].rstrip(".!?") for k in np.flatnonzero(found.writer == 1)}
    by_ppo = [found.texts[k].rstrip(".!?") for k in np.flatnonzero(found.writer == 2)]
    assert by_ppo and not by_sft & set(by_ppo)
    assert found.near_duplicates >= len(by_sft)


def test_what_the_editor_refuses_is_not_shown_and_nothing_at_all_is_an_error(
    fitted: Pipeline, texts: Texts
) -> None:
    def at_most(characters: int) -> Editor:
        return editor_of(EditingSettings(characters=LengthSettings(headline=characters)))

    found = shown(fitted, texts, at_most(38))
    assert 0 < len(found.texts) < len(shown(fitted, texts).texts)
    assert max(map(len, found.texts)) <= 38
    with pytest.raises(DataError, match="must pass some copy"):
        shown(fitted, texts, at_most(1))


def test_fewer_variants_than_slots(fitted: Pipeline, texts: Texts) -> None:
    two = msgspec.structs.replace(SHOWN, n_variants=2)
    found = approve(fitted.cells("judge"), texts, fitted.fitted().world, fitted.editor, two)
    assert found.table.shape == (12, 2) and set(found.writer) == {0, 1}


def test_without_diversity_each_writers_first_texts_are_shown(fitted: Pipeline, texts: Texts) -> None:
    plain = msgspec.structs.replace(SHOWN, diversity=False)
    cells = fitted.cells("judge")
    found = approve(cells, texts, fitted.fitted().world, fitted.editor, plain)
    for product, row in zip(found.products, found.table, strict=True):
        mine, rows = row[row >= 0], np.flatnonzero(cells.product == product)
        passed = {
            name: [
                texts[name][0][k] for k in rows if not fitted.editor.check(cells.briefs[k], texts[name][0][k])
            ]
            for name, _ in SLOTS
        }
        expected: list[str] = []
        for name, count in SLOTS:
            expected += [text for text in dict.fromkeys(passed[name]) if text not in expected][:count]
        assert [found.texts[k] for k in mine] == expected
    assert found.likeness() > shown(fitted, texts).likeness()
