"""Copy read back: the grammar's own texts are recognised, and filled anew they are the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.generators.grammar import fill, moves, write
from copybandit.generators.recognise import recognise
from copybandit.sim.catalogue import draw_catalogue
from copybandit.sim.types import Brief, Product, Segment
from tests.briefs import briefs

PRODUCTS = draw_catalogue(30, np.random.default_rng(0))
WORDS = ("garden", "tea", "retro", "yoga")


def test_every_move_is_recognised() -> None:
    rng = np.random.default_rng(1)
    for product in PRODUCTS:
        brief = Brief(product=product, segment=Segment(segment_id=0, interests=WORDS[:3], size=20))
        for move in moves():
            text = write(brief, rng, move)
            reading = recognise(product, text, WORDS)
            assert reading is not None, text
            assert fill(reading.move, reading.values) == text
            assert set(reading.interests) <= set(WORDS)


@settings(max_examples=60, deadline=None)
@given(brief=briefs(), seed=st.integers(0, 999))
def test_odd_products_are_read_too(brief: Brief, seed: int) -> None:
    text = write(brief, np.random.default_rng(seed))
    reading = recognise(brief.product, text, brief.segment.interests if brief.segment else ())
    assert reading is not None and fill(reading.move, reading.values) == text


def test_what_was_said_of_whom() -> None:
    mug = Product(
        product_id="p", name="mug", title="Mug", category="k", brand="", price=4.0, facts=("blue", "soft")
    )
    personal = recognise(mug, "For garden lovers: a soft mug.", WORDS)
    assert personal is not None and (personal.move.move_id, personal.interests) == ("int-lovers", ("garden",))
    assert personal.values["adj"] == "soft"
    plain = recognise(mug, "Meet the blue mug.", WORDS)
    assert plain is not None and plain.interests == ()
    for foreign in ("Meet the green mug.", "Meet the blue mug", "For cycling lovers: a soft mug.", ""):
        assert recognise(mug, foreign, WORDS) is None
