"""Clean English copy for the token editor: the project's own grammar, and human text where the owner's files are there.

Every English kind of copy is composed for invented products, many with unheard-of names (`pretrain.draw_brief`). Human
text is titles and bullets of the fit split of the Costco electronics, to learn from, and the headlines of the fit split
of the Upworthy archive, to choose thresholds on; both are split by `split_groups` with seed 0, so that the other parts
stay unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from copybandit.agents.copy_slips import with_slips
from copybandit.agents.corpus import draw_brief
from copybandit.agents.slip_words import CONFUSED, VERBS
from copybandit.generators.compose import compose
from copybandit.generators.grammar import write
from copybandit.generators.kinds import CONTENT_TYPES, VOICES
from copybandit.generators.normalising import normalise
from copybandit.generators.token_edits import tokens
from copybandit.generators.token_words import FIXED, FUNCTION, WordList, held
from copybandit.sim.catalogue import draw_product
from copybandit.sim.electronics import load_electronics
from copybandit.sim.split import PARTS, split_groups
from copybandit.sim.types import Brief, Product
from copybandit.sim.upworthy import load_ab_tests

_QUESTIONS = (
    "What is it made of?",
    "How big is it?",
    "What does it cost?",
    "Which brand is it?",
    "Is it edible?",
)
_NOTES = (
    "", "I use it each day.", "It was a gift for my sister, and she loves it.", "The lid sticks a little.",
    "We have had it for a month, and it still looks new.", "It is smaller than I thought, but it does what it should.",
    "My children fight over it.", "It arrived in time and was well packed.",
)  # fmt: skip
_KINDS = tuple(kind for kind in CONTENT_TYPES if kind != "tags")  # a list of tags has no grammar
STORY = Product(product_id="story", name="-", title="-", category="-", brand="", price=1.0)
"""Stands for the product of a headline that sells none."""


USUAL = 30_000
"""Words common enough to be meant by a slip of the keys."""


@dataclass(frozen=True, kw_only=True)
class CleanText:
    """A text without slips, what the editor is told beside it, and where it comes from."""

    brief: Brief
    text: str
    source: str


def grammar_texts(n: int, rng: np.random.Generator, strange: float = 0.7) -> list[CleanText]:
    """Copy of every English kind.

    Args:
        n: how many texts.
        rng: the only source of randomness.
        strange: share of briefs of `draw_brief`, most of them with invented words; the others' products are the lexicon's.
    """
    return [_composed(rng, strange) for _ in range(n)]


def _composed(rng: np.random.Generator, strange: float) -> CleanText:
    brief = draw_brief(rng) if rng.random() < strange else Brief(product=draw_product("p", rng))
    kind = _KINDS[rng.integers(len(_KINDS))]
    voice = str(rng.choice(["", "", *VOICES]))
    asked = replace(
        brief, content_type=kind, voice=voice,
        question=str(rng.choice(_QUESTIONS)) if kind == "answer" else "",
        notes=str(rng.choice(_NOTES)) if kind == "review" else "",
        rating=int(rng.integers(1, 6)) if kind == "review" else None,
    )  # fmt: skip
    text = write(asked, rng) if kind == "headline" and not voice else compose(asked, rng).text
    return CleanText(brief=asked, text=normalise(text), source="grammar")


def headline_texts(path: Path, part: str) -> list[CleanText]:
    """Distinct headlines of one part of the Upworthy archive, in the file's order.

    Args:
        path: the archive's file.
        part: fit, select or judge.

    Raises:
        DataError: the file cannot be used.
    """
    tests = load_ab_tests(path)
    rows = split_groups(tests.groups(), seed=0).part == PARTS.index(part)
    texts = dict.fromkeys(normalise(text) for text in tests.take(rows).text)
    return [CleanText(brief=Brief(product=STORY), text=text, source="headlines") for text in texts if text]


def electronics_texts(part: str) -> list[CleanText]:
    """Titles and bullets of one part of the electronics; the editor is told name and brand alone.

    Raises:
        DataError: the package is not installed.
    """
    products = load_electronics()
    rows = split_groups([product.product_id for product in products], seed=0).part == PARTS.index(part)
    found: dict[str, CleanText] = {}
    for product in (products[i] for i in np.flatnonzero(rows)):
        bare = replace(product, title=product.name, facts=())
        for text in (product.title, *product.facts):
            plain = normalise(text)
            if len(plain.split()) > 3:
                found.setdefault(
                    plain, CleanText(brief=Brief(product=bare), text=plain, source="electronics")
                )
    return list(found.values())


def word_list(texts: Iterable[CleanText], frequent: Sequence[str] = (), least: int = 2) -> WordList:
    """Words that are common in general, then words that come at least so often in texts, commonest first.

    Args:
        texts: clean text; of grammar texts only those whose products are the lexicon's.
        frequent: words with the commonest first; the first `USUAL` of them may be put for an unknown word. Where there
            are none, every word may.
        least: fewest times.
    """
    counts: Counter[str] = Counter()
    for clean in texts:
        counts.update(t.word.lower() for t in tokens(clean.text) if t.word.replace("'", "").isalpha())
    known = sorted((word for word, count in counts.items() if count >= least), key=lambda w: (-counts[w], w))
    given = sorted({*FUNCTION, *FIXED, *VERBS, *CONFUSED})
    words = tuple(dict.fromkeys((*frequent, *known, *given)))
    return WordList(words, min(USUAL, len(frequent)) or None)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A text with slips beside the clean one."""

    brief: Brief
    source: str
    target: str
    kinds: tuple[str, ...]


def slipped(clean: CleanText, rng: np.random.Generator, n: int | None = None) -> Pair:
    """Put slips into a clean text; `n` of them, or a random number."""
    done = with_slips(clean.text, lambda row: held(clean.brief, row), rng, n)
    return Pair(brief=clean.brief, source=done.text, target=clean.text, kinds=done.kinds)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Clean texts of one source, and how often it is drawn from."""

    weight: float
    texts: tuple[CleanText, ...]


def draw_pairs(pools: Sequence[Pool], n: int, rng: np.random.Generator) -> list[Pair]:
    """Draw texts, each pool by its weight, and put slips into them."""
    weights = np.array([pool.weight for pool in pools])
    drawn = (pools[k].texts for k in rng.choice(len(pools), size=n, p=weights / weights.sum()))
    return [slipped(texts[rng.integers(len(texts))], rng) for texts in drawn]
