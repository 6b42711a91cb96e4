"""How surprising is a text, token by token, to who has read human copy? An interpolated trigram model, in numpy.

    P(w | h) = (c(h, w) + t(h) P(w | shorter h)) / (c(h) + t(h)),  t(h) = how many different tokens followed h

(Witten and Bell, IEEE Trans. Information Theory 37:1085, 1991). A word that is not frequent counts as its shape: its
case and its ending, so the model knows sentences rather than subjects. What context adds to a token's own frequency tells
a sentence from a list of words (Pauls and Klein, ACL 2012).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from copybandit.sim.types import DataError, Floats, Ints

ENDING = 1
"""Letters of its ending in the shape of a word; few and coarse shapes tell disorder best on little copy."""
WINDOW = 3
"""Tokens over which the least expected run is sought."""
MEASURES = (
    "mean",
    "worst",
    "worst_run",
    "mean_gain",
    "worst_gain",
    "worst_gain_run",
    "new_pairs",
    "new_triples",
)
_TOKEN = re.compile(r"[^\W\d_][\w'’]*|\d+|[^\w\s]")
_START, _END, _FIRST = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Surprisal:
    """A fitted model.

    Attributes:
        words: known tokens and shapes.
        keys: for runs of one, two and three tokens, sorted codes of those that were seen.
        counts: how often, in the same shapes.
    """

    words: tuple[str, ...]
    keys: tuple[Ints, ...]
    counts: tuple[Ints, ...]

    @classmethod
    def fit(cls, texts: Sequence[str], known: int = 20) -> Surprisal:
        """Count runs of tokens; a token that occurs `known` times is known by itself.

        Raises:
            DataError: no text has a token.
        """
        often = Counter(token for text in texts for token in _TOKEN.findall(text))
        if not often:
            raise DataError(f"surprisal: a text with a word is needed, got {len(texts)} without; give copy")
        own = {token for token, count in often.items() if count >= known}
        empty = cls(words=tuple(sorted(own | {_shape(token) for token in often})), keys=(), counts=())
        seen = [np.unique(run, return_counts=True) for run in empty._runs(texts)[0]]
        return cls(words=empty.words, keys=tuple(key for key, _ in seen), counts=tuple(n for _, n in seen))

    def log_probs(self, texts: Sequence[str]) -> tuple[Floats, Ints, tuple[Ints, ...]]:
        """Log probability of every token and end by orders 1 to 3, (3, m); whose it is, (m,); how often runs were seen."""
        runs, owner = self._runs(texts)
        prob = np.full(len(owner), 1 / self._base)
        found, seen = [], []
        for (contexts, total, kinds), key, count, run in zip(
            self._contexts, self.keys, self.counts, runs, strict=True
        ):
            n = _lookup(key, count, run)
            context = run // self._base
            c, t = _lookup(contexts, total, context), _lookup(contexts, kinds, context)
            prob = (n + t * prob) / np.maximum(c + t, 1) + (c == 0) * prob
            found.append(np.log(prob))
            seen.append(n)
        return np.stack(found), owner, tuple(seen)

    def measure(self, texts: Sequence[str]) -> Floats:
        """The `MEASURES` of each text, shape (n, len(MEASURES)), in nats or shares; higher is more surprising."""
        if not len(texts):
            return np.zeros((0, len(MEASURES)))
        log_prob, owner, seen = self.log_probs(texts)
        length = np.bincount(owner, minlength=len(texts))
        starts = np.cumsum(length) - length
        columns = []
        for value in (-log_prob[2], log_prob[0] - log_prob[2]):
            run = np.full(len(value), -np.inf)
            total = np.append(0.0, value.cumsum())
            run[WINDOW - 1 :] = (total[WINDOW:] - total[:-WINDOW]) / WINDOW
            run[np.arange(len(run)) - starts[owner] < WINDOW - 1] = -np.inf
            columns += [
                np.add.reduceat(value, starts) / length,
                np.maximum.reduceat(value, starts),
                np.maximum(np.maximum.reduceat(run, starts), np.add.reduceat(value, starts) / length),
            ]
        columns += [np.add.reduceat(n == 0, starts) / length for n in seen[1:]]
        return np.column_stack(columns)

    @cached_property
    def _code(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, _FIRST)}

    @property
    def _base(self) -> int:
        return len(self.words) + _FIRST + 1

    @cached_property
    def _contexts(self) -> tuple[tuple[Ints, Ints, Ints], ...]:
        """Of each order: contexts, how many tokens followed each, how many different ones."""
        found = []
        for key, count in zip(self.keys, self.counts, strict=True):
            context, code, kinds = np.unique(key // self._base, return_inverse=True, return_counts=True)
            found.append((context, np.bincount(code, count).astype(np.int64), kinds))
        return tuple(found)

    def _runs(self, texts: Sequence[str]) -> tuple[tuple[Ints, Ints, Ints], Ints]:
        """Codes of the runs of one, two and three tokens that end at each token, each (m,), and whose they are, (m,)."""
        code, other, base = self._code, self._base - 1, self._base
        flat: list[int] = []
        length = []
        for text in texts:
            tokens = _TOKEN.findall(text)
            flat += [_START, _START]
            flat += [code[t] if t in code else code.get(_shape(t), other) for t in tokens]
            flat.append(_END)
            length.append(len(tokens) + 1)
        token = np.array(flat, dtype=np.int64)
        owner = np.repeat(np.arange(len(texts)), length)
        at = np.arange(len(owner)) + 2 * (owner + 1)
        pair = token[at - 1] * base + token[at]
        return (token[at], pair, token[at - 2] * base**2 + pair), owner


def _lookup(keys: Ints, values: Ints, wanted: Ints) -> Ints:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


def _shape(token: str) -> str:
    """Case, kind and ending; no token looks like it.

    >>> [_shape(token) for token in ("Running", "NASA", "42", "!")]
    ['~Xg', '~XX', '~0', '~!']
    """
    if token.isdigit():
        return "~0"
    if not token[0].isalpha():
        return f"~{token[0]}"
    if len(token) > 1 and token.isupper():
        return "~XX"
    return f"~{'X' if token[0].isupper() else 'x'}{token[-ENDING:].lower()}"
