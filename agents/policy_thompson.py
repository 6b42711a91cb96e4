"""Thompson sampling with a Beta posterior per variant, its probabilities by quadrature instead of draws.

P(i is best) is the integral of f_i(z) times the product over j != i of F_j(z). With z = logit of the click
probability the density is proportional to x^a (1-x)^b: one smooth bell for any a, b > 0, so an even grid
integrates it well (64 nodes: within .015 of the integral where a, b >= .1; longer tails slip between nodes).
There is no Monte Carlo error, and the vector that is logged is the one drawn from.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, evened, stacked
from copybandit.agents.fast import kernel
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import check_epsilon, check_rate, with_floor
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Bools, DataError, Floats, Ints

REACH = 6.0
"""Half-width of the grid in posterior standard deviations of the logit."""
LOGIT_LIMIT = 500.0
"""exp() of it is still finite."""
LEAST_CLICKS = 0.1
"""Least that a warm start counts for, in clicks and in non-clicks: below it 64 nodes are too few."""


class BetaThompson:
    """Beta-Bernoulli Thompson sampling, warm-started: Beta(prior * strength, (1 - prior) * strength).

    Neither parameter starts below `LEAST_CLICKS`.

    Args:
        prior: shape (m,), mean warm-start click probability of each variant, in (0, 1).
        strength: how many impressions the warm start is worth; above 0.
        epsilon: share of uniform exploration, in (0, 1].
        nodes: points of the grid.

    Raises:
        DataError: a setting is out of range.
    """

    name = "thompson"

    def __init__(
        self, prior: Floats, *, strength: float = 1000.0, epsilon: float = 0.02, nodes: int = 64
    ) -> None:
        if not ((prior > 0) & (prior < 1)).all():
            raise DataError(f"thompson: prior must be in (0, 1), got {prior.min()} to {prior.max()}; clip it")
        if not 0 < strength < np.inf or nodes < 8:
            raise DataError(
                f"thompson: strength must be above 0 and nodes at least 8, got {strength} and {nodes}; "
                "correct the settings"
            )
        self.epsilon = check_epsilon(epsilon)
        self.prior: Floats = np.array(prior, dtype=np.float64)
        self.strength = strength
        self._a, self._b = self._start(np.arange(len(prior)))
        self._low: Floats = np.zeros_like(self._a)
        self._high: Floats = np.zeros_like(self._a)
        self._grid: Floats = np.linspace(0.0, 1.0, nodes)
        self._bound(np.arange(len(prior)))

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), probability that each candidate has the highest click probability, plus the floor."""
        check_variants(batch, len(self._a))
        c, present = batch.candidates, batch.present
        fast = kernel()
        if fast is not None:
            with suppress(TypeError):  # arrays of another kind
                found: Floats = fast.best_of_betas(
                    self._a, self._b, self._low, self._high, c, self._grid, self.epsilon
                )
                return found
        best = self._best(self._a[c], self._b[c], self._low[c], self._high[c], present)
        return with_floor(best, present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The posterior mean as the warm start's and what own clicks add; a score is asked with the doubt as it is."""
        check_variants(batch, len(self._a))
        c, present = batch.candidates, batch.present
        (a, b), (a0, b0) = (self._a[c], self._b[c]), self._start(c)
        mean, sure = a / (a + b), a + b

        def choose(mean: Floats, sure: Floats = sure) -> Floats:
            a = np.maximum(mean * sure, LEAST_CLICKS)
            b = np.maximum((1 - mean) * sure, LEAST_CLICKS)
            return self._best(a, b, *logit_range(a, b), present)

        return Parts(
            kinds=("warm start", "record"),
            names=("", ""),
            value=stacked(present, a0 / (a0 + b0), mean - a0 / (a0 + b0)),
            present=present,
            choose=choose,
            even=choose(mean, 1 / evened(1 / sure, present)),
            epsilon=self.epsilon,
            record=Record(seen=(a - a0) + (b - b0), clicks=a - a0, unit="impressions"),
        )

    def _best(self, a: Floats, b: Floats, low: Floats, high: Floats, present: Bools) -> Floats:
        """Probability of being the best on a grid over what the present candidates reach; all (n, k)."""
        least = np.where(present, low, np.inf).min(axis=1)
        most = np.where(present, high, -np.inf).max(axis=1)
        return best_probs(a, b, present, least[:, None] + (most - least)[:, None] * self._grid)

    def _start(self, variants: Ints | NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Both parameters of these variants before any feedback."""
        mean = self.prior[variants]
        return (
            np.maximum(mean * self.strength, LEAST_CLICKS),
            np.maximum((1 - mean) * self.strength, LEAST_CLICKS),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Adds clicks and non-clicks; reward is in [0, 1]."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._a))
        check_rate(self.name, reward)
        shown, m = batch.shown(column), len(self._a)
        self._a += np.bincount(shown, weight * reward, m)
        self._b += np.bincount(shown, weight * (1 - reward), m)
        self._bound(np.unique(shown))

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks both counts toward the warm start; see `forgetful`."""
        check_forget(keep, variants, len(self._a))
        for statistic, start in zip((self._a, self._b), self._start(np.arange(len(self._a))), strict=True):
            fade(statistic, start, keep, variants)
        self._bound(np.arange(len(self._a)) if variants is None else variants)

    def _bound(self, variants: Ints) -> None:
        """Refreshes the range of the logit of these variants."""
        self._low[variants], self._high[variants] = logit_range(self._a[variants], self._b[variants])

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "prior": self.prior,
            "strength": self.strength,
            "epsilon": self.epsilon,
            "nodes": len(self._grid),
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"a": self._a, "b": self._b, "low": self._low, "high": self._high}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)


