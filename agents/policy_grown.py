"""A shop gets new variants: a policy for more of them that has learned the same.

Of each array of its state the block of the old variants is copied into that of a fresh policy of the larger size. What is
shared stays as it is, new variants start at their prior, and what is said of old ones does not change by a bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.policy_recipe import Recipe, recipe_of
from copybandit.agents.stateful import Lasting
from copybandit.sim.types import DataError, Floats

SIZE, PRIOR = "n_actions", "prior"
"""The settings that go with the number of variants."""


def grown(policy: Lasting, n_actions: int, prior: Floats | None = None) -> Lasting:
    """A new policy for the first variants and more; the old one is not changed.

    Args:
        policy: has learned of m variants; whatever is put around it grows with it.
        n_actions: number of variants afterwards, at least m; new ones have the highest indices.
        prior: shape (n_actions - m,), click probability of each new variant, in (0, 1), where the policy was given one
            for each of the old; others read it in `Batch.prior`.

    Raises:
        DataError: the policy is none of `policy_kinds`, has more variants than that, or needs a prior that it is not given.
    """
    fresh = _larger(recipe_of(policy), n_actions, prior).make()
    held = policy.get_state()
    fresh.set_state({name: _filled(array, held[name]) for name, array in fresh.get_state().items()})
    return fresh


def _larger(recipe: Recipe, n_actions: int, prior: Floats | None) -> Recipe:
    """The same recipe for more variants, the policy inside included."""
    settings = dict(recipe.settings)
    old = settings.get(SIZE, len(settings[PRIOR]) if PRIOR in settings else 0)
    if n_actions < old:
        raise DataError(
            f"grown: n_actions must be at least {old}, those that {recipe.kind} has learned of, got {n_actions}; "
            "pause variants instead (Guardrails)"
        )
    if SIZE in settings:
        settings[SIZE] = n_actions
    if PRIOR in settings:
        settings[PRIOR] = np.concatenate([settings[PRIOR], _prior(recipe.kind, n_actions - old, prior)])
    inside = _larger(recipe.inside, n_actions, prior) if recipe.inside else None
    return replace(recipe, settings=settings, inside=inside)


def _prior(kind: str, new: int, prior: Floats | None) -> Floats:
    """Priors of new variants, shape (new,)."""
    found = np.empty(0) if prior is None else np.asarray(prior, dtype=np.float64)
    if found.shape != (new,):
        raise DataError(
            f"grown: prior must be ({new},), as {kind} keeps the prior of each variant, got {found.shape}; give one for "
            "each new variant"
        )
    return found


def _filled(fresh: NDArray[Any], held: NDArray[Any]) -> NDArray[Any]:
    """The fresh array with what is held in its first places; what grows with feedback, not with variants, as it is held."""
    if any(size < old for size, old in zip(fresh.shape, held.shape, strict=True)):
        return held
    found = fresh.copy()
    found[tuple(slice(size) for size in held.shape)] = held
    return found
