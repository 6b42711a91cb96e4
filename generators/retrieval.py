"""Retrieval-best: no model, only what was shown before and got the most clicks, on the products and segments nearest by.

    likeness(b, c) = J(words of b's product, c's) + J(b's interests, c's)          J = shared words / all words
    lower(c)       = `level` quantile of Beta(prior * rate + clicks, prior * (1 - rate) + impressions - clicks)

Among the usable copy of the `neighbours` cells (product, segment) most like the brief, the highest lower bound wins. Copy
is usable as it stands for its own product and interests; copy of a known move is filled anew with the brief's facts and
interests; other copy is not used. What the editor refuses is not used either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import beta

from copybandit.generators.editor import Editor
from copybandit.generators.grammar import fill, slot_values
from copybandit.generators.recognise import Reading, recognise
from copybandit.generators.template import REFERENCE
from copybandit.sim.types import Brief, DataError, Floats, Ints, Variant


@dataclass(frozen=True, kw_only=True)
class ShownCopy:
    """A log of approved copy, one row per text and brief.

    Attributes:
        briefs: n briefs that the texts were shown for.
        texts: n texts.
        clicks: shape (n,).
        impressions: shape (n,), each at least the clicks; shown in one place, or weighted for it by the caller.
    """

    briefs: tuple[Brief, ...]
    texts: tuple[str, ...]
    clicks: Ints
    impressions: Ints

    def __post_init__(self) -> None:
        n = len(self.texts)
        if not n or len(self.briefs) != n or self.clicks.shape != (n,) or self.impressions.shape != (n,):
            raise DataError(
                f"shown copy: needs as many briefs, texts, clicks and impressions, at least one, got "
                f"{len(self.briefs)}, {n}, {self.clicks.shape}, {self.impressions.shape}; give one of each per row"
            )
        if (self.clicks < 0).any() or (self.clicks > self.impressions).any():
            row = int(np.argmax((self.clicks < 0) | (self.clicks > self.impressions)))
            raise DataError(
                f"shown copy row {row}: clicks must be in [0, impressions], got {self.clicks[row]} of "
                f"{self.impressions[row]}; correct the log"
            )

    def lower(self, level: float, prior: float) -> Floats:
        """Lower bound of each row's click rate, shape (n,): a quantile of its posterior.

        Args:
            level: of the quantile.
            prior: impressions that the log's own rate counts for.
        """
        rate = (self.clicks.sum() + 0.5) / (self.impressions.sum() + 1)
        missed = self.impressions - self.clicks
        found: Floats = beta.ppf(level, prior * rate + self.clicks, prior * (1 - rate) + missed)
        return found


@dataclass(frozen=True, kw_only=True)
class RetrievalWriter:
    """Writes the copy that did best nearby; a brief without usable copy gets the reference copy.

    Attributes:
        shown: what was shown before.
        neighbours: cells that are looked at.
        level: of the lower bound, in (0, 1).
        prior: impressions that the log's own click rate counts for.
        temperature: 0 takes the best; else a text has probability in proportion to lower ** (1 / temperature).
        editor: refuses copy.
        generator_id: name of the writer.
    """

    shown: ShownCopy
    neighbours: int = 8
    level: float = 0.1
    prior: float = 100.0
    temperature: float = 0.0
    editor: Editor = field(default_factory=Editor)
    generator_id: str = "retrieval"

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not 0 < self.level < 1 or self.prior <= 0 or self.temperature < 0:
            raise DataError(
                "retrieval: neighbours must be >= 1, level in (0, 1), prior above 0 and temperature >= 0, got "
                f"{self.neighbours}, {self.level}, {self.prior}, {self.temperature}; try 8, .1, 100, 0"
            )

    def propose(self, briefs: Sequence[Brief], n: int, rng: np.random.Generator) -> list[list[Variant]]:
        """Draw `n` variants for each brief; at temperature 0 all `n` are the same."""
        rows = []
        for brief in briefs:
            texts, probs = self.candidates(brief)
            drawn = rng.choice(len(texts), n, p=probs) if len(texts) > 1 else np.zeros(n, np.int64)
            rows.append([self._variant(brief, texts[k]) for k in drawn])
        return rows

    def log_prob(self, briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
        """Exact log probability of each text, shape (n,).

        Raises:
            DataError: there is not one text per brief.
        """
        if len(briefs) != len(texts):
            raise DataError(f"log_prob: {len(briefs)} briefs, {len(texts)} texts; give one text per brief")
        known = {brief: dict(zip(*self.candidates(brief), strict=True)) for brief in dict.fromkeys(briefs)}
        probs = [known[brief].get(text, 0.0) for brief, text in zip(briefs, texts, strict=True)]
        with np.errstate(divide="ignore"):
            return np.log(np.array(probs, dtype=np.float64))

    def candidates(self, brief: Brief) -> tuple[tuple[str, ...], Floats]:
        """The texts that may be written for a brief, all different, and their probabilities; one at temperature 0."""
        lower: dict[str, float] = {}
        for row in self._nearest(brief):
            text = self._adapted(int(row), brief)
            if text and text not in lower and not self.editor.check(brief, text):
                lower[text] = float(self._lower[row])
                if self.temperature == 0:  # the best row comes first
                    return (text,), np.ones(1)
        if not lower:
            return (REFERENCE.text(brief),), np.ones(1)
        # A bound may be too small for a float; it stays in the running.
        value = np.log(np.maximum(list(lower.values()), np.finfo(np.float64).tiny))
        probs = np.exp((value - value.max()) / self.temperature)
        return tuple(lower), probs / probs.sum()

    def _nearest(self, brief: Brief) -> Ints:
        """Rows of the cells most like the brief, the best row first."""
        cells, products, interests = self._cells
        likeness = _shared(products, _words(brief)[0], self._vocabulary)
        likeness += _shared(interests, _words(brief)[1], self._vocabulary)
        near = np.argsort(-likeness, kind="stable")[: self.neighbours]
        rows = np.flatnonzero(np.isin(cells, near))
        return rows[np.argsort(-self._lower[rows], kind="stable")]

    def _adapted(self, row: int, brief: Brief) -> str:
        """The copy of a row for a brief; empty where it cannot be used."""
        theirs, reading = self.shown.briefs[row], self._readings[row]
        same_reader = _words(theirs)[1] == _words(brief)[1]
        if theirs.product == brief.product and (same_reader or (reading and not reading.interests)):
            return self.shown.texts[row]
        if reading is None:
            return ""
        values = slot_values(brief)
        return fill(reading.move, values) if reading.move.slots <= values.keys() else ""

    @cached_property
    def _lower(self) -> Floats:
        return self.shown.lower(self.level, self.prior)

    @cached_property
    def _readings(self) -> tuple[Reading | None, ...]:
        return tuple(
            recognise(brief.product, text, brief.segment.interests if brief.segment else ())
            for brief, text in zip(self.shown.briefs, self.shown.texts, strict=True)
        )

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        words = {word for brief in self.shown.briefs for side in _words(brief) for word in side}
        return {word: place for place, word in enumerate(sorted(words))}

    @cached_property
    def _cells(self) -> tuple[Ints, csr_matrix, csr_matrix]:
        """Cell of each row, shape (n,); words of each cell's product and of its segment, each (cells, words)."""
        sides = [_words(brief) for brief in self.shown.briefs]
        place: dict[tuple[frozenset[str], frozenset[str]], int] = {}
        cells = np.array([place.setdefault(side, len(place)) for side in sides], dtype=np.int64)
        found = [_incidence([side[k] for side in place], self._vocabulary) for k in (0, 1)]
        return cells, found[0], found[1]

    def _variant(self, brief: Brief, text: str) -> Variant:
        return Variant(
            text=text,
            product_id=brief.product.product_id,
            segment_id=brief.segment.segment_id if brief.segment else -1,
            generator_id=self.generator_id,
        )


