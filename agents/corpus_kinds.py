"""What `tiny` learns last: every kind of copy in both languages, beside English headlines as before.

A brief is drawn kind first, then language, voice, placement, product and reader, all independent of each other. The text is
the grammar's own (`copybandit.generators.grammar.write`). A prompt holds no brand and no category, so products of this
corpus have none: the writer never learns to name what it cannot read. Texts that are too long for their place, and tags
that are too long for tags, are not taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from copybandit.agents.corpus import draw_brief, invented_word
from copybandit.agents.corpus_titles import draw_titled
from copybandit.generators.answering import answer_values
from copybandit.generators.grammar import write
from copybandit.generators.kinds import VOICES, source_files
from copybandit.generators.languages import HAN
from copybandit.generators.limits import LIMITS, limit_for
from copybandit.generators.prompts import MAX_FACTS, field_prompt
from copybandit.generators.shape import misshapen
from copybandit.sim.catalogue_zh import MOST_FACTS, chinese_lexicon, draw_chinese_product
from copybandit.sim.shopper_words import shopper_words
from copybandit.sim.types import Brief, ContentType, DataError, Language, Product, Segment

PLAIN_SHARE = 0.4
"""Share of plain English headlines, of which `TITLED_SHARE` are about products with long names."""
TITLED_SHARE = 0.3
KINDS: dict[ContentType, float] = {
    "headline": 0.17, "subject": 0.1, "description": 0.25, "reason": 0.1, "tags": 0.1, "answer": 0.18, "review": 0.1,
}  # fmt: skip
CHINESE_SHARE = 0.55
_QUESTIONS = 30
TEXTS = 3
"""Texts that are drawn for a prompt."""
_NUMBERS = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    14,
    15,
    16,
    18,
    20,
    24,
    25,
    30,
    32,
    36,
    40,
    48,
    50,
    60,
    72,
    80,
    90,
    100,
    120,
)
_LEVEL_ONE = "".join(
    bytes((row, cell)).decode("gb2312", errors="ignore")
    for row in range(0xB0, 0xD8)
    for cell in range(0xA1, 0xFF)
)
"""The 3,755 characters of GB 2312 level 1."""


@dataclass(frozen=True, kw_only=True)
class Strangers:
    """Draws words that nobody knows.

    Attributes:
        pieces: lower-case word pieces of the vocabulary.
        letters: Chinese characters that are one token each.
    """

    pieces: Sequence[str]
    letters: Sequence[str]

    def english(self, rng: np.random.Generator) -> str:
        """A pronounceable word, or one of pieces of the vocabulary."""
        if rng.random() < 0.5:
            return invented_word(rng)
        return "".join(self.pieces[i] for i in rng.integers(len(self.pieces), size=rng.integers(1, 4)))[:14]

    def chinese(self, rng: np.random.Generator) -> str:
        """Two to four characters; in one case of four any of `_LEVEL_ONE`."""
        letters = _LEVEL_ONE if rng.random() < 0.25 else self.letters
        return "".join(letters[i] for i in rng.integers(len(letters), size=rng.integers(2, 5)))

    def word(self, language: Language, rng: np.random.Generator) -> str:
        """A word of that language."""
        return self.chinese(rng) if language == "zh" else self.english(rng)


def draw_kinds(n: int, rng: np.random.Generator, strangers: Strangers) -> list[tuple[str, tuple[str, ...]]]:
    """Draw `n` field prompts, each with one to `TEXTS` different texts."""
    rows: list[tuple[str, tuple[str, ...]]] = []
    while len(rows) < n:
        brief = draw_any_brief(rng, strangers)
        try:
            drawn = [write(brief, rng) for _ in range(TEXTS)]
        except DataError:  # nothing to say: tags of a product without facts
            continue
        if texts := tuple(text for text in dict.fromkeys(drawn) if _fits(brief, text)):
            rows.append((field_prompt(brief), texts))
    return rows


def _fits(brief: Brief, text: str) -> bool:
    limit = limit_for(brief.content_type, brief.placement, LIMITS)
    shaped = brief.content_type != "tags" or not misshapen(text, "", limit)
    return shaped and len(text) <= limit.characters


def draw_chinese_texts(n: int, rng: np.random.Generator) -> list[str]:
    """Draw `n` Chinese texts of all kinds, with products of the lexicon: what Chinese tokens are learned from."""
    letters = common_characters()
    strangers = Strangers(pieces=("a",), letters=letters)
    texts: list[str] = []
    for kind in rng.choice(len(KINDS), size=n):
        brief = draw_brief_of(list(KINDS)[kind], "zh", rng, strangers)
        try:
            texts.append(f"{field_prompt(brief)} {write(brief, rng)}")
        except DataError:  # tags of a product without facts
            continue
    return texts


@cache
def common_characters() -> list[str]:
    """Chinese characters of the lexicon, of what shoppers say and of the grammar, sorted."""
    words, told = chinese_lexicon(), shopper_words("zh")
    said = [*words.brands, *words.colours, *words.styles, *words.interest_words]
    for category in words.categories:
        said += [category.name, *category.nouns, *category.phrases]
    said += [*told.facts, *told.questions, *told.notes, *map(read_text, source_files())]
    return sorted({letter for letter in "".join(said) if HAN.match(letter)})


def read_text(name: str) -> str:
    """A data file of the generators."""
    return files("copybandit.generators").joinpath(name).read_text("utf-8")


def draw_any_brief(rng: np.random.Generator, strangers: Strangers) -> Brief:
    """Draw a brief: a plain English headline, or any kind in any language."""
    if rng.random() < PLAIN_SHARE:
        brief = draw_brief(rng, strangers.pieces)
        if rng.random() < TITLED_SHARE:
            return replace(brief, product=draw_titled("p", lambda: strangers.english(rng), rng))
        return brief
    kind = list(KINDS)[int(rng.choice(len(KINDS), p=list(KINDS.values())))]
    language: Language = "zh" if rng.random() < CHINESE_SHARE else "en"
    return draw_brief_of(kind, language, rng, strangers)


def draw_brief_of(
    kind: ContentType, language: Language, rng: np.random.Generator, strangers: Strangers
) -> Brief:
    """Draw a brief of one kind and language; three in five have a voice, one in five a placement."""
    draw = _chinese_brief if language == "zh" else _english_brief
    product, interests = draw(rng, strangers)
    places = [limit.placement for limit in LIMITS if limit.content_type == kind and limit.placement]
    words = shopper_words(language)
    fill = _filler(language, rng, strangers)
    if kind == "answer":
        product = _told_more(product, words.facts, fill, rng)
    brief = Brief(
        product=product,
        segment=Segment(segment_id=0, interests=interests, size=1) if interests else None,
        content_type=kind,
        language=language,
        voice=str(rng.choice(VOICES)) if rng.random() < 0.6 else "",
        placement=str(rng.choice(places)) if places and rng.random() < 0.2 else "",
        notes=_notes(words.notes, language, fill, rng) if kind == "review" else "",
        rating=int(rng.integers(1, 6)) if kind == "review" else None,
    )
    return _asked(brief, words.questions, fill, rng) if kind == "answer" else brief


def _english_brief(rng: np.random.Generator, strangers: Strangers) -> tuple[Product, tuple[str, ...]]:
    brief = draw_brief(rng, strangers.pieces)
    product = brief.product
    if rng.random() < 0.2:
        product = draw_titled("p", lambda: strangers.english(rng), rng)
    return _bare(product), brief.segment.interests if brief.segment else ()


def _chinese_brief(rng: np.random.Generator, strangers: Strangers) -> tuple[Product, tuple[str, ...]]:
    """Half of the products have a strange name or strange facts."""
    product = draw_chinese_product("p", rng)
    if rng.random() < 0.5:
        name = strangers.chinese(rng)
        if rng.random() < 0.5:
            name += product.name[-2:]
        facts = [strangers.chinese(rng) if rng.random() < 0.3 else fact for fact in product.facts]
        if rng.random() < 0.2:
            facts.insert(
                0, f"{strangers.chinese(rng)}{rng.integers(2, 1000)}{rng.choice(list('个件升米克'))}"
            )
        product = replace(product, name=name, facts=tuple(facts[:MOST_FACTS]))
    known = chinese_lexicon().interest_words
    drawn = rng.choice(known, size=rng.integers(1, 4), replace=False) if rng.random() < 0.8 else ()
    interests = tuple(strangers.chinese(rng) if rng.random() < 0.3 else str(word) for word in drawn)
    return _bare(product), interests


def _bare(product: Product) -> Product:
    """Without what a prompt does not hold."""
    return replace(product, title=product.name, brand="", category="", facts=product.facts[:MAX_FACTS])


def _filler(language: Language, rng: np.random.Generator, strangers: Strangers) -> Callable[[str], str]:
    def fill(pattern: str) -> str:
        while "{n}" in pattern:
            pattern = pattern.replace("{n}", str(rng.choice(_NUMBERS)), 1)
        return pattern.replace("{word}", strangers.word(language, rng))

    return fill


def _told_more(
    product: Product, facts: Sequence[str], fill: Callable[[str], str], rng: np.random.Generator
) -> Product:
    """With one to three facts that shoppers ask about in place of as many of its own."""
    more = [fill(str(fact)) for fact in rng.choice(facts, size=rng.integers(1, 4), replace=False)]
    together = [*more, *product.facts][:MAX_FACTS]
    return replace(product, facts=tuple(together[i] for i in rng.permutation(len(together))))


def _asked(
    brief: Brief, questions: Sequence[str], fill: Callable[[str], str], rng: np.random.Generator
) -> Brief:
    """With a question; three in five times one that the facts answer, if `_QUESTIONS` draws find it."""
    wanted = rng.random() < 0.6
    for _ in range(_QUESTIONS):
        asked = replace(brief, question=fill(str(rng.choice(questions))))
        if bool(answer_values(asked)) == wanted:
            break
    return asked


def _notes(
    notes: Sequence[str], language: Language, fill: Callable[[str], str], rng: np.random.Generator
) -> str:
    """None to three remarks, with or without an end mark."""
    said = [fill(str(note)) for note in rng.choice(notes, size=rng.integers(0, 4), replace=False)]
    if language == "zh":
        return "，".join(said) + ("。" if said and rng.random() < 0.5 else "")
    return ". ".join(said) + ("." if said and rng.random() < 0.5 else "")
