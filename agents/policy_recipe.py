"""How to make a fresh policy like another: its kind, its settings, and the same of the policy inside where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from copybandit.agents.around import INSIDE, Around
from copybandit.agents.policy_kinds import ALL, AROUND, KINDS, kind_of
from copybandit.agents.stateful import Arrays, Lasting, Settings, Stateful, part, within
from copybandit.sim.types import DataError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A kind of policy with its settings.

    Attributes:
        kind: name in `policy_kinds`.
        settings: those of its constructor, the policy inside aside.
        inside: the policy that it is put around; None for a policy itself.
    """

    kind: str
    settings: Settings
    inside: Recipe | None = None

    def make(self) -> Lasting:
        """A fresh policy.

        Raises:
            DataError: there is no such kind, or the settings are not those of the kind, or out of range.
        """
        if self.kind not in ALL or (self.kind in AROUND) != (self.inside is not None):
            raise DataError(
                f"policy must be one of {', '.join(ALL)}, the last {len(AROUND)} around another, got {self.kind!r}; "
                "load it with what saved it"
            )
        inside = self.inside.make() if self.inside else None
        try:
            if inside is not None:
                return AROUND[self.kind].of(inside, self.settings)
            return KINDS[self.kind].make(**self.settings)
        except (TypeError, ValueError) as error:
            told = " ".join(str(error).split())
            raise DataError(f"settings must be those of {self.kind}, got {told}; save it again") from error

    def plain(self) -> Settings:
        """Its settings that are no arrays; the policy inside as ``policy``, with the same two fields."""
        own = {name: value for name, value in self.settings.items() if not isinstance(value, np.ndarray)}
        if self.inside is None:
            return own
        return {**own, INSIDE: {"policy": self.inside.kind, "settings": self.inside.plain()}}

    def arrays(self) -> Arrays:
        """Its settings that are arrays; those of the policy inside named policy.NAME."""
        own = {name: value for name, value in self.settings.items() if isinstance(value, np.ndarray)}
        return own if self.inside is None else {**own, **within(INSIDE, self.inside.arrays())}


def recipe_of(policy: Stateful) -> Recipe:
    """The recipe of a policy's like.

    Raises:
        DataError: it, or one inside it, is none of `policy_kinds`.
    """
    if (kind := kind_of(policy)) is None:
        raise DataError(
            f"policy must be one of {', '.join(ALL)}, got {policy.name}; keep its log instead, or add it to policy_kinds"
        )
    inside = recipe_of(policy.policy) if isinstance(policy, Around) else None
    return Recipe(kind=kind, settings=policy.settings(), inside=inside)


def parse_recipe(kind: str, plain: Mapping[str, Any], arrays: Arrays) -> Recipe:
    """What `Recipe.plain` and `Recipe.arrays` told.

    Raises:
        DataError: what is around names no policy inside.
    """
    if kind not in AROUND:
        return Recipe(kind=kind, settings={**plain, **arrays})
    inside = plain.get(INSIDE)
    if not (
        isinstance(inside, dict)
        and isinstance(inside.get("policy"), str)
        and isinstance(inside.get("settings"), dict)
    ):
        raise DataError(
            f"settings of {kind} must name the policy inside and its settings, got {inside!r}; save it again"
        )
    own = {name: value for name, value in plain.items() if name != INSIDE}
    mine = {name: array for name, array in arrays.items() if not name.startswith(f"{INSIDE}.")}
    return Recipe(
        kind=kind,
        settings={**own, **mine},
        inside=parse_recipe(inside["policy"], inside["settings"], part(INSIDE, arrays)),
    )
