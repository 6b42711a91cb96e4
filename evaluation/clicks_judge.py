"""Real clicks as the judge of a tuned writer: does it prefer, more than before tuning, the headlines that people clicked?

    preference(t | lede) = log pi_tuned(t | lede) - log pi_SFT(t | lede)

for headlines that people wrote and chance showed. Under the optimum of PPO's own objective it is the reward over the price
of KL (Rafailov et al., arXiv 2305.18290, eq. 5), so no model of clicks stands between tuning and verdict. Reported are the
share of compared pairs that it orders as the clicks did, and the click rate of each group's preferred headline over a random
one's, groups weighted by impressions. Intervals resample seeds and connected components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.clicks_data import News
from copybandit.evaluation.intervals import Interval, lift_of, sum_interval
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Floats, Ints
from copybandit.sim.wording import centred, log_ctr

CLEAR = 1.96
"""|z| beyond which one headline of a pair was clearly clicked more."""


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Preference for headlines, each of shape (s, n) for s seeds.

    Attributes:
        total: log ratio of the whole headline.
        per_token: the same over its number of tokens, the end included.
    """

    total: Floats
    per_token: Floats

    def of(self, normalised: bool) -> Floats:
        """One of the two."""
        return self.per_token if normalised else self.total


@dataclass(frozen=True, kw_only=True)
class ClickTest:
    """What clicks say of scores for headlines.

    Attributes:
        accuracy, accuracy_clear: share of pairs ordered rightly, of all and of those with |z| > `CLEAR`; a tie counts half.
        pick_lift: click rate of the headline of the highest score over that of a random one, minus 1.
        by_seed: the three of each seed.
        n_pairs, n_clear, n_groups: counts.
    """

    accuracy: Interval
    accuracy_clear: Interval
    pick_lift: Interval
    by_seed: tuple[tuple[float, float, float], ...]
    n_pairs: int
    n_clear: int
    n_groups: int

    @property
    def passed(self) -> bool:
        """The gate: more than half of all pairs, and more clicks, both at the lower end."""
        return self.accuracy.ci_low > 0.5 and self.pick_lift.ci_low > 0


def log_probs(writer: CausalLM, news: News) -> Floats:
    """Log probability of each headline given its lede, shape (n,), at temperature 1."""
    return writer.text_log_prob(news.asked(), news.tests.text)


def preference(before: Floats, after: Floats, writer: CausalLM, news: News) -> Preference:
    """Preference of tuned writers.

    Args:
        before: shape (n,), `log_probs` of the untuned writer.
        after: shape (s, n), of the tuned ones.
        writer: counts tokens.
        news: n headlines.
    """
    total = after - before
    tokens = np.array([len(row) for row in writer.response_ids(news.tests.text)])
    return Preference(total=total, per_token=total / tokens)


def agreement(score: Floats, news: News) -> float:
    """Correlation of a score, shape (n,), with log click rates within groups, weighted by clicks."""
    y, weight = log_ctr(news.tests.arms())
    x, y = centred(score, news.group, weight), centred(y, news.group, weight)
    both = (weight * x * y).sum()
    return float(both / np.sqrt(np.maximum((weight * x * x).sum() * (weight * y * y).sum(), 1e-300)))


def click_test(scores: Floats, news: News, replicates: int, rng: np.random.Generator) -> ClickTest:
    """Judge scores of headlines by their clicks.

    Args:
        scores: shape (s, n), one row per seed.
        news: n headlines that nothing was fitted to or chosen by.
        replicates: of the bootstrap.
        rng: draws them.
    """
    pairs, groups = news.pairs, picks(scores, news)
    right = 0.5 + 0.5 * np.sign((scores[:, pairs.left] - scores[:, pairs.right]) * pairs.z)
    clear, owner, every = np.abs(pairs.z) > CLEAR, news.component[pairs.left], np.ones(len(pairs))
    used = np.unique(np.concatenate([owner, groups.component]))
    state = int(rng.integers(2**63))  # all three resample alike

    def told(top: Floats, bottom: Floats, home: Ints) -> tuple[Interval, list[float]]:
        both = [_sums(np.searchsorted(used, home), row, len(used)) for row in (top, bottom)]
        sums = np.stack(np.broadcast_arrays(*both))
        again = np.random.default_rng(state)
        return sum_interval(sums, _share, replicates, again), _share(sums.sum(axis=2).T).tolist()

    accuracy, each = told(right, every, owner)
    accuracy_clear, each_clear = told(right[:, clear], every[clear], owner[clear])
    pick, each_pick = told(groups.picked, groups.usual, groups.component)
    return ClickTest(
        accuracy=accuracy,
        accuracy_clear=accuracy_clear,
        pick_lift=Interval(value=pick.value - 1, ci_low=pick.ci_low - 1, ci_high=pick.ci_high - 1),
        by_seed=tuple((a, b, c - 1) for a, b, c in zip(each, each_clear, each_pick, strict=True)),
        n_pairs=len(pairs),
        n_clear=int(clear.sum()),
        n_groups=len(groups.component),
    )


@dataclass(frozen=True, kw_only=True)
class Picks:
    """Expected clicks of g groups of several headlines.

    Attributes:
        picked: shape (s, g), of each seed's headline of the highest score, the mean of those that tie.
        usual: shape (1, g), of a random one.
        component: shape (g,).
    """

    picked: Floats
    usual: Floats
    component: Ints


def picks(scores: Floats, news: News) -> Picks:
    """Let scores, shape (s, n), pick one headline of each group."""
    first, code = np.unique(news.group, return_index=True, return_inverse=True)[1:]
    size, shown = np.bincount(code), np.bincount(code, news.tests.impressions)
    rate = news.tests.clicks / news.tests.impressions
    several = np.flatnonzero(size > 1)
    picked = np.empty((len(scores), len(size)))
    for seed, score in enumerate(np.round(scores, 12)):
        highest = np.full(len(size), -np.inf)
        np.maximum.at(highest, code, score)
        best = score >= highest[code]
        picked[seed] = shown * np.bincount(code, rate * best) / np.bincount(code, best)
    usual = shown * np.bincount(code, rate) / size
    return Picks(
        picked=picked[:, several], usual=usual[None, several], component=news.component[first[several]]
    )


def _sums(owner: Ints, values: Floats, n: int) -> Floats:
    """Sums of each component, values of shape (s, m) or (m,) to shape (s or 1, n)."""
    return np.stack([np.bincount(owner, row, n) for row in np.atleast_2d(values)])


def _share(total: Floats) -> Floats:
    """The first of two sums over the second, shape (..., 2) to (...); nan where the second is 0."""
    return lift_of(total) + 1
