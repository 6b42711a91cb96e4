"""The network behind the token edits: a small bidirectional transformer that reads a text beside its product's fields.

A word is the sum of vectors of its hashed letters (fastText: Bojanowski et al., TACL 2017), so that no word is unknown;
its capitals, the gap before it, whether it may be edited, whether it stands there twice and what the word list says of
it have a vector together. Two heads read each token of the text: the tag (GECToR, Omelianchuk et al., BEA 2020) and
whether anything is wrong there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from copybandit.generators.token_edits import START, Token
from copybandit.generators.token_words import repeated

GRAMS = 18
"""Most hashed pieces of a word."""
LONGEST = 160
"""Most tokens of a text and its fields together."""
MOST_FIELDS = 24
"""Most tokens of the fields."""
KINDS = 3 * 6 * 2 * 2 * 2 * 4
_GAPS = {"": 0, " ": 1}


@dataclass(frozen=True, kw_only=True)
class TaggerShape:
    """Sizes of the network.

    Attributes:
        labels: tags it knows.
        buckets: vectors for hashed pieces.
        width: of every layer.
        layers, heads: of the transformer.
        dropout: share of units of the first layer that are dropped in training.
    """

    labels: int
    buckets: int = 8192
    width: int = 128
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1


@dataclass(frozen=True)
class Sheet:
    """What the network reads of one text.

    Attributes:
        grams: shape (t, `GRAMS`), hashed pieces of each token; 0 where there are fewer.
        kinds: shape (t,), how each token is written, 1 to `KINDS`.
        n: tokens of the text, `START` among them; the rest are the fields'.
    """

    grams: NDArray[np.int32]
    kinds: NDArray[np.int32]
    n: int


@lru_cache(maxsize=1 << 15)
def grams(word: str, buckets: int) -> tuple[int, ...]:
    """Hashed pieces of a word, in 1 to buckets - 1: all of it, its beginnings, endings and triples."""
    low = word.lower()
    pieces = [f"w{low}"]
    if low[:1].isalpha() and len(low) > 1:
        pieces += [f"p{low[:k]}" for k in (1, 2, 3, 4)] + [f"s{low[-k:]}" for k in (1, 2, 3, 4)]
        edged = f"<{low}>"
        pieces += [f"t{edged[i : i + 3]}" for i in range(len(edged) - 2)]
    return tuple(1 + crc32(piece.encode()) % (buckets - 1) for piece in pieces[:GRAMS])


@lru_cache(maxsize=1 << 15)
def _written(word: str) -> int:
    """Small, capital, all capitals, mixed, number, mark."""
    if not word[:1].isalpha():
        return 4 if any(map(str.isdigit, word)) else 5
    if word == word.lower():
        return 0
    return 2 if word.isupper() and len(word) > 1 else 1 if word[1:] == word[1:].lower() else 3


def sheet(
    source: Sequence[Token],
    stays: Sequence[bool],
    looked: Sequence[int],
    fields: Sequence[Token],
    buckets: int,
) -> Sheet:
    """Encode a text and its product's fields; what is longer than `LONGEST` is cut off at the end.

    Args:
        source: tokens of the text.
        stays: per token, whether no edit may change it.
        looked: per token, what the word list says of it, 0 to 3 (`Labels.looked_up`).
        fields: tokens of what the product says.
        buckets: of the network's `TaggerShape`.
    """
    beside = fields[:MOST_FIELDS]
    row = (*source[: LONGEST - len(beside)], *beside)
    n = len(row) - len(beside)
    pieces = np.zeros((len(row), GRAMS), np.int32)
    kinds = np.zeros(len(row), np.int32)
    for i, token in enumerate(row):
        found = grams(token.word, buckets)
        pieces[i, : len(found)] = found
        inside = i < n
        codes = (
            _written(token.word),
            int(inside),
            int(inside and stays[i]),
            int(inside and repeated(source, i)),
            looked[i] if inside else 0,
        )
        kind = _GAPS.get(token.gap, 2)
        for code, size in zip(codes, (6, 2, 2, 2, 4), strict=True):
            kind = kind * size + code
        kinds[i] = 1 + kind
    return Sheet(pieces, kinds, n)


class TokenTagger(nn.Module):
    """Sheets in, scores of tags and of errors out."""

    def __init__(self, shape: TaggerShape) -> None:
        super().__init__()
        width = shape.width
        self.shape = shape
        self.pieces = nn.EmbeddingBag(shape.buckets, width, mode="sum", padding_idx=0)
        self.kinds = nn.Embedding(1 + KINDS, width, padding_idx=0)
        self.places = nn.Embedding(LONGEST, width)
        self.first = nn.LayerNorm(width)
        self.drop = nn.Dropout(shape.dropout)
        self.around = nn.Conv1d(width, width, kernel_size=5, padding=2)
        layer = nn.TransformerEncoderLayer(
            width, shape.heads, 4 * width, 0.0, "relu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, shape.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.tag = nn.Linear(width, shape.labels)
        self.wrong = nn.Linear(width, 1)
        nn.init.normal_(self.pieces.weight, std=0.3 / math.sqrt(GRAMS))
        nn.init.normal_(self.kinds.weight, std=0.1)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, pieces: Tensor, kinds: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Score every token, or those of a mask.

        Args:
            pieces: shape (b, t, `GRAMS`).
            kinds: shape (b, t); 0 stands for no token.
            mask: shape (b, t), the k tokens to score.

        Returns:
            logits of tags, shape (b, t, labels) or (k, labels), and log-odds of an error, shape (b, t) or (k,).
        """
        b, t, size = pieces.shape
        absent = kinds == 0
        bag = self.pieces(pieces.reshape(b * t, size)).reshape(b, t, -1)
        x = self.first(bag + self.kinds(kinds) + self.places.weight[:t])
        x = self.drop(x).masked_fill(absent[..., None], 0.0)
        x = x + torch.relu(self.around(x.transpose(1, 2)).transpose(1, 2))
        x = self.encoder(x, src_key_padding_mask=absent)
        x = x if mask is None else x[mask]
        return self.tag(x), self.wrong(x)[..., 0]


def stacked(sheets: Sequence[Sheet]) -> tuple[Tensor, Tensor]:
    """Sheets as one batch, padded with 0: pieces (b, t, `GRAMS`) and kinds (b, t)."""
    width = max(len(one.kinds) for one in sheets)
    pieces = np.zeros((len(sheets), width, GRAMS), np.int64)
    kinds = np.zeros((len(sheets), width), np.int64)
    for row, one in enumerate(sheets):
        pieces[row, : len(one.kinds)] = one.grams
        kinds[row, : len(one.kinds)] = one.kinds
    return torch.from_numpy(pieces), torch.from_numpy(kinds)


__all__ = ["START", "Sheet", "TaggerShape", "TokenTagger", "grams", "sheet", "stacked"]
