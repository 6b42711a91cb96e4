"""What `tiny` learns first: products of the synthetic shop, and English headlines from the grammar of copy.

Two products in three have names, facts or interests made of invented words and of pieces of the vocabulary, so that
the model learns to copy what the prompt says rather than to remember the lexicon. Shopper interests are drawn
independently of product and style: the pretrained model knows no taste.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from copybandit.generators.grammar import Move, moves, slot_values, write
from copybandit.generators.prompts import MAX_FACTS, field_prompt
from copybandit.sim.catalogue import draw_product, lexicon
from copybandit.sim.types import Brief, Product, Segment

_ONSETS = "b c d f g h j k l m n p r s t v w br ch cl dr fl gr pl sh st th tr".split()
_VOWELS = "a e i o u ea oo ai ou".split()
_CODAS = ["", "", "n", "r", "l", "t", "s", "ck", "nd", "m", "st", "p"]


def invented_word(rng: np.random.Generator) -> str:
    """Return a pronounceable word of one to three syllables."""
    syllables = rng.integers(1, 4)
    return "".join(
        f"{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}{rng.choice(_CODAS)}" for _ in range(syllables)
    )


def _strange(product: Product, words: Callable[[], str], rng: np.random.Generator) -> Product:
    """Give a product an unheard-of name, and unheard-of facts here and there."""
    name = [words() for _ in range(rng.integers(1, 6))]
    if rng.random() < 0.1:
        name.insert(int(rng.integers(len(name) + 1)), str(rng.integers(2, 100)))
    facts = [words() if rng.random() < 0.5 else fact for fact in product.facts]
    if rng.random() < 0.2:
        facts.insert(0, f"{rng.integers(2, 100)} {words()}")
    return replace(product, name=" ".join(name), facts=tuple(facts[:MAX_FACTS]))


def draw_brief(rng: np.random.Generator, pieces: Sequence[str] = ()) -> Brief:
    """Draw a product and, four times in five, a segment whose interests are independent of it.

    Args:
        rng: the only source of randomness.
        pieces: word pieces of a vocabulary; unheard-of words are made of them, so that every piece is met.
    """
    known = lexicon().interest_words

    def word() -> str:
        kind = rng.random()
        if kind < 0.2:
            return str(rng.choice(known))
        if kind < 0.5 or not len(pieces):
            return invented_word(rng)
        return "".join(pieces[i] for i in rng.choice(len(pieces), size=rng.integers(1, 4)))[:14]

    product = draw_product("p", rng)
    if rng.random() < 0.65:
        product = _strange(product, word, rng)
    if rng.random() < 0.2:
        return Brief(product=product)
    drawn = rng.choice(known, size=rng.integers(1, 4), replace=False)
    interests = tuple(word() if rng.random() < 0.4 else str(picked) for picked in drawn)
    return Brief(product=product, segment=Segment(segment_id=0, interests=interests, size=1))


@cache
def hard_moves() -> tuple[Move, ...]:
    """Moves that take two words of one kind, or that begin with a word of the prompt."""
    return tuple(m for m in moves() if m.slots & {"adj2", "interest2"} or m.text.startswith(("{int", "{adj")))


def draw_corpus(
    n: int, rng: np.random.Generator, pieces: Sequence[str] = (), hard_share: float = 0.0
) -> list[tuple[str, str]]:
    """Draw `n` pairs of field prompt and text; `hard_share` of the texts have one of `hard_moves`, where the brief fits."""
    briefs = (draw_brief(rng, pieces) for _ in range(n))
    return [(field_prompt(brief), _write(brief, rng, hard_share)) for brief in briefs]


def _write(brief: Brief, rng: np.random.Generator, hard_share: float) -> str:
    if not hard_share or rng.random() >= hard_share:
        return write(brief, rng)
    fitting = [move for move in hard_moves() if move.slots <= slot_values(brief).keys()]
    return write(brief, rng, fitting[rng.integers(len(fitting))] if fitting else None)
