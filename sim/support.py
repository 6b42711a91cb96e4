"""Is a text like the human copy that a wording model was fitted on? Where it is not, its score deserves doubt.

Several tests, each a number that is higher for odder texts: of the surface and the distance of the meaning (beyond what
99% of human copy keeps to), of each encoder's features (log-odds of disorder against human copy) and of the order of words
(the same from surprisal under a trigram model): noise-contrastive estimation (Gutmann and Hyvarinen, 2010), whose noise is
human words in disorder and what searches for weak places find. A text is as odd as its oddest test says, so that
none makes up for another. Held-out human copy turns oddness into a conformal p-value (Vovk et al., 2005): whoever calls copy
with p below alpha odd is wrong about a share alpha of human copy at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression

from copybandit.sim.blocks import Block, sizes
from copybandit.sim.disorder import disordered
from copybandit.sim.encoders import Encoder
from copybandit.sim.surprisal import Surprisal
from copybandit.sim.types import DataError, Floats, Ints

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
TAIL, UNUSUAL = 0.005, 0.1
"""Shares of human copy beyond each end of a range, and a width or more beyond the median of the other tests."""
ALPHA, SURE = 0.1, 0.5
"""Below the first p-value a text is flagged; above the second there is no doubt."""
AXES = 32
"""Principal axes in which the distance of a meaning is measured."""
KNOWN = (5, 20, 100)
"""Occurrences that make a word known by itself; others are read by their shape."""
FOLDS = 4
"""Surprisal is learned on all folds but one and measured on that one."""
_TOKEN = re.compile(r"[^\W\d_][\w'’]*|\d+|[^\w\s]")


@dataclass(frozen=True, kw_only=True)
class View:
    """One encoder's test of naturalness.

    Attributes:
        block: places a text, shape (d,).
        unnatural: shape (d + 2 q + 1,), log-odds of disorder from features, surprisal and its squares, the constant last.
    """

    block: Block
    unnatural: Floats


@dataclass(frozen=True, kw_only=True)
class Support:
    """What human copy is like.

    Attributes:
        views: one per encoder; the first also measures distance.
        axes: shape (d, r), whiten the leading axes of human copy.
        letters: that human copy uses; others are strange.
        surprisal: of human copy, from fine words to coarse ones.
        surprising: shape (2 q + 1,), log-odds of disorder from surprisal and its squares, the constant last.
        median, width: shape (len(views) + 1,), of these tests over human copy; the width is how far the highest tenth
            lies above.
        low, high: shape (len(RANGED),), ends of each range.
        oddness: shape (m,), of held-out human copy, sorted.
    """

    views: tuple[View, ...]
    axes: Floats
    letters: str
    surprisal: tuple[Surprisal, ...]
    surprising: Floats
    median: Floats
    width: Floats
    low: Floats
    high: Floats
    oddness: Floats

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        encoders: Sequence[Encoder],
        rng: np.random.Generator,
        *,
        group: Ints | None = None,
        attack: Attack | None = None,
        rounds: int = FOLDS,
    ) -> Support:
        """Learn from three quarters of human copy, and from attacks on what was learned; the rest gives the p-values.

        Args:
            texts: n texts, of the fit split only.
            encoders: fitted encoders, one test each; a test is as good as what its encoder knows of word order.
            rng: parts the texts and puts words into disorder.
            group: shape (n,), texts that resemble each other, e.g. of one test; they stay together.
            attack: makes texts that pass for human under what was learned so far; they are learned as not human.
            rounds: of attacking and learning again.

        Raises:
            DataError: fewer than 40 different texts, or fewer than 10 groups.
        """
        folds, unseen = _parted(texts, group, rng)
        learned = [text for own in folds for text in own]
        blocks = [Block.fit(encoder, learned) for encoder in encoders]
        rest = [[text for own in folds if own is not fold for text in own] for fold in folds]
        models = [_surprisal(others) for others in rest]
        wrong = [disordered(fold, rng) for fold in folds]
        found = cls._learned(blocks, models, folds, wrong)
        for k in (i % FOLDS for i in range(rounds if attack else 0)):
            assert attack is not None
            naive = replace(found, surprisal=models[k])._calibrated(folds[k])
            wrong[k] += attack(naive, folds[k])
            found = cls._learned(blocks, models, folds, wrong)
        return replace(found, surprisal=_surprisal(learned))._calibrated(unseen)

    @classmethod
    def _learned(
        cls,
        blocks: Sequence[Block],
        models: Sequence[tuple[Surprisal, ...]],
        folds: Sequence[list[str]],
        wrong: Sequence[list[str]],
    ) -> Support:
        """All but surprisal and p-values; surprisal is measured by models that did not see the fold."""
        learned = [text for fold in folds for text in fold]
        spoilt = [text for fold in wrong for text in fold]
        order, disorder = (
            np.concatenate([_squares(model, fold) for model, fold in zip(models, side, strict=True)])
            for side in (folds, wrong)
        )
        x = [block.encode(learned) for block in blocks]
        views = tuple(
            View(
                block=block,
                unnatural=_classifier(
                    np.hstack([own, order]), np.hstack([block.encode(spoilt), disorder]), 0.01
                ),
            )
            for block, own in zip(blocks, x, strict=True)
        )
        axes, surprising = _whitening(x[0]), _classifier(order, disorder, 0.1)
        letters = "".join(sorted(set("".join(learned))))
        low, high = np.quantile(_ranged(learned, x[0] @ axes, frozenset(letters)), [TAIL, 1 - TAIL], axis=0)
        median, tail = np.quantile(_tests(views, surprising, x, order), [0.5, 1 - UNUSUAL], axis=0)
        return cls(
            views=views,
            axes=axes,
            letters=letters,
            surprisal=models[0],
            surprising=surprising,
            median=median,
            width=np.maximum(tail - median, 1e-3),
            low=low,
            high=high,
            oddness=np.zeros(1),
        )

    def _calibrated(self, unseen: Sequence[str]) -> Support:
        return replace(self, oddness=np.sort(self.odd(unseen)))

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of what `beyond` tells."""
        return (*RANGED, *(f"unnatural_{k}" for k in range(len(self.views))), "surprising")

    def beyond(self, texts: Sequence[str]) -> Floats:
        """What each of `measures` says against a text, in widths, shape (n, len(measures)); ranges say 0 inside."""
        if not len(texts):
            return np.zeros((0, len(self.measures)))
        x, order = [view.block.encode(texts) for view in self.views], _squares(self.surprisal, texts)
        found = _ranged(texts, x[0] @ self.axes, frozenset(self.letters))
        half = np.maximum((self.high - self.low) / 2, 0.02)
        ranged = np.maximum(np.maximum(found - self.high, self.low - found), 0) / half
        tests = _tests(self.views, self.surprising, x, order)
        return np.column_stack([ranged, (tests - self.median) / self.width])

    def odd(self, texts: Sequence[str]) -> Floats:
        """How odd texts are, in widths, shape (n,): the oddest of the tests."""
        beyond = self.beyond(texts)
        ranged = beyond[:, : len(RANGED)].sum(axis=1)
        return np.asarray(
            np.maximum(np.where(ranged > 0, 1 + ranged, -np.inf), beyond[:, len(RANGED) :].max(axis=1))
        )

    def p_value(self, texts: Sequence[str]) -> Floats:
        """Share of held-out human copy at least as odd, shape (n,), in (0, 1]."""
        return self.p_value_of(self.odd(texts))

    def p_value_of(self, odd: Floats) -> Floats:
        """The same from oddness, shape (n,)."""
        held = self.oddness
        return np.asarray((1 + len(held) - np.searchsorted(held, odd)) / (1 + len(held)))

    def excess(self, texts: Sequence[str]) -> Floats:
        """How much odder than what is flagged, in widths, shape (n,); 0 for human copy."""
        return self.excess_of(self.odd(texts))

    def excess_of(self, odd: Floats) -> Floats:
        """The same from oddness, shape (n,)."""
        return np.asarray(np.maximum(odd - np.quantile(self.oddness, 1 - ALPHA), 0))


