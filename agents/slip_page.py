"""A text as tokens that slips are put into: where one can happen, and the text after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.agents.slip_words import capitals_kept
from copybandit.generators.token_edits import Token

Row = list[Token]


@dataclass(frozen=True)
class Page:
    """A text as tokens, and which of them stay."""

    row: Row
    stays: Sequence[bool]

    def free(self, place: int) -> bool:
        """Whether a token may be touched."""
        return not self.stays[place]

    def low(self, place: int) -> str:
        """A word in lower case; empty beyond the ends."""
        return self.row[place].word.lower() if 0 <= place < len(self.row) else ""

    def some(self, rng: np.random.Generator, able: Callable[[int], bool]) -> int:
        """A random place that is able; 0, which is `START`, where there is none."""
        places = [i for i in range(1, len(self.row)) if able(i)]
        return places[rng.integers(len(places))] if places else 0

    def put(self, place: int, word: str) -> Row:
        """With another word at a place."""
        token = self.row[place]
        written = capitals_kept(word, token.word)
        return [*self.row[:place], Token(token.gap, written), *self.row[place + 1 :]]

    def lost(self, place: int) -> Row:
        """Without a token; a capital at the beginning goes on to the next."""
        rest = list(self.row[place + 1 :])
        if rest and self.row[place].word[:1].isupper() and place == 1:
            rest[0] = Token(rest[0].gap, capitals_kept(rest[0].word, "A"))
        return [*self.row[:place], *rest]

    @property
    def titled(self) -> bool:
        """Whether most words have a capital, as in many headlines."""
        words = [token.word for token in self.row if token.word[:1].isalpha()]
        return 2 * sum(word[0].isupper() for word in words) > len(words)

    def grown(self, place: int, word: str) -> Row:
        """With a word before a place, capital where most are."""
        return [*self.row[:place], Token(" ", word.capitalize() if self.titled else word), *self.row[place:]]
