"""The words that token edits know: which may be edited at all, how a slip of the keys is spelled, where two words part.

An edit may not change what is said. That is made sure of by construction, not learned: `held` words (the product's,
numbers, negations) stay, and `allowed` lets only function words and repetitions go, only function words and marks come,
and one word replace another only where both are function words or are nearly spelled alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from copybandit.generators.token_edits import START, Tag, Token, recast, tokens
from copybandit.generators.word_forms import REGULARISED, recased
from copybandit.sim.types import Brief

FUNCTION = frozenset(
    "a about after all also am an and another any are as at be because been before being both but by can could did do "
    "does doing during each either every for from had has have having he her here hers him his how i if in into is it "
    "it's its just like many may me might more most much must my of off on onto or other our ours out over own shall "
    "she should so some such than that that's the their theirs them then there there's these they they're this those "
    "through to too toward under until up us was we we're were what when where which while who who's whom whose why "
    "will with would yet you you're your yours".split()
)
"""Words that say how things hang together; what a text says of the product hardly depends on them."""
FIXED = frozenset(
    "no not never none nothing neither nor without cannot can't don't doesn't didn't isn't aren't won't wasn't weren't "
    "haven't hasn't couldn't wouldn't shouldn't only except zero one two three four five six seven eight nine ten eleven "
    "twelve dozen hundred thousand million half double twice once first second third percent free new up over under less "
    "least more most all every any each".split()
)
"""Words that a deletion, a replacement or an append may not touch or bring in: negations, numbers, quantities."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PLAIN = re.compile(r"[A-Za-z'’-]+|['\"‘’“”….,:;!?()\[\]–—-]")
"""English words and the marks of sentences; signs of money and measure and other scripts stay as they are."""
_AN = re.compile(
    r"(?!e[uw]|on(?:e|ce)\b|u(?:s[aeiu]|ni(?![mn])|ti|k$))[aeiou]|hour|heir|hono|hones|8|1[18]\b"
)
"""Before these stands `an`; a short word with none of them may be letters, spoken one by one."""
_NEAR = 3
"""Tokens back in which a repetition stands."""


@dataclass(frozen=True)
class WordList:
    """Known words, the commonest first, all lower case.

    Attributes:
        words: what is no slip of the keys.
        usual: how many of the first may be put for an unknown word; the rest are known, but too rare to be meant. None: all.
    """

    words: tuple[str, ...]
    usual: int | None = None

    @cached_property
    def rank(self) -> dict[str, int]:
        """Place of each word."""
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def common(self) -> dict[str, int]:
        """Place of each word that may be put for another."""
        return {word: i for i, word in enumerate(self.words[: self.usual])}

    @cached_property
    def misformed(self) -> dict[str, str]:
        """Regular forms of irregular words and forms without apostrophe that are no usual words, and the right ones."""
        bare = {_bare(word): word for word in self.words if "'" in word}
        return {w: right for w, right in (REGULARISED | bare).items() if w not in self.common and len(w) > 2}

    def knows(self, word: str) -> bool:
        """Whether a word, with or without an ending after an apostrophe, is in the list and not misformed."""
        low = word.lower()
        if low in self.misformed:
            return False
        return low in self.rank or re.split(r"['’]", low)[0] in self.rank

    def spell(self, word: str, also: frozenset[str] = frozenset()) -> str:
        """The right form of a word, or the known word one slip of the keys away, those of `also` first.

        Empty where there is none or the word is known.

        >>> WordList(("the", "kettle")).spell("Ketlte")
        'Kettle'
        """
        low = word.lower()
        if len(low) < 3 or not low.isalpha() or low in also or self.knows(low):
            return ""
        if low in self.misformed:
            return recased(self.misformed[low], word)
        near = one_slip(low)
        found = (near & also) or (near & self.common.keys())
        best = min(found, key=lambda known: (self.rank.get(known, -1), known), default="")
        return recased(best, word)

    def part(self, word: str, also: frozenset[str] = frozenset()) -> int:
        """After how many letters an unknown word falls into two known ones; 0 where it does not.

        >>> WordList(("the", "in", "i")).part("inthe")
        2
        """
        low = word.lower()
        if not low.isalpha() or low in also or self.knows(low) or low in self.misformed:
            return 0

        def rarest(place: int) -> int:
            return max(
                self.common.get(half, 0 if half in also else len(self.words))
                for half in (low[:place], low[place:])
            )

        places = [p for p in range(1, len(low)) if _halves(low, p) and rarest(p) < len(self.words)]
        return min(places, key=rarest, default=0)


def _halves(low: str, place: int) -> bool:
    """Whether neither half is a lone letter other than a and i."""
    return all(len(half) > 1 or half in "ai" for half in (low[:place], low[place:]))


