"""Rows of the controls: what was measured, by what rule it is judged, and whether the rule holds.

Each rule can fail in both ways that matter: by an effect where there must be none, and by an interval so wide that it could
hide one. So what must not be there is held below a share of what the positive control shows on the same shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from copybandit.evaluation.intervals import Interval

SHARE = 0.5
"""Most, at the upper end, that an effect which must not be there may be of the same effect where it is paid for."""
EXACT = 1e-9
"""What rounding may leave of an exact 0."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One control.

    Attributes:
        name: of the control.
        rule: that it must satisfy.
        value, ci_low, ci_high: what was measured, with its 95% interval over seeds and products.
        kl: nats per text that tuning moved the writer.
        passed: whether the rule holds.
    """

    name: str
    rule: str
    value: float
    ci_low: float
    ci_high: float
    kl: float
    passed: bool


def row(name: str, rule: str, found: Interval, kl: float, passed: bool) -> Row:
    """A row of the table."""
    return Row(
        name=name,
        rule=rule,
        value=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        kl=kl,
        passed=bool(passed),
    )


def rises(name: str, found: Interval, kl: float) -> Row:
    """What is paid for must rise: the positive control, without which the others would prove nothing."""
    return row(name, "lower end above 0", found, kl, found.ci_low > 0)


def falls(name: str, found: Interval) -> Row:
    """What must cost."""
    return row(name, "upper end below 0", found, 0.0, found.ci_high < 0)


def still(name: str, found: Interval, kl: float, paid: Interval) -> Row:
    """What nobody pays for and nothing else moves: neither up nor down, and surely less than where it is paid.

    Args:
        name: of the control.
        found: what was measured.
        kl: of its writers.
        paid: the same quantity in the positive control.
    """
    most = SHARE * paid.value
    rule = f"interval holds 0 and lies within -{most:.4f} to +{most:.4f}, half of what paying for it does"
    return row(
        name, rule, found, kl, found.ci_low <= 0 <= found.ci_high and max(-found.ci_low, found.ci_high) < most
    )


def unpaid(name: str, found: Interval, kl: float, paid: Interval) -> Row:
    """What is no longer paid for: it must not rise, and may fall, for its words make room for what still is.

    Args:
        name: of the control.
        found: what was measured.
        kl: of its writers.
        paid: the same quantity in the positive control.
    """
    most = SHARE * paid.value
    rule = f"one-sided: lower end not above 0, upper end below {most:.4f}, half of what paying for it does; it may fall"
    return row(name, rule, found, kl, found.ci_low <= 0 and found.ci_high < most)


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [f"{'control':<58} {'value':>8} {'95% interval':>20} {'KL':>6}  verdict"]
    for one in rows:
        span = f"{one.ci_low:+.4f} to {one.ci_high:+.4f}"
        verdict = "passed" if one.passed else "FAILED"
        lines.append(f"{one.name:<58} {one.value:>+8.4f} {span:>20} {one.kl:>6.2f}  {verdict} ({one.rule})")
    return "\n".join(lines)
