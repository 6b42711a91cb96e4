"""A gate in words, ``NAME(.FIELD)* OP NUMBER`` with OP one of < <= > >= ==: whether a figure is as good as it must be.

>>> gate = parse_gate("dr.ci_low > 0.01")
>>> judge(gate, {"dr.ci_low": 0.02, "dr.value": 0.03}).passed
True

A figure that is not a number never passes, so a refused estimate fails its gate whatever the comparison.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from copybandit.sim.types import DataError

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_FORM = re.compile(r"\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*(<=|>=|==|<|>)\s*(\S+)\s*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


FEW = 12
"""Figures that an error names at most."""


@dataclass(frozen=True, kw_only=True)
class GateExpression:
    """What a figure must be.

    Attributes:
        figure: dotted name of the figure, e.g. ``dr.ci_low``.
        compare: one of `COMPARE`.
        bound: finite.
    """

    figure: str
    compare: str
    bound: float

    def __post_init__(self) -> None:
        if self.compare not in COMPARE or not math.isfinite(self.bound):
            raise DataError(
                f"gate: must compare by {' '.join(COMPARE)} with a finite number, got {self}; correct it"
            )

    def __str__(self) -> str:
        return f"{self.figure}{self.compare}{self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A gate and what became of it; ``value`` is the figure, nan where it has no number."""

    gate: GateExpression
    value: float
    passed: bool

    def __str__(self) -> str:
        return f"gate {self.gate}: {'passed' if self.passed else 'FAILED'}, got {self.value:.6g}"


def parse_gate(text: str) -> GateExpression:
    """Read a gate.

    Raises:
        DataError: it has another form, or its number is none or not finite.
    """
    found = _FORM.fullmatch(text)
    if found is None or not _NUMBER.fullmatch(found[3]) or not math.isfinite(float(found[3])):
        raise DataError(
            f"gate must be NAME.FIELD, one of {' '.join(COMPARE)}, and a finite number, got {text!r}; "
            "write it like 'dr.ci_low>0.01'"
        )
    return GateExpression(figure=found[1], compare=found[2], bound=float(found[3]))


def judge(gate: GateExpression, figures: Mapping[str, float | None]) -> Judged:
    """Hold a gate against figures by dotted name; None and nan have no number and never pass.

    Raises:
        DataError: there is no such figure; the message lists those most like it, or all where they are few.
    """
    if gate.figure not in figures:
        names = sorted(figures)
        near = names if len(names) <= FEW else get_close_matches(gate.figure, names, FEW, 0.0)
        more = f" ({len(names)} in all)" if len(names) > FEW else ""
        raise DataError(
            f"gate {gate}: the figure must be one of {', '.join(near) or 'none at all'}{more}, got {gate.figure}; "
            "choose one"
        )
    given = figures[gate.figure]
    value = math.nan if given is None else float(given)
    return Judged(gate=gate, value=value, passed=COMPARE[gate.compare](value, gate.bound))
