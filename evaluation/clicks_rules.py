"""What a news desk would not print, and what it would be told of: vetoes and flags for headlines.

A headline about the news may speak of violence, of what somebody lived through and of any number; so the shop editor's
rules of facts, claims and experience do not apply. Vetoed are abuse, personal data, marks and floods that no headline has,
words said again at once, and a length outside that of `KEPT` of the headlines that were learned from. Flagged is a headline
that is nearly one of those: memory, not writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from copybandit.generators.diversity import GRAM, SAME
from copybandit.generators.limits import Limit
from copybandit.generators.normalising import folded, normalise
from copybandit.generators.personal import personal
from copybandit.generators.safety import abusive
from copybandit.generators.shape import misshapen
from copybandit.sim.types import DataError, Floats

KEPT = 0.998
"""Share of the headlines learned from whose length is allowed; the rest is cut evenly at both ends."""
SUBJECTS = "rape raped suicide heroin cocaine murder murdered murderer genocide nazi nazis terrorist terrorists porn slavery"
"""What news is about, and no abuse in a headline."""
_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class NewsDesk:
    """Reads headlines.

    Attributes:
        shortest, longest: characters that a headline may have.
        learned: headlines that the writer learned from.
    """

    shortest: int
    longest: int
    learned: tuple[str, ...]

    @classmethod
    def of(cls, learned: Sequence[str]) -> NewsDesk:
        """The desk that knows some headlines.

        Raises:
            DataError: there are none.
        """
        if not len(learned):
            raise DataError(
                "news desk: at least one headline to learn from is needed, got none; give the fit part"
            )
        low, high = np.quantile([len(text) for text in learned], [(1 - KEPT) / 2, (1 + KEPT) / 2])
        return cls(shortest=int(low), longest=int(np.ceil(high)), learned=tuple(dict.fromkeys(learned)))

    def refusals(self, text: str) -> tuple[str, ...]:
        """Names of the rules that a headline breaks."""
        plain = folded(normalise(text))
        limit = Limit(content_type="headline", characters=self.longest, whole=False, named=False)
        found = [*misshapen(text, "", limit), *abusive(plain, (SUBJECTS,)), *personal(plain)]
        short = ("too-short",) if len(text) < self.shortest else ()
        return tuple(dict.fromkeys((*short, *(one.rule for one in found))))

    def likeness(self, texts: Sequence[str]) -> Floats:
        """How alike each text is to the headline learned from that is most like it, shape (n,), in [0, 1].

        Cosine of the sets of character 4-grams inside words, as near as hashing them into 2^18 places allows.
        """
        parts = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)]
        most = [(_grams(part) @ self._known.T).max(axis=1).toarray()[:, 0] for part in parts]
        return np.asarray(np.concatenate([np.zeros(0), *most]), dtype=np.float64)

    def copied(self, texts: Sequence[str]) -> Floats:
        """1 for a text that is nearly a headline learned from, else 0, shape (n,)."""
        return np.asarray(self.likeness(texts) > SAME, dtype=np.float64)

    @cached_property
    def _known(self) -> sparse.csr_matrix:
        return _grams(self.learned)


def _grams(texts: Sequence[str]) -> sparse.csr_matrix:
    """Sets of grams as rows of unit length, shape (n, 2**18)."""
    reader = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(GRAM, GRAM),
        n_features=2**18,
        binary=True,
        norm="l2",
        alternate_sign=False,
    )
    return reader.transform([folded(normalise(text)) for text in texts])
