"""Guardrails: what the shop insists on, whatever a policy thinks, as a projection of its probabilities.

Each candidate has a least and a most, and the projection is the distribution in between that is closest to the policy's
in relative entropy:

    q_i = min(most_i, max(least_i, s p_i)),   s such that the q_i sum to 1

so what no rule touches keeps its proportions. A row that keeps every rule is not changed. What comes out is what is drawn
from and logged: propensities stay exact. (Kullback's I-projection onto a box; Csiszar, Ann. Probab. 1975.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.agents.policy_pmf import uniform_probs
from copybandit.sim.types import Bools, DataError, Floats, Ints

SLACK = 1e-9
"""By so much a rule may be missed before a row is projected, or called infeasible: rounding is no breach."""
LEAST = 1e-12
"""What a candidate without any probability counts as where others alone cannot take it all."""
HALVINGS = 80
"""Steps of the search for s, of a factor that starts anywhere within 40 orders of magnitude."""


@dataclass(frozen=True, kw_only=True)
class Guardrails:
    """Rules for every request, in probabilities. Whatever is alone is shown, without a most.

    Attributes:
        floor: least of each present candidate that is not paused, in [0, 1].
        cap: most of each, in (0, 1].
        least: (variant, probability): more than the floor for named variants, wherever they are candidates.
        most: (variant, probability): less than the cap.
        paused: variants that are never shown: exactly 0.
        control: variants shown, evenly, where every candidate of a request is paused, even if paused themselves.

    Raises:
        DataError: a probability is out of range, a variant is no index or named twice in a rule, or a least is above its
            most.
    """

    floor: float = 0.0
    cap: float = 1.0
    least: tuple[tuple[int, float], ...] = ()
    most: tuple[tuple[int, float], ...] = ()
    paused: tuple[int, ...] = ()
    control: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.floor <= 1 and 0 < self.cap <= 1 and self.floor <= self.cap):
            raise DataError(
                f"guardrails: floor must be in [0, 1], cap in (0, 1] and no less, got {self.floor} and {self.cap}; "
                "correct them"
            )
        for name, named in (("paused", self.paused), ("control", self.control)):
            if not all(_is_variant(variant) for variant in named):
                raise DataError(
                    f"guardrails: {name} must be variant indices from 0 on, got {named}; correct them"
                )
        for name, rule in (("least", self.least), ("most", self.most)):
            variants = [variant for variant, _ in rule]
            if len(set(variants)) < len(rule) or not all(_is_variant(v) and 0 <= p <= 1 for v, p in rule):
                raise DataError(
                    f"guardrails: {name} must give each variant once a probability in [0, 1], got {rule}; correct it"
                )
        for variant, low in self.least:
            if low > dict(self.most).get(variant, self.cap):
                raise DataError(
                    f"guardrails: least of variant {variant} must not be above its most, got {low}; lower it"
                )

    def project(self, probs: Floats, batch: Batch) -> Floats:
        """The closest distribution that keeps the rules, shape (n, k).

        Raises:
            DataError: a request's candidates are all paused and none is a control, or its rules cannot all be kept.
        """
        low, high, live = self._bounds(batch)
        shut = np.asarray(~live.any(axis=1))
        if shut.any():
            control = _named(batch, self.control)
            self._check_shut(batch, np.asarray(shut & ~control.any(axis=1)))
            live = np.where(shut[:, None], control, live)
            low, high = np.where(shut[:, None], 0.0, low), np.where(shut[:, None], control * 1.0, high)
            probs = np.where(shut[:, None], uniform_probs(live | ~shut[:, None]), probs)
        self._check_feasible(batch, low, high)
        broken = ((probs < low - SLACK) | (probs > high + SLACK) | (~live & (probs > 0))).any(axis=1)
        if not broken.any():
            return probs
        found = probs.copy()
        found[broken] = _between(probs[broken], low[broken], high[broken], live[broken])
        return found

    def _bounds(self, batch: Batch) -> tuple[Floats, Floats, Bools]:
        """Least and most of each candidate, and which may be shown, shape (n, k) each."""
        live = batch.present & ~_named(batch, self.paused)
        low, high = np.where(live, self.floor, 0.0), np.where(live, self.cap, 0.0)
        for variant, value in self.least:
            low = np.where(live & (batch.candidates == variant), np.maximum(low, value), low)
        for variant, value in self.most:
            here = live & (batch.candidates == variant)
            low, high = np.where(here, np.minimum(low, value), low), np.where(here, value, high)
        alone = live & (live.sum(axis=1, keepdims=True) == 1)
        return low, np.where(alone, 1.0, high), live

    def _check_shut(self, batch: Batch, hopeless: Bools) -> None:
        if hopeless.any():
            row = int(hopeless.argmax())
            raise DataError(
                f"guardrails row {row}: a candidate must not be paused, got all of "
                f"{_variants(batch, row)} in paused; resume one or name a control"
            )

    def _check_feasible(self, batch: Batch, low: Floats, high: Floats) -> None:
        for name, total, bad, remedy in (
            ("floor and least", low.sum(axis=1), low.sum(axis=1) > 1 + SLACK, "lower them"),
            ("cap and most", high.sum(axis=1), high.sum(axis=1) < 1 - SLACK, "raise them"),
        ):
            if bad.any():
                row, rule = int(bad.argmax()), "at most" if "floor" in name else "at least"
                raise DataError(
                    f"guardrails row {row}: {name} must add up to {rule} 1 over {_variants(batch, row)}, got "
                    f"{total[row]:.6g}; {remedy}"
                )


def _is_variant(value: object) -> bool:
    return isinstance(value, int | np.integer) and bool(value >= 0)


def _named(batch: Batch, variants: tuple[int, ...]) -> Bools:
    """Which present candidates are among these variants, shape (n, k)."""
    return batch.present & np.isin(batch.candidates, np.array(variants, dtype=np.int64))


def _variants(batch: Batch, row: int) -> Ints:
    return np.sort(batch.candidates[row][batch.present[row]])


def _between(probs: Floats, low: Floats, high: Floats, live: Bools) -> Floats:
    """min(high, max(low, s p)) with the s that makes rows sum to 1; by halving in log s, then exactly."""
    room = np.where(probs > 0, high, low).sum(axis=1, keepdims=True)
    base = np.where(live, np.where(room < 1, np.maximum(probs, LEAST), probs), 0.0)
    small, large = np.full((len(base), 1), -46.0), np.full((len(base), 1), 46.0)
    for _ in range(HALVINGS):
        middle = (small + large) / 2
        over = np.clip(np.exp(middle) * base, low, high).sum(axis=1, keepdims=True) > 1
        small, large = np.where(over, small, middle), np.where(over, middle, large)
    found = np.clip(np.exp(large) * base, low, high)
    # What is at neither bound takes exactly what is left.
    free = live & (found > low) & (found < high)
    rest = 1 - np.where(free, 0.0, found).sum(axis=1, keepdims=True)
    share = np.where(free, found, 0.0).sum(axis=1, keepdims=True)
    scaled = np.where(free & (share > 0), found * rest / np.where(share > 0, share, 1.0), found)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))
