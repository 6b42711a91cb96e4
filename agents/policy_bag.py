"""Online bagging: many replicates of the per-variant click ratios, each counting every row a Poisson(1) number of times.

    E_b[click] = prior * clicks_vb / expected_vb,   p(a) = share of replicates b in which a is the best

Oza & Russell, AISTATS 2001; Eckles & Kaptein, 2014. The warm start is drawn as well, clicks_vb ~ Gamma(strength) with
expected_vb = strength, so replicates differ before there are data (Osband & Van Roy, 2015). Row number r of all that
was learned has the weights of counter r of the policy's own seed: batches of any size lead to the same state.
"""

from __future__ import annotations

import numpy as np
from scipy.special import pdtr

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts, Record, evened, stacked
from copybandit.agents.forgetful import check_forget, fade
from copybandit.agents.policy_features import check_variants
from copybandit.agents.policy_pmf import best_of, check_epsilon, check_setting, with_floor
from copybandit.agents.stateful import Arrays, Settings, fill
from copybandit.sim.types import Bools, DataError, Floats, Ints

BLOCK = 4
"""Numbers that Philox makes per step of its counter."""
TIMES: Floats = pdtr(np.arange(20), 1.0)
"""Cumulative probability of being counted 0, 1, ... times; more than 19 is below 1e-18."""
LEAST_SPREAD = 1e-12
"""Relative spread of replicates below which it is none."""


class BootstrapBag:
    """Thompson sampling by the bootstrap.

    Args:
        n_actions: number of variants m.
        replicates: how many, a multiple of 4; probabilities are multiples of 1 / replicates before the floor.
        strength: expected clicks that the warm start is worth, above 0; 44 is a standard deviation of .15 of the ratio.
        seed: of the weights.
        epsilon: share of uniform exploration, in (0, 1].

    Raises:
        DataError: a setting is out of range.
    """

    name = "bootstrap_bag"

    def __init__(
        self,
        *,
        n_actions: int,
        replicates: int = 64,
        strength: float = 44.0,
        seed: int = 0,
        epsilon: float = 0.02,
    ) -> None:
        if replicates < BLOCK or replicates % BLOCK:
            raise DataError(
                f"bootstrap_bag: replicates must be a multiple of {BLOCK}, got {replicates}; round it up"
            )
        self.strength = float(check_setting(self.name, "strength", strength))
        self.epsilon = check_epsilon(epsilon)
        self.seed = seed
        shape = (n_actions, replicates)
        self._start: Floats = np.random.default_rng([seed, 0]).gamma(strength, size=shape)
        self._clicks: Floats = self._start.copy()
        self._expected: Floats = np.full(shape, strength, dtype=np.float64)
        self._rows = 0

    @property
    def ratio(self) -> Floats:
        """Clicks per expected click of each variant in each replicate, shape (m, replicates)."""
        return self._clicks / self._expected

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), share of replicates, ties split evenly, mixed with the floor; ``rng`` is not used."""
        check_variants(batch, len(self._clicks))
        click = batch.prior[:, :, None] * self.ratio[batch.candidates]
        return with_floor(share_best(click, batch.present), batch.present, self.epsilon)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The warm start and what own clicks add on average; replicates lie as far around a score as they do around it."""
        check_variants(batch, len(self._clicks))
        present, ratio = batch.present, self.ratio[batch.candidates]
        mean = ratio.mean(axis=2)
        apart = ratio / mean[..., None]
        spread = apart.std(axis=2)
        even = 1 + (apart - 1) * (evened(spread, present) / np.maximum(spread, LEAST_SPREAD))[..., None]
        seen = (self._expected[batch.candidates] - self.strength).mean(axis=2)
        return Parts(
            kinds=("warm start", "record"),
            names=("", ""),
            value=stacked(present, batch.prior, batch.prior * (mean - 1)),
            present=present,
            choose=lambda score: share_best(score[..., None] * apart, present),
            even=share_best((batch.prior * mean)[..., None] * even, present),
            epsilon=self.epsilon,
            record=Record(seen=seen, clicks=None, unit="expected clicks"),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Counts each row of positive weight a Poisson number of times in each replicate."""
        check_feedback(batch, column, reward, weight)
        check_variants(batch, len(self._clicks))
        told = np.flatnonzero(weight > 0)
        shown, times = batch.shown(column)[told], self._times(len(told))
        expected = (weight * batch.prior[np.arange(len(batch)), column])[told]
        np.add.at(self._clicks, shown, times * (weight * reward)[told, None])
        np.add.at(self._expected, shown, times * expected[:, None])
        self._rows += len(told)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks every replicate toward its own start; forgetting all of everything starts the weights anew, too."""
        check_forget(keep, variants, len(self._clicks))
        fade(self._clicks, self._start, keep, variants)
        fade(self._expected, self.strength, keep, variants)
        if variants is None and keep == 0:
            self._rows = 0

    def _times(self, rows: int) -> Floats:
        """Poisson weights of the next rows, shape (rows, replicates)."""
        replicates = self._clicks.shape[1]
        stream = np.random.Philox(key=self.seed).advance(self._rows * replicates // BLOCK)
        uniform = np.random.Generator(stream).random((rows, replicates))
        return np.searchsorted(TIMES, uniform).astype(np.float64)

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "n_actions": len(self._clicks),
            "replicates": self._clicks.shape[1],
            "strength": self.strength,
            "seed": self.seed,
            "epsilon": self.epsilon,
        }

    def get_state(self) -> Arrays:
        """What feedback changes; views."""
        return {"clicks": self._clicks, "expected": self._expected, "rows": np.array(self._rows)}

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        fill(self.get_state(), state)
        self._rows = int(state["rows"])


def share_best(click: Floats, present: Bools) -> Floats:
    """Share of replicates in which each candidate is the best, ties split evenly, shape (n, k); click (n, k, replicates)."""
    best = best_of(click, present[:, :, None])
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=2))
