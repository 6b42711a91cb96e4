"""Is a text like those that a wording model was fitted on? Where it is not, the model's score deserves doubt.

Two kinds of measure. Of the surface (length, capitals, marks, repeats, strange letters) and of the distance of its meaning,
each has a range in which 99% of unseen human copy falls. Naturalness is the log-odds that a text is human copy rather
than human words in disorder (noise-contrastive estimation: Gutmann and Hyvarinen, 2010); doubt starts at the median of
unseen human copy. What a text exceeds ranges or falls below the median by, in half widths, is summed: its `excess`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from copybandit.sim.blocks import Block
from copybandit.sim.encoders import Encoder
from copybandit.sim.search import cross_entropy_search, frequent_phrases, frequent_words
from copybandit.sim.types import DataError, Floats
from copybandit.sim.wording import Wording

RANGED = (
    "words",
    "letters_per_word",
    "capitals",
    "marks",
    "digits",
    "repeats",
    "longest_word",
    "strange",
    "distance",
)
MEASURES = (*RANGED, "unnatural")
TAIL, UNUSUAL = 0.005, 0.1
"""Shares of human copy beyond each end of a range, and a half width or more below the median of naturalness."""
AXES = 32
"""Principal axes in which the distance of a meaning is measured."""
UNIT = 1.0
"""Assumed doubt of one half width of excess, in log-odds: three times the spread of human wordings."""
FREQUENT = 400
"""Words that half of the disordered texts are made of."""
KINDS = (0.1, 0.15, 0.3, 0.2, 0.15, 0.1)
"""How often a text is shuffled, drawn, patched, appended words to, swapped words in, joined to another."""
ROUNDS = 4
"""Of attacking and learning again, in `fit_guarded`."""
_TOKEN = re.compile(r"[^\W\d_][\w'’]*|\d+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class Support:
    """What human copy is like.

    Attributes:
        block: places a text, shape (d,).
        axes: shape (d, r), whiten the leading axes of human copy.
        letters: that human copy uses; others are strange.
        natural: shape (d + 1,), log-odds of naturalness, the constant last.
        threshold, width: of naturalness: the median of human copy, and how far its lowest tenth lies below.
        low, high: shape (len(RANGED),), ends of each range.
    """

    block: Block
    axes: Floats
    letters: str
    natural: Floats
    threshold: float
    width: float
    low: Floats
    high: Floats

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        encoder: Encoder,
        rng: np.random.Generator,
        attack: Callable[[Support], list[str]] | None = None,
        rounds: int = ROUNDS,
    ) -> Support:
        """Learn from human copy: three quarters are learned from, ranges and threshold come from the rest.

        Args:
            texts: n texts, of the fit split only.
            encoder: a fitted encoder; naturalness is as good as what it knows of word order.
            rng: parts the texts and puts words into disorder.
            attack: makes texts that pass for human under what was learned so far; they are learned as not human.
            rounds: of attacking and learning again.

        Raises:
            DataError: fewer than 40 different texts.
        """
        learned, unseen = _parted(texts, rng)
        block = Block.fit(encoder, learned)
        x, wrong = block.encode(learned), disordered(learned, rng)
        found = cls._learned(block, x, wrong, texts)._calibrated(unseen)
        for _ in range(rounds if attack else 0):
            assert attack is not None
            wrong = [*wrong, *attack(found)]
            found = cls._learned(block, x, wrong, texts)._calibrated(unseen)
        return found

    @classmethod
    def _learned(cls, block: Block, x: Floats, wrong: Sequence[str], texts: Sequence[str]) -> Support:
        model = LogisticRegression(C=20.0, max_iter=1000)
        model.fit(np.concatenate([x, block.encode(wrong)]), np.repeat([1, 0], [len(x), len(wrong)]))
        return cls(
            block=block,
            axes=_whitening(x),
            letters="".join(sorted(set("".join(texts)))),
            natural=np.append(model.coef_[0], model.intercept_),
            threshold=0.0,
            width=1.0,
            low=np.zeros(len(RANGED)),
            high=np.zeros(len(RANGED)),
        )

    def _calibrated(self, unseen: Sequence[str]) -> Support:
        ranged, natural = self.measure(unseen)
        low, high = np.quantile(ranged, [TAIL, 1 - TAIL], axis=0)
        low_tail, median = np.quantile(natural, [UNUSUAL, 0.5])
        return replace(
            self, low=low, high=high, threshold=float(median), width=float(max(median - low_tail, 1e-3))
        )

    def measure(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Ranged measures of texts, shape (n, len(RANGED)), and their naturalness, shape (n,)."""
        x = self.block.encode(texts)
        known = frozenset(self.letters)
        surface = np.array([_surface(text, known) for text in texts]).reshape(len(texts), -1)
        distance = np.sqrt(((x @ self.axes) ** 2).sum(axis=1))
        return np.column_stack([surface, distance]), np.asarray(x @ self.natural[:-1] + self.natural[-1])

    def beyond(self, texts: Sequence[str]) -> Floats:
        """What each of `MEASURES` says against a text, in half widths, shape (n, len(MEASURES)); 0 inside."""
        if not len(texts):
            return np.zeros((0, len(MEASURES)))
        found, natural = self.measure(texts)
        half = np.maximum((self.high - self.low) / 2, 0.02)
        ranged = np.maximum(np.maximum(found - self.high, self.low - found), 0) / half
        return np.column_stack([ranged, np.maximum(self.threshold - natural, 0) / self.width])

    def excess(self, texts: Sequence[str]) -> Floats:
        """Sum over the measures, shape (n,); 0 for most human copy."""
        return np.asarray(self.beyond(texts).sum(axis=1))


