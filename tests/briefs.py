"""Hypothesis strategies for products and briefs as odd as real catalogues have them."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from copybandit.sim.catalogue import lexicon
from copybandit.sim.types import Brief, Product, Segment

_words = st.text("abcdefghilmnoprstuwyz", min_size=1, max_size=9).filter(
    lambda word: word != "ip"
)  # "ip 0" is a code
_numbers = st.one_of(
    st.integers(0, 2000).map(str),
    st.decimals(0, 99, places=2).map(str),
    st.sampled_from(["8,50", "350ml", "two", "1,000", "half"]),
)
_nouns = st.sampled_from(
    ["umbrella", "gloves", "unicorn", "set of 3 mugs", "scissors", "glass", "T-Shirt", "kids' bags"]
)
_name = st.one_of(_nouns, st.lists(st.one_of(_words, _numbers), min_size=1, max_size=4).map(" ".join)).filter(
    lambda name: not re.search(r"\d{2}[ ,.]\d{3}[ ,.]\d{3}", name)
)  # three numbers in a row may be a telephone's
_facts = st.lists(st.one_of(_words, st.tuples(_words, _numbers, _words).map(" ".join)), max_size=6)


@st.composite
def briefs(draw: st.DrawFn) -> Brief:
    """Briefs with repeated facts, numbers in many spellings, plurals and vowels; the segment may be absent."""
    name = draw(_name)
    product = Product(
        product_id="p",
        name=name,
        title=draw(st.sampled_from([name, f"{name} ASSORTED"])),
        category="kitchen",
        brand=draw(st.sampled_from(["", "Alder & Finch"])),
        price=draw(st.integers(1, 500_000)) / 100,
        facts=tuple(draw(_facts)),
    )
    words = draw(st.lists(st.sampled_from(lexicon().interest_words), max_size=3))
    segment = Segment(segment_id=draw(st.integers(0, 9)), interests=tuple(words), size=20)
    return Brief(product=product, segment=draw(st.sampled_from([None, segment])))
