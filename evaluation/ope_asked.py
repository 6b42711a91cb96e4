"""The estimators of `copybandit ope` by name, and those whose c is chosen among several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from copybandit.evaluation.ope_estimators import (
    DM,
    DR,
    IPS,
    SNDR,
    SNIPS,
    Estimator,
    clipped,
    dr_os,
    switch_dr,
)
from copybandit.evaluation.ope_tuning import GRID
from copybandit.sim.types import DataError

SQUARES = tuple(c * c for c in GRID)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One line of the table.

    Attributes:
        name: of the estimator.
        grid: settings to choose from by SLOPE++; none where there is nothing to choose.
        made: the estimator of each setting, or the one.
    """

    name: str
    grid: tuple[float, ...]
    made: tuple[Estimator, ...]

    @property
    def model(self) -> bool:
        """Whether it needs a reward model."""
        return self.made[0].model


def _tuned(name: str, family: Callable[[float], Estimator], grid: tuple[float, ...]) -> Asked:
    return Asked(name=name, grid=grid, made=tuple(family(c) for c in grid))


KNOWN: dict[str, Asked] = {
    **{one.name: Asked(name=one.name, grid=(), made=(one,)) for one in (IPS, SNIPS)},
    "clipped": _tuned("clipped", clipped, GRID),
    **{one.name: Asked(name=one.name, grid=(), made=(one,)) for one in (DM, DR, SNDR)},
    "switch_dr": _tuned("switch_dr", switch_dr, GRID),
    "dr_os": _tuned("dr_os", dr_os, SQUARES),
}
"""Every estimator that a log alone is enough for, in the order of the table."""


def asked_of(names: Sequence[str]) -> tuple[Asked, ...]:
    """The estimators of names, all where none is given.

    Raises:
        DataError: one is unknown or given twice.
    """
    for place, name in enumerate(names):
        if name not in KNOWN or name in names[:place]:
            raise DataError(
                f"--estimators must be among {', '.join(KNOWN)}, each once, got {name!r}; correct the list"
            )
    return tuple(KNOWN[name] for name in names or KNOWN)