def _words(brief: Brief) -> tuple[frozenset[str], frozenset[str]]:
    """Words of a product, its id among them, and of a segment's interests."""
    product = brief.product
    said = f"{product.category} {product.name} {product.text}".lower().replace(",", " ").replace(".", " ")
    interests = brief.segment.interests if brief.segment else ()
    # No word holds a space: the id tells a product from its twin.
    own = frozenset([*said.split(), f"id {product.product_id}"])
    return own, frozenset(word.lower() for word in interests)


def _incidence(sides: Sequence[frozenset[str]], vocabulary: dict[str, int]) -> csr_matrix:
    column = [vocabulary[word] for side in sides for word in sorted(side)]
    start = np.cumsum([0, *(len(side) for side in sides)])
    return csr_matrix((np.ones(len(column)), column, start), shape=(len(sides), len(vocabulary)))


def _shared(cells: csr_matrix, words: frozenset[str], vocabulary: dict[str, int]) -> Floats:
    """Jaccard index of each cell's words and these, shape (cells,); 0 where neither has any."""
    asked = np.zeros(len(vocabulary))
    asked[[vocabulary[word] for word in words if word in vocabulary]] = 1.0
    both = cells @ asked
    either = np.asarray(cells.sum(1)).ravel() + len(words) - both
    found: Floats = both / np.maximum(either, 1)
    return found
