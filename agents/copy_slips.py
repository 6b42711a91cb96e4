"""A noise model: the slips that writers of English copy make, put into clean text.

Synthetic slips in clean text are how neural correction is pretrained (Grundkiewicz et al., BEA 2019; Awasthi et al.,
EMNLP 2019). Each kind picks one place at random among those where it can happen, or passes. A slip never touches a
token that is `held` (the product's words, numbers), but for a slip of the keys in one of the product's words, which the
editor may mend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.agents.slip_page import Page, Row
from copybandit.agents.slip_words import (
    AFTER_NOUN,
    ARTICLES,
    BARE,
    CONFUSED,
    DETERMINERS,
    IRREGULAR,
    KEYS,
    ONE,
    PREPOSITIONS,
    SEVERAL,
    TURNED,
    TURNING,
    VERBS,
)  # fmt: skip
from copybandit.generators.token_edits import Token, joined, tokens
from copybandit.generators.word_forms import plural, singular

Slip = Callable[[Page, np.random.Generator], Row | None]
"""One kind of slip: the tokens after it, or None where it finds no place."""


def _articles_swapped(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i) in ("a", "an") and page.free(i))
    return page.put(at, "an" if page.low(at) == "a" else "a") if at else None


def _article_lost(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i) in ARTICLES and page.free(i) and page.low(i + 1).isalpha())
    return page.lost(at) if at else None


def _article_extra(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(
        rng, lambda i: page.low(i).isalpha() and page.low(i - 1) in DETERMINERS | {"of", "in", "and"}
    )
    return page.grown(at, str(rng.choice(["the", "a", "the"]))) if at else None


def _turned(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i) in TURNED and page.free(i))
    return page.put(at, TURNED[page.low(at)][0]) if at else None


def _verb_form(page: Page, rng: np.random.Generator) -> Row | None:
    def able(i: int) -> bool:
        return page.free(i) and (page.low(i) in VERBS or singular(page.low(i)) in VERBS)

    def telling(i: int) -> bool:
        return able(i) and page.low(i - 1) in BARE | TURNING

    def alone(i: int) -> bool:
        return able(i) and page.low(i - 1) not in DETERMINERS | set(PREPOSITIONS)  # there it is a noun

    at = page.some(rng, telling) or page.some(rng, alone)
    return page.put(at, _other_number(page.row[at].word)) if at else None


def _other_number(word: str) -> str:
    one = singular(word)
    return one if one != word else plural(word)


def _noun_number(page: Page, rng: np.random.Generator) -> Row | None:
    def able(i: int) -> bool:
        word, before = page.low(i), page.low(i - 1)
        counted = before in SEVERAL or (before.isdigit() and before != "1")
        wrong = (counted and singular(word) != word) or (before in ONE and singular(word) == word)
        head = (
            not page.low(i + 1).isalpha() or page.low(i + 1) in AFTER_NOUN
        )  # "a dirty little secret" has one noun
        return wrong and head and page.free(i) and word.isalpha() and len(word) > 2

    at = page.some(rng, able)
    return page.put(at, _other_number(page.row[at].word)) if at else None


def _doubled(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i).isalpha())
    return page.grown(at + 1, page.row[at].word.lower()) if at else None


def _repeated(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: all(page.low(k).isalpha() for k in (i, i + 1)) and len(page.low(i)) > 3)
    return page.grown(at + 2, page.row[at].word.lower()) if at else None


def _preposition_lost(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: i > 1 and page.low(i) in PREPOSITIONS and page.free(i))
    return page.lost(at) if at else None


def _preposition_swapped(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i) in PREPOSITIONS and page.free(i))
    others = [word for word in PREPOSITIONS[:10] if word != page.low(at)]
    return page.put(at, str(rng.choice(others))) if at else None


def _preposition_extra(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: i > 1 and page.low(i).isalpha() and page.low(i - 1).isalpha())
    return page.grown(at, str(rng.choice(PREPOSITIONS[:8]))) if at else None


def _confused(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i).replace("’", "'") in CONFUSED and page.free(i))
    return page.put(at, str(rng.choice(CONFUSED[page.low(at).replace("’", "'")]))) if at else None


def _mistyped(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i).isalpha() and page.low(i).isascii() and len(page.low(i)) > 3)
    if not at:
        return None
    word = page.row[at].word
    k = int(rng.integers(1, len(word) - 1))
    near = KEYS.get(word[k].lower(), word[k])
    ways = (
        word[:k] + word[k + 1 :], word[:k] + word[k] + word[k:], word[:k] + word[k + 1] + word[k] + word[k + 2 :],
        word[:k] + str(rng.choice(list(near))) + word[k + 1 :],
    )  # fmt: skip
    return page.put(at, ways[rng.integers(4)])


def _regular(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.low(i) in IRREGULAR and page.free(i))
    return page.put(at, IRREGULAR[page.low(at)]) if at else None


def _apostrophe(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.free(i) and ("'" in page.low(i) or "’" in page.low(i)))
    if at and rng.random() < 0.7:
        return page.put(at, page.row[at].word.replace("'", "").replace("’", ""))
    at = page.some(
        rng,
        lambda i: page.free(i) and page.low(i)[4:].isalpha() and singular(page.low(i)) + "s" == page.low(i),
    )
    return page.put(at, page.row[at].word[:-1] + "'s") if at else None


def _run_together(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(
        rng, lambda i: i > 1 and page.low(i).isalpha() and page.low(i - 1).isalpha() and page.free(i)
    )
    return [*page.row[:at], Token("", page.row[at].word), *page.row[at + 1 :]] if at else None


def _torn(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.free(i) and page.low(i).isalpha() and len(page.low(i)) > 5)
    if not at:
        return None
    gap, word = page.row[at]
    k = int(rng.integers(2, len(word) - 1))
    return [*page.row[:at], Token(gap, word[:k]), Token(" ", word[k:]), *page.row[at + 1 :]]


def _capital(page: Page, rng: np.random.Generator) -> Row | None:
    if page.titled:
        return None  # a title in capitals says nothing of one more
    at = page.some(
        rng,
        lambda i: (
            page.row[i].word.islower() and page.low(i).isalpha() and page.free(i) and len(page.low(i)) > 1
        ),
    )
    return (
        page.put(at, page.row[at].word.title() if rng.random() < 0.7 else page.row[at].word.upper())
        if at
        else None
    )


def _lower_i(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.row[i].word in ("I", "I'm", "I'll", "I've", "I'd"))
    return [*page.row[:at], Token(page.row[at].gap, page.low(at)), *page.row[at + 1 :]] if at else None


def _comma_extra(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(
        rng, lambda i: i > 1 and page.low(i - 1) in ARTICLES | set(PREPOSITIONS) and page.low(i).isalpha()
    )
    return [*page.row[:at], Token("", ","), *page.row[at:]] if at else None


def _gap_before_mark(page: Page, rng: np.random.Generator) -> Row | None:
    at = page.some(rng, lambda i: page.row[i] == Token("", ","))
    rest = page.row[at + 1 :]
    return (
        [*page.row[:at], Token(" ", ","), *([Token("", rest[0].word), *rest[1:]] if rest else [])]
        if at
        else None
    )


def _more_better(page: Page, rng: np.random.Generator) -> Row | None:
    degrees = {
        "better": "more",
        "softer": "more",
        "easier": "more",
        "faster": "more",
        "best": "most",
        "bigger": "more",
    }
    at = page.some(rng, lambda i: page.low(i) in degrees)
    return page.grown(at, degrees[page.low(at)]) if at else None


SLIPS: dict[str, tuple[float, Slip]] = {
    "a-an": (2.0, _articles_swapped),
    "article lost": (1.0, _article_lost),
    "article extra": (0.7, _article_extra),
    "agreement": (2.0, _turned),
    "verb form": (2.0, _verb_form),
    "noun number": (1.5, _noun_number),
    "doubled word": (1.2, _doubled),
    "repeated word": (0.5, _repeated),
    "preposition lost": (0.8, _preposition_lost),
    "preposition": (0.7, _preposition_swapped),
    "preposition extra": (0.6, _preposition_extra),
    "confusable": (3.0, _confused),
    "keys": (2.5, _mistyped),
    "regular form": (1.0, _regular),
    "apostrophe": (1.2, _apostrophe),
    "run together": (0.8, _run_together),
    "torn": (0.6, _torn),
    "capital": (0.5, _capital),
    "lower i": (0.6, _lower_i),
    "comma extra": (0.4, _comma_extra),
    "mark": (0.4, _gap_before_mark),
    "comparative": (0.6, _more_better),
}
"""Each kind with its weight."""
COUNTS = (0.5, 0.32, 0.13, 0.05)
"""Shares of texts with 0, 1, 2 and 3 slips."""


@dataclass(frozen=True, kw_only=True)
class Slipped:
    """A text with its slips, in the order in which they were made."""

    text: str
    kinds: tuple[str, ...]


def with_slips(
    text: str,
    holds: Callable[[Sequence[Token]], Sequence[bool]],
    rng: np.random.Generator,
    n: int | None = None,
) -> Slipped:
    """Put slips into a clean text.

    Args:
        text: clean, without outer spaces.
        holds: says of tokens which of them stay.
        rng: the only source of randomness.
        n: how many slips are tried; drawn from `COUNTS` where it is None.
    """
    names, weights = list(SLIPS), np.array([weight for weight, _ in SLIPS.values()])
    wanted = int(rng.choice(len(COUNTS), p=COUNTS)) if n is None else n
    made: list[str] = []
    for _ in range(8 * wanted):  # a kind that finds no place passes
        if len(made) == wanted:
            break
        name = names[rng.choice(len(names), p=weights / weights.sum())]
        row = list(tokens(text))
        done = SLIPS[name][1](Page(row, holds(row)), rng)
        slipped = joined(done).strip() if done else text
        if slipped and slipped != text:
            text, made = slipped, [*made, name]
    return Slipped(text=text, kinds=tuple(made))
