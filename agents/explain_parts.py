"""What a choice is made of: a score as a sum of named parts, and the rule that makes probabilities of scores.

    score_i = sum_j part_ij,   p_i = rule((1 - epsilon) choose(score)_i + epsilon / (number present))

How far a part moved a probability is p less what p would be if the part told no candidate from another: if each had its
mean over the candidates present. These moves need not add up to anything, for choosing is not linear; the parts do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from copybandit.agents.batch import Batch, Policy
from copybandit.agents.policy_pmf import with_floor
from copybandit.sim.types import Bools, DataError, Floats

Kind = Literal["warm start", "common", "feature", "record", "doubt", "exploration", "guardrails"]
"""What a part comes from: the fitted world; what all candidates share; a feature; what the variant itself was seen to do;
how little is known of it; the uniform share and the shop's rules, which move no score."""
Unit = Literal["impressions", "expected clicks", "information"]
"""What a variant's record is counted in; information is the curvature of the log-likelihood."""


@dataclass(frozen=True, kw_only=True)
class FeatureNames:
    """What the columns of a batch are called; a field left empty gets numbers.

    Attributes:
        actions: of the q columns of ``Batch.actions``.
        context: of the p columns of ``Batch.context``.
        state: of the s channels of ``Batch.state``, the warm start first.
    """

    actions: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    state: tuple[str, ...] = ()

    def of(self, batch: Batch) -> FeatureNames:
        """The same with a name for every column of the batch.

        Raises:
            DataError: there are names, but not one for each column.
        """
        sizes = {
            "actions": ("copy feature", batch.actions.shape[1]),
            "context": ("context", batch.context.shape[1]),
            "state": ("state", batch.state.shape[2]),
        }
        found = {}
        for field, (word, size) in sizes.items():
            given = getattr(self, field)
            if given and len(given) != size:
                raise DataError(
                    f"explain: {field} must have {size} names, one a column, got {len(given)}; name them all or none"
                )
            found[field] = given or tuple(f"{word} {column}" for column in range(size))
        return FeatureNames(**found)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a policy remembers of each candidate's own past.

    Attributes:
        seen: shape (n, k), how much it was shown, in ``unit``; 0 is never.
        clicks: shape (n, k), weighted rewards; None where the policy keeps none by variant.
        unit: of ``seen``.
    """

    seen: Floats
    clicks: Floats | None
    unit: Unit


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Scores of n requests with k candidates in j parts.

    Attributes:
        kinds: what each part comes from.
        names: which one, for readers; empty where the kind says all.
        value: shape (n, k, j), 0 where absent; a doubt may be infinite.
        present: shape (n, k).
        choose: probabilities (n, k) before the floor, given scores (n, k).
        even: shape (n, k), what ``choose`` would say were all candidates in equal doubt; None where doubt is one of the
            parts or plays no role.
        epsilon: share of uniform exploration.
        record: what is remembered of each candidate; None where nothing is.
        rule: what makes the last probabilities (n, k) of those with the floor, guardrails; None where they are the last.
    """

    kinds: tuple[Kind, ...]
    names: tuple[str, ...]
    value: Floats
    present: Bools
    choose: Callable[[Floats], Floats]
    even: Floats | None = None
    epsilon: float
    record: Record | None = None
    rule: Callable[[Floats], Floats] | None = None

    @property
    def score(self) -> Floats:
        """Shape (n, k)."""
        return np.asarray(self.value.sum(axis=2))

    def probs(self) -> Floats:
        """Shape (n, k): what the policy returns."""
        return self._ruled(self._floored(self.choose(self.score)))

    def moves(self) -> list[tuple[Kind, str, Floats, Floats]]:
        """Kind, name, value (n, k) and move of the probability (n, k) of each part; doubt, exploration and rules last."""
        chosen = self.choose(self.score)
        free = self._floored(chosen)
        probs, told = self._ruled(free), list[tuple[Kind, str, Floats, Floats]]()
        for j, (kind, name) in enumerate(zip(self.kinds, self.names, strict=True)):
            neutral = self.value.copy()
            neutral[..., j] = evened(self.value[..., j], self.present)
            without = self._ruled(self._floored(self.choose(neutral.sum(axis=2))))
            told.append((kind, name, self.value[..., j], probs - without))
        nothing = np.zeros(probs.shape)
        if self.even is not None:
            told.append(("doubt", "", nothing, probs - self._ruled(self._floored(self.even))))
        told.append(("exploration", "", nothing, probs - self._ruled(chosen)))
        if self.rule is not None:
            told.append(("guardrails", "", nothing, probs - free))
        return told

    def _floored(self, chosen: Floats) -> Floats:
        return with_floor(chosen, self.present, self.epsilon)

    def _ruled(self, probs: Floats) -> Floats:
        return probs if self.rule is None else self.rule(probs)


class Explainable(Policy, Protocol):
    """A policy that can say what its choice is made of."""

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """Parts whose ``probs`` are ``action_probs``; ``names`` has one for every column."""
        ...


def evened(value: Floats, present: Bools) -> Floats:
    """The mean over the present candidates whose value is finite, shape (n, 1); 0 where there is none."""
    usable = present & np.isfinite(value)
    total = np.where(usable, value, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(total / np.maximum(usable.sum(axis=1, keepdims=True), 1))


def stacked(present: Bools, *values: Floats) -> Floats:
    """Values (n, k) as parts (n, k, j), 0 where absent."""
    return np.where(present[..., None], np.stack(values, axis=2), 0.0)


def shared_parts(x: Floats, theta: Floats, present: Bools) -> Floats:
    """What theta adds, theta_0 aside: what all candidates share, then how each feature sets one apart, shape (n, k, d).

    Args:
        x: shape (n, k, d), the first column 1.
        theta: shape (d,).
        present: shape (n, k).
    """
    here = present[..., None]
    count = here.sum(axis=1, keepdims=True)
    mean = np.where(here, x, 0.0).sum(axis=1, keepdims=True) / count
    apart = theta[1:] * (x - mean)[..., 1:]
    common = np.broadcast_to(mean[..., 1:] @ theta[1:], present.shape)
    return np.where(here, np.concatenate([common[..., None], apart], axis=2), 0.0)