@lru_cache(maxsize=4096)
def one_slip(word: str) -> frozenset[str]:
    """Every string that one letter lost, doubled, swapped or mistyped makes of a word (Damerau 1964)."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    lost = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    mistyped = {a + c + b[1:] for a, b in cuts if b for c in _LETTERS}
    added = {a + c + b for a, b in cuts for c in _LETTERS}
    return frozenset(lost | swapped | mistyped | added) - {word}


@lru_cache(maxsize=4096)
def product_words(brief: Brief) -> frozenset[str]:
    """Lower-case words of the fields of a brief, function words left out."""
    product = brief.product
    interests = brief.segment.interests if brief.segment else ()
    told = (product.name, product.brand, product.title, *product.facts, *interests, brief.notes)
    words = {token.word.lower() for text in told for token in tokens(text)}
    return frozenset(word for word in words if any(map(str.isalnum, word))) - FUNCTION


def held(brief: Brief, source: Sequence[Token]) -> tuple[bool, ...]:
    """Which tokens no edit may change: the product's words, its name, brand and facts as written, numbers, negations.

    Returns:
        one truth value per token.
    """
    words = product_words(brief)
    kept = [_stays(token.word, words) for token in source]
    for told in (brief.product.name, brief.product.brand, *brief.product.facts):
        phrase = [token.word.lower() for token in tokens(told)][1:]
        for start in _places(phrase, [token.word.lower() for token in source]):
            kept[start : start + len(phrase)] = [True] * len(phrase)
    return tuple(kept)


def _stays(word: str, words: frozenset[str]) -> bool:
    low = word.lower()
    if not word or low in words or low in FIXED - FUNCTION or any(map(str.isdigit, word)):
        return True
    return not _PLAIN.fullmatch(word)


def _places(phrase: list[str], row: list[str]) -> list[int]:
    size = len(phrase)
    return [i for i in range(len(row) - size + 1) if size and row[i : i + size] == phrase]


def allowed(tag: Tag, source: Sequence[Token], place: int, stays: Sequence[bool], known: WordList) -> bool:
    """Whether a tag may be given to the token at a place, by the rules above."""
    token = source[place]
    match tag.op:
        case "keep":
            return True
        case "append":
            return all(
                t.word.lower() in FUNCTION - FIXED or t.word in (",", ".", "'") for t in tokens(tag.word)[1:]
            )
        case "delete":
            free = not stays[place] and token.word.lower() in FUNCTION - FIXED
            return (free or repeated(source, place) or _idle(token)) and not _glues(source, place)
        case "space" | "join":
            return token != START and _parts_well(tag, source, place, stays, known)
    if stays[place] or not token.word:
        return False
    if tag.op == "split":  # names and new words are put together of other words, seldom of words like `the`
        low, cut = token.word.lower(), int(tag.word)
        return cut < len(low) and not {low[:cut], low[cut:]}.isdisjoint(FUNCTION)
    wanted, low = recast(token.word, tag).lower(), token.word.lower()
    after = source[place + 1].word.lower() if place + 1 < len(source) else ""
    if (low == "an" and wanted != "a" and _fits(low, after)) or not _fits(wanted, after):
        return False
    return wanted == low or _near(low, wanted)


def _fits(word: str, after: str) -> bool:
    """Whether a word may stand before another; only `a` and `an` may not stand before every word."""
    if word == "a":
        return after.isalpha() and len(after) > 2 and not _AN.match(after)
    return word != "an" or bool(_AN.match(after))


def _near(low: str, wanted: str) -> bool:
    """Function words both, or two slips of the keys apart at most."""
    if _bare(low) == _bare(wanted) or REGULARISED.get(low) == wanted:
        return True
    if {low, wanted} & (FIXED - FUNCTION):
        return False
    if {low, wanted} <= FUNCTION:
        return True
    return len(low) > 2 and not (one_slip(low) | {low}).isdisjoint(one_slip(wanted) | {wanted})


def _bare(word: str) -> str:
    return word.replace("'", "").replace("’", "")


def _idle(token: Token) -> bool:
    return token.word in {",", ";", ":", "!", "?", "'"}


def _glues(source: Sequence[Token], place: int) -> bool:
    """Whether the words around would run together without a token."""
    if place == 0 or place + 1 == len(source) or source[place + 1].gap:
        return False
    return source[place + 1].word[0].isalnum() and source[place - 1].word[-1:].isalnum()


def repeated(source: Sequence[Token], place: int) -> bool:
    """Whether the same word stands shortly before, with no mark between."""
    word = source[place].word.lower()
    before = [token.word.lower() for token in source[max(place - _NEAR, 0) : place]]
    return word.isalpha() and word in before and all(map(str.isalpha, before[before.index(word) :]))


def _parts_well(
    tag: Tag, source: Sequence[Token], place: int, stays: Sequence[bool], known: WordList
) -> bool:
    before, token = source[place - 1].word, source[place].word
    if tag.op == "space" or not (token[0].isalnum() and before[-1:].isalnum()):
        return tag.op == "space" or token in ",.;:!?)"
    return not stays[place] and not stays[place - 1] and known.knows(before + token)