Attack = Callable[[Support, Sequence[str]], list[str]]
"""What was learned and human copy to take words from -> texts that should pass for human."""


def _parted(
    texts: Sequence[str], group: Ints | None, rng: np.random.Generator
) -> tuple[list[list[str]], list[str]]:
    """Different texts in `FOLDS` that are learned from, and about a quarter that is not; groups stay together."""
    codes = range(len(texts)) if group is None else np.asarray(group).tolist()
    owner = dict(zip(reversed(texts), reversed(codes), strict=True))
    names = sorted(set(owner.values()))
    if len(owner) < 40 or len(names) < 10:
        raise DataError(
            f"support: at least 40 different texts in 10 groups are needed, got {len(owner)} in {len(names)}; give more copy"
        )
    place = dict(zip(names, rng.permutation(len(names)).tolist(), strict=True))
    held = len(names) // 4
    unseen = [text for text, name in owner.items() if place[name] < held]
    learned = [(text, place[name] % FOLDS) for text, name in owner.items() if place[name] >= held]
    return [[text for text, fold in learned if fold == k] for k in range(FOLDS)], unseen


def _classifier(human: Floats, noise: Floats, c: float) -> Floats:
    """Log-odds of noise, linear in the features, shape (d + 1,), the constant last; `c` is sklearn's inverse penalty."""
    x = np.concatenate([human, noise])
    mean, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    model = LogisticRegression(C=c, max_iter=1000)
    model.fit((x - mean) * scale, np.repeat([0, 1], [len(human), len(noise)]))
    slope = model.coef_[0] * scale
    return np.append(slope, model.intercept_ - slope @ mean)


def _tests(views: Sequence[View], surprising: Floats, x: Sequence[Floats], order: Floats) -> Floats:
    """Log-odds of disorder by each view and by surprisal, shape (n, len(views) + 1)."""
    odds = [_log_odds(view.unnatural, np.hstack([own, order])) for view, own in zip(views, x, strict=True)]
    return np.column_stack([*odds, _log_odds(surprising, order)])


def _log_odds(classifier: Floats, x: Floats) -> Floats:
    return np.asarray(x @ classifier[:-1] + classifier[-1])


def _surprisal(texts: Sequence[str]) -> tuple[Surprisal, ...]:
    return tuple(Surprisal.fit(texts, known) for known in KNOWN)


def _squares(models: Sequence[Surprisal], texts: Sequence[str]) -> Floats:
    """Surprisal and sizes with their squares, shape (n, q)."""
    found = np.hstack([*(model.measure(texts) for model in models), sizes(texts)])
    return np.hstack([found, found**2])


def _ranged(texts: Sequence[str], place: Floats, known: frozenset[str]) -> Floats:
    """Measures of `RANGED`, shape (n, len(RANGED))."""
    surface = np.array([_surface(text, known) for text in texts]).reshape(len(texts), -1)
    return np.column_stack([surface, np.sqrt((place**2).sum(axis=1))])


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
