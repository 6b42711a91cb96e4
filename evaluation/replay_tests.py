"""Headline tests to be replayed: every headline scored, and every prior fitted, by models that never saw its component.

A contest is the headlines of one test with one image, two or more. Its arms' true click rates are the archive's clicks
over impressions: their sampling noise is part of the truth that is replayed, for every policy alike, and the best arm's
share of it is why an oracle wins so much. Folds are by connected component. Within the four folds that serve a fifth, scores
are out of fold again, so that slope and strength of the prior are fitted to scores of headlines the text model had not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from copybandit.agents.rate_prior import RatePrior, fit_rate_prior
from copybandit.sim.additive_wording import fit_additive, own_variance, usual_encoders
from copybandit.sim.sentence import Sentence
from copybandit.sim.split import fold_groups
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.upworthy import AbTests
from copybandit.sim.wording import centred, log_ctr

ENDED = 50_000
"""Impressions that an arm of a past test counts for: in the replayed world its rate is known."""


@dataclass(frozen=True, kw_only=True)
class Contests:
    """n headlines of g contests.

    Attributes:
        rate: shape (n,), true click rate.
        group: shape (n,), contest, 0 to g - 1.
        component: shape (n,), id of the connected component.
        fold: shape (n,), of the component.
        score: shape (n,), log rate by a text model that was fitted on the other folds.
        priors: of each fold, fitted on the others.
        plain: the same without text.
    """

    rate: Floats
    group: Ints
    component: Ints
    fold: Ints
    score: Floats
    priors: tuple[RatePrior, ...]
    plain: tuple[RatePrior, ...]

    def __len__(self) -> int:
        return int(self.group.max()) + 1

    @property
    def usual(self) -> Floats:
        """Mean rate of each contest's arms, what an even split earns, shape (g,)."""
        return np.asarray(np.bincount(self.group, self.rate) / np.bincount(self.group))

    @property
    def best(self) -> Floats:
        """Rate of each contest's best arm, shape (g,)."""
        best = np.zeros(len(self))
        np.maximum.at(best, self.group, self.rate)
        return best

    @property
    def home(self) -> Ints:
        """Component of each contest, shape (g,)."""
        return self.component[np.unique(self.group, return_index=True)[1]]


def contests_of(
    tests: AbTests, sentence: Sentence | None, *, folds: int = 5, seed: int = 0, shrunk: bool = False
) -> Contests:
    """Score headlines and fit priors, fold by fold.

    Args:
        tests: the archive; packages alone with their image are left out.
        sentence: reads headlines beside style and words; without it, characters do.
        folds: at least 3.
        seed: of the folds.
        shrunk: replay a world whose rates spread within contests as the true ones do, without the sampling noise.

    Raises:
        DataError: too few folds, or a fold without contests.
    """
    if folds < 3:
        raise DataError(f"replay: folds must be at least 3, got {folds}; raise it")
    cell = tests.arms().group
    tests = tests.take(np.bincount(cell)[cell] > 1)
    name = tests.groups()
    fold = fold_groups(name, seed, folds)
    if len(empty := np.setdiff1d(np.arange(folds), fold)):
        raise DataError(f"replay: every fold needs contests, got none in fold {empty[0]}; give more tests")
    group = np.unique(tests.arms().group, return_inverse=True)[1]
    rate = shrunk_rates(tests, group) if shrunk else tests.clicks / tests.impressions
    scores = _scores(tests, fold, sentence, folds)
    fits = [_fit(rate, group, scores[k], fold != k) for k in range(folds)]
    plain = [_fit(rate, group, np.zeros(len(rate)), fold != k) for k in range(folds)]
    return Contests(
        rate=rate,
        group=group,
        component=np.unique(name, return_inverse=True)[1],
        fold=fold,
        score=scores[fold, np.arange(len(rate))],
        priors=tuple(fits),
        plain=tuple(plain),
    )


def shrunk_rates(tests: AbTests, group: Ints) -> Floats:
    """Rates whose logs lie as far from their contest's mean as true ones do on average, shape (n,).

    With v their true variance within contests and 1 / clicks the noise, a deviation shrinks by sqrt(v / (v + 1 / clicks)).
    What a text model explains shrinks with it, so the text is worth less there than it is in truth.
    """
    y, clicks = log_ctr(tests.arms())
    own = own_variance(y, 1 / clicks, group)
    even = np.ones(len(y))
    deviation = centred(y, group, even)
    less = centred(np.sqrt(own / (own + 1 / clicks)) * deviation, group, even)
    return np.asarray(np.exp(y - deviation + less))


def _scores(tests: AbTests, fold: Ints, sentence: Sentence | None, folds: int) -> Floats:
    """Row k: scores of what fold k is served by, each by a model without fold k and without the headline's own fold."""
    scores = np.zeros((folds, len(tests)))
    for one, other in combinations_with_replacement(range(folds), 2):
        kept = tests.take((fold != one) & (fold != other))
        found = fit_additive(
            kept.arms(), usual_encoders(kept.text, sentence), np.random.default_rng(0), pairs=1
        )
        for served, scored in {(one, other), (other, one)}:
            rows = np.flatnonzero(fold == scored)
            scores[served, rows] = found.wording.members(_texts(tests, rows)).mean(axis=0)
    return scores


def _texts(tests: AbTests, rows: Ints) -> Sequence[str]:
    return [tests.text[row] for row in rows.tolist()]


def _fit(rate: Floats, group: Ints, score: Floats, rows: Bools) -> RatePrior:
    cell = table_of(np.unique(group[rows], return_inverse=True)[1])
    present = cell >= 0
    known = np.where(present, rate[rows][cell], 0.0)
    return fit_rate_prior(
        np.where(present, score[rows][cell], 0.0), ENDED * known, np.full(cell.shape, float(ENDED)), present
    )


def table_of(group: Ints) -> Ints:
    """Rows of each group side by side, -1 where it has no more, shape (groups, largest)."""
    order = np.argsort(group, kind="stable")
    size = np.bincount(group)
    place = np.arange(len(group)) - np.repeat(np.cumsum(size) - size, size)
    table = np.full((len(size), int(size.max())), -1)
    table[group[order], place] = order
    return table
