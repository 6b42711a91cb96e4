"""The closed set of tags that the network chooses from, and the two among them that look a word up.

``spell`` replaces a word by the known word one slip of the keys away, ``part`` splits two words that were run together:
which word that is depends on the token, so that one label stands for thousands of tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from copybandit.generators.token_edits import KEEP, Tag, Token, recast, tag_named
from copybandit.generators.token_words import WordList
from copybandit.sim.types import DataError

SPELL, PART = "spell", "part"
_FIRST = ("keep", SPELL, PART)


@dataclass(frozen=True)
class Labels:
    """Names of tags, ``keep`` first, and the words that ``spell`` and ``part`` look up.

    Raises:
        DataError: the first three are not keep, spell and part, or a name is no tag.
    """

    names: tuple[str, ...]
    known: WordList

    def __post_init__(self) -> None:
        if self.names[:3] != _FIRST:
            raise DataError(
                f"labels must begin with {', '.join(_FIRST)}, got {self.names[:3]}; put them first"
            )
        for name in self.names[3:]:
            tag_named(name)

    @cached_property
    def index(self) -> dict[str, int]:
        """Place of each name."""
        return {name: i for i, name in enumerate(self.names)}

    def looked_up(self, token: Token, also: frozenset[str]) -> int:
        """What the word list says of a token: 0 known or no word, 1 unknown, 2 one slip from a known word, 3 two words."""
        word = token.word
        if not word.isalpha() or len(word) < 3 or word.lower() in also or self.known.knows(word):
            return 0
        return 3 if self.known.part(word, also) else 2 if self.known.spell(word, also) else 1

    def label(self, tag: Tag, token: Token, also: frozenset[str]) -> int | None:
        """Index of the label that gives a token this tag; None where there is none.

        Args:
            tag: what became of the token.
            token: the token.
            also: words of the product, known too.
        """
        if tag.op in ("replace", "write", "singular", "plural") and token.word:
            if recast(token.word, tag) == self.known.spell(token.word, also):
                return 1
        if tag.op == "split" and int(tag.word) == self.known.part(token.word, also):
            return 2
        return self.index.get(str(tag))

    def tag(self, label: int, token: Token, also: frozenset[str]) -> Tag:
        """The tag that a label gives a token; `KEEP` where a look-up finds nothing."""
        if label == 1:
            word = self.known.spell(token.word, also)
            return Tag(op="write", word=word) if word else KEEP
        if label == 2:
            place = self.known.part(token.word, also)
            return Tag(op="split", word=str(place)) if place else KEEP
        return tag_named(self.names[label])


def commonest(seen: Iterable[tuple[Tag, Token, frozenset[str]]], known: WordList, least: int) -> Labels:
    """Labels for the tags that come at least so often, those that a look-up explains left out.

    Args:
        seen: tags with their tokens and the product's words.
        known: words that can be looked up.
        least: fewest times that a tag must have come.
    """
    bare, counts = Labels(_FIRST, known), Counter[str]()
    for tag, token, also in seen:
        if tag != KEEP and bare.label(tag, token, also) is None:
            counts[str(tag)] += 1
    kept: Sequence[str] = sorted(name for name, count in counts.items() if count >= least)
    return Labels((*_FIRST, *kept), known)
