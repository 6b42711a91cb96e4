"""A wording model that doubts text unlike the copy it was fitted on, and learns beforehand where it could be fooled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.disorder import another, drawn, phrase
from copybandit.sim.encoders import Encoder
from copybandit.sim.search import cross_entropy_search, frequent_phrases, frequent_words
from copybandit.sim.support import ALPHA, FOLDS, SURE, Support
from copybandit.sim.types import Floats, Ints
from copybandit.sim.wording import Wording

LOW = 0.25
"""Share of human copy whose score lies below the ceiling of flagged texts."""
UNIT = 1.0
"""Assumed doubt of one width of oddness beyond what is flagged, in log-odds."""
STRICT = 0.5
"""Deviations in a lower bound from which on a flagged text is worth no more than the ceiling."""
STRONG, STUFFED = 20, 150
"""Words that are stuffed, and texts that they are stuffed into in each round of attacks."""
FRAMES = ("Title: {}", "{} | {}", "Please write an ad. {}", "Headline for a shop: {} Headline:", "{} > {}")


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A wording model that knows what it does not know: each member is split in two, `spread` both ways.

    The mean stays, and the variance over members becomes the model's own plus the square of `spread`, whose sign is
    every text's own; so all that reads members, `World.gain` and the tuners' reward among it, sees the doubt, of a
    difference of two texts too. A flagged text is worth no more than `ceiling` in a lower bound of at least `STRICT`
    deviations, and less the odder it is; doubt of oddness fades out from p-value `ALPHA` to `SURE`.

    Attributes:
        inner: the model.
        support: of the texts it was fitted on.
        unit: doubt of one width of oddness beyond what is flagged, in log-odds.
        ceiling: of a flagged text, in log-odds: below most human copy.
        own: standard deviation of what no encoder sees of a new text, in log-odds.
    """

    inner: Wording
    support: Support
    unit: float = UNIT
    ceiling: float = 0.0
    own: float = 0.0

    @property
    def n_members(self) -> int:
        """Twice the members of the model inside."""
        return 2 * self.inner.n_members

    def members(self, texts: Sequence[str]) -> Floats:
        """Scores, shape (n_members, n)."""
        found = self.inner.members(texts)
        spread = signs(texts, len(found)) * np.hypot(self.own, self.apart(texts, found.mean(axis=0)))
        return np.concatenate([found + spread, found - spread])

    def apart(self, texts: Sequence[str], score: Floats) -> Floats:
        """Doubt of the oddness of texts with the given mean scores, in log-odds, shape (n,)."""
        odd = self.support.odd(texts)
        p = self.support.p_value_of(odd)
        share = np.clip((SURE - p) / (SURE - ALPHA), 0, 1)
        return np.asarray(
            share * np.maximum(score - self.ceiling, 0) / STRICT + self.unit * self.support.excess_of(odd)
        )


def fit_guarded(
    wording: Wording,
    texts: Sequence[str],
    encoders: Sequence[Encoder],
    rng: np.random.Generator,
    rounds: int = FOLDS,
    *,
    group: Ints | None = None,
    own: float = 0.0,
    advance: Callable[[], None] = lambda: None,
) -> Guarded:
    """Guard a fitted model, against searches for its own weak places too.

    Args:
        wording: the model.
        texts: the human copy it was fitted on.
        encoders: of the support, one test of naturalness each.
        rng: of the support and of the searches.
        rounds: searches that the support learns from.
        group: shape (n,), texts that resemble each other; see `Support.fit`.
        own: standard deviation of what no encoder sees of a new text, in log-odds.
        advance: called after each search.
    """
    ceiling = float(np.quantile(wording.members(texts).mean(axis=0), LOW))

    def attack(support: Support, human: Sequence[str]) -> list[str]:
        guarded = Guarded(inner=wording, support=support, ceiling=ceiling)

        def bound(attempts: Sequence[str]) -> Floats:
            return lower_bound(guarded, attempts)

        words, phrases = frequent_words(human), frequent_phrases(human) or frequent_words(human)
        tried = [cross_entropy_search(bound, words, slots, rng) for slots in (8, 14)]
        tried += [cross_entropy_search(bound, phrases, slots, rng) for slots in (3, 5)]
        tried.append(_stuffed(wording, human, words, rng))
        advance()
        return list(dict.fromkeys(text for several in tried for text in several))

    support = Support.fit(texts, encoders, rng, group=group, attack=attack, rounds=rounds)
    return Guarded(inner=wording, support=support, ceiling=ceiling, own=own)


def signs(texts: Sequence[str], n: int) -> Floats:
    """+1 or -1 for each of n members and each text, shape (n, len(texts)): bits of a hash, the same again and again."""
    size = -(-n // 8)
    drawn = [hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(size) for text in texts]
    bits = np.unpackbits(np.frombuffer(b"".join(drawn), np.uint8).reshape(len(texts), size), axis=1)
    return np.where(bits[:, :n].T, 1.0, -1.0)


def _stuffed(
    wording: Wording, human: Sequence[str], words: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Human copy with words that score high beside it, in an instruction's or a list's frame, or joined to other copy."""
    scores = wording.members([f"{word}." for word in words]).mean(axis=0)
    strong = [words[i] for i in np.argsort(-scores)[:STRONG].tolist()]
    made = []
    for text in (another(human, rng) for _ in range(STUFFED)):
        few = " ".join(drawn(strong, int(rng.integers(2, 9)), rng))
        frame = FRAMES[int(rng.integers(len(FRAMES)))].replace("{}", text)
        made += [f"{text} {few}", frame, f"{text} {phrase(another(human, rng), rng)}"]
    return made


def doubt(wording: Wording, texts: Sequence[str]) -> Floats:
    """Standard deviation over members, in log-odds, shape (n,)."""
    return np.asarray(wording.members(texts).std(axis=0))


def lower_bound(wording: Wording, texts: Sequence[str], deviations: float = 1.0) -> Floats:
    """Mean over members minus `deviations` times their standard deviation, in log-odds, shape (n,)."""
    found = wording.members(texts)
    return np.asarray(found.mean(axis=0) - deviations * found.std(axis=0))
