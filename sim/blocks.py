"""Blocks: an encoder's features on one scale, so that a prior can say how much each encoder may explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.encoders import Encoder
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.wording import centred

CLIP = 5.0
"""Standard deviations beyond which a feature says no more."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Standardised features of one encoder, of mean square length 1; on wish without what length says.

    Attributes:
        encoder: reads the text.
        mean, scale: shape (d,); a feature that never varies has scale 0.
        length: shape (2, d), what one unit of each of `sizes` adds to a feature; zero where length may speak.
    """

    encoder: Encoder
    mean: Floats
    scale: Floats
    length: Floats

    @classmethod
    def fit(cls, encoder: Encoder, texts: Sequence[str]) -> Block:
        """Standardise on n texts.

        Raises:
            DataError: there is no text.
        """
        if not len(texts):
            raise DataError("block: needs at least one text to fit on, got none; give the texts")
        raw = encoder.encode(texts)
        spread = raw.std(axis=0)
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
        scale /= np.sqrt(max(1, int(np.count_nonzero(scale))))
        return cls(
            encoder=encoder, mean=raw.mean(axis=0), scale=scale, length=np.zeros((2, encoder.dimension))
        )

    @property
    def dimension(self) -> int:
        """Number of features."""
        return self.encoder.dimension

    def encode(self, texts: Sequence[str]) -> Floats:
        """Features, shape (n, d)."""
        limit = CLIP / np.sqrt(max(1, int(np.count_nonzero(self.scale))))
        plain = np.clip((self.encoder.encode(texts) - self.mean) * self.scale, -limit, limit)
        return np.asarray(plain - sizes(texts) @ self.length)

    def without_length(self, texts: Sequence[str], group: Ints) -> Block:
        """Take out what length says within groups, by least squares on texts of shape (n,) in groups of shape (n,)."""
        even = np.ones(len(texts))
        x, size = centred(self.encode(texts), group, even), centred(sizes(texts), group, even)
        return replace(self, length=self.length + np.linalg.lstsq(size, x, rcond=None)[0])


def sizes(texts: Sequence[str]) -> Floats:
    """Logs of one plus the numbers of words and of characters, shape (n, 2)."""
    return np.log1p(
        np.array([(len(text.split()), len(text)) for text in texts], dtype=np.float64).reshape(-1, 2)
    )