def _parted(texts: Sequence[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Different texts that are learned from, and the quarter that is not."""
    unique = list(dict.fromkeys(texts))
    if len(unique) < 40:
        raise DataError(f"support: at least 40 different texts are needed, got {len(unique)}; give more copy")
    mixed = [unique[i] for i in rng.permutation(len(unique)).tolist()]
    return mixed[len(unique) // 4 :], mixed[: len(unique) // 4]


def disordered(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Texts of human words that no human wrote, two for each text: see `KINDS`."""
    pool = [word for text in texts for word in text.split()] or ["a"]
    frequent = [word for word, _ in Counter(pool).most_common(FREQUENT)]
    found = []
    for text in texts:
        words, other = text.split() or ["a"], _another(texts, rng).split() or ["a"]
        source = frequent if rng.random() < 0.7 else pool
        kinds = (
            [words[i] for i in rng.permutation(len(words)).tolist()],
            _drawn(source, int(rng.integers(3, 13)), rng),
            [_phrase(_another(texts, rng), rng) for _ in range(rng.integers(2, 6))],
            [*words, *_drawn(source, int(rng.integers(2, 11)), rng)],
            [_drawn(pool, 1, rng)[0] if rng.random() < 0.3 else word for word in words],
            [*words, *other[-int(rng.integers(1, 5)) :]] if rng.random() < 0.5 else [*other[:4], *words],
        )
        found += [" ".join(kinds[i]) for i in rng.choice(len(kinds), 2, replace=False, p=KINDS).tolist()]
    return found


def _another(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]


def _drawn(words: Sequence[str], k: int, rng: np.random.Generator) -> list[str]:
    return [words[i] for i in rng.integers(len(words), size=k).tolist()]


def _phrase(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    start = int(rng.integers(max(1, len(words) - 2)))
    return " ".join(words[start : start + 3])


def _whitening(x: Floats) -> Floats:
    """Leading axes of centred features of shape (n, d), each divided by its standard deviation, shape (d, r)."""
    _, values, right = np.linalg.svd(x / np.sqrt(len(x)), full_matrices=False)
    kept = min(AXES, int((values > 1e-6 * values[0]).sum()), len(x) // 4)
    return np.asarray((right[:kept] / values[:kept, None]).T)


def _surface(text: str, known: frozenset[str]) -> list[float]:
    words, tokens = text.split(), _TOKEN.findall(text.lower())
    letters = [letter for letter in text if letter.isalpha()]
    n = max(1, len(text))
    return [
        float(np.log1p(len(words))),
        len(text) / max(1, len(words)),
        sum(letter.isupper() for letter in letters) / max(1, len(letters)),
        sum(not (letter.isalnum() or letter.isspace()) for letter in text) / n,
        sum(letter.isdigit() for letter in text) / n,
        1 - len(set(tokens)) / max(1, len(tokens)),
        float(np.log1p(max(map(len, words), default=0))),
        sum(letter not in known for letter in text) / n,
    ]


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A wording model that knows what it does not know: each member is split in two, `unit` * excess apart both ways.

    The mean stays, and the variance over members becomes the model's own plus the square of `unit` * excess. All that reads
    members, `World.gain` and the tuners' reward among it, sees the doubt.

    Attributes:
        inner: the model.
        support: of the texts it was fitted on.
        unit: doubt of one half width of excess, in log-odds.
    """

    inner: Wording
    support: Support
    unit: float = UNIT

    @property
    def n_members(self) -> int:
        """Twice the members of the model inside."""
        return 2 * self.inner.n_members

    def members(self, texts: Sequence[str]) -> Floats:
        """Scores, shape (n_members, n)."""
        found, apart = self.inner.members(texts), self.unit * self.support.excess(texts)
        return np.concatenate([found + apart, found - apart])


def fit_guarded(
    wording: Wording, texts: Sequence[str], encoder: Encoder, rng: np.random.Generator, rounds: int = ROUNDS
) -> Guarded:
    """Guard a fitted model, against searches for its own weak places too.

    Args:
        wording: the model.
        texts: the human copy it was fitted on.
        encoder: of the support.
        rng: of the support and of the searches.
        rounds: searches that the support learns from.
    """
    words, phrases = frequent_words(texts), frequent_phrases(texts)

    def attack(support: Support) -> list[str]:
        guarded = Guarded(inner=wording, support=support)

        def bound(attempts: Sequence[str]) -> Floats:
            return lower_bound(guarded, attempts)

        tried = [cross_entropy_search(bound, words, slots, rng) for slots in (8, 14)]
        tried += [cross_entropy_search(bound, phrases, slots, rng) for slots in (3, 5)]
        return list(dict.fromkeys(text for several in tried for text in several))

    return Guarded(inner=wording, support=Support.fit(texts, encoder, rng, attack, rounds))


def doubt(wording: Wording, texts: Sequence[str]) -> Floats:
    """Standard deviation over members, in log-odds, shape (n,)."""
    return np.asarray(wording.members(texts).std(axis=0))


def lower_bound(wording: Wording, texts: Sequence[str], deviations: float = 1.0) -> Floats:
    """Mean over members minus `deviations` times their standard deviation, in log-odds, shape (n,)."""
    found = wording.members(texts)
    return np.asarray(found.mean(axis=0) - deviations * found.std(axis=0))