def logit_range(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Ends of the range of the logit that holds nearly all mass of Beta(a, b), element by element."""
    mean = digamma(a) - digamma(b)
    reach = REACH * np.sqrt(polygamma(1, a) + polygamma(1, b))
    return (
        np.clip(mean - reach, -LOGIT_LIMIT, LOGIT_LIMIT),
        np.clip(mean + reach, -LOGIT_LIMIT, LOGIT_LIMIT),
    )


def best_probs(a: Floats, b: Floats, present: Bools, z: Floats) -> Floats:
    """Probability that each of k Beta variables is the largest.

    Args:
        a: shape (n, k).
        b: shape (n, k).
        present: shape (n, k).
        z: shape (n, g), even grid of logits of each row.

    Returns:
        Shape (n, k), rows sum to 1, 0 where absent.
    """
    log_x = -np.log1p(np.exp(-z))
    log_y = log_x - z
    mass, below = [], []
    for column in range(a.shape[1]):  # over candidates, never over rows
        log_f = a[:, column, None] * log_x + b[:, column, None] * log_y
        f = np.exp(log_f - log_f.max(axis=1, keepdims=True))
        f /= f.sum(axis=1, keepdims=True)
        here = present[:, column, None]
        mass.append(f * here)
        below.append(np.where(here, np.cumsum(f, axis=1) - f / 2, 1.0))
    others = _products_of_others(below)
    wins = np.stack([(f * rest).sum(axis=1) for f, rest in zip(mass, others, strict=True)], axis=1)
    return np.asarray(wins / wins.sum(axis=1, keepdims=True))


def _products_of_others(factors: list[Floats]) -> list[Floats]:
    """Product of all factors but one, for each one; no division, as a factor may be 0."""
    k = len(factors)
    before, after = [np.ones_like(factors[0])], [np.ones_like(factors[0])]
    for column in range(k - 1):
        before.append(before[-1] * factors[column])
        after.append(after[-1] * factors[k - 1 - column])
    return [before[column] * after[k - 1 - column] for column in range(k)]
