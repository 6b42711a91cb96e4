"""How the report page writes numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from copybandit.evaluation.headline import percent

Report = Mapping[str, Any]
DASH = "–"


def number(value: object, digits: int = 3) -> str:
    """A number for a table; a dash where there is none.

    >>> number(None), number(1234567), number(-0.12345), number("x")
    ('–', '1,234,567', '−0.123', 'x')
    """
    if value is None:
        return DASH
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    text = (
        f"{value:,}"
        if isinstance(value, int)
        else f"{value:,.{digits}f}"
        if abs(value) < 1e5
        else f"{value:.2e}"
    )
    return text.replace("-", "−")


def share(value: float | None, digits: int = 2) -> str:
    """A fraction as a percentage for a table; a dash where there is none."""
    return DASH if value is None else percent(value, digits=digits)


def span(pair: Sequence[float | None] | None, form: Any = number) -> str:
    """The two ends of an interval or range for a table."""
    if not pair or any(end is None for end in pair):
        return DASH
    return " to ".join(form(end) for end in pair)
