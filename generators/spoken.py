"""Numbers that a product says without a numeral (`spoken.yaml`)."""

from __future__ import annotations

import re
from functools import cache

from copybandit.generators.quantity import Quantity
from copybandit.generators.tables import table


@cache
def _spoken() -> tuple[tuple[re.Pattern[str], tuple[float, ...]], ...]:
    return tuple(
        (re.compile(row["words"]), tuple(map(float, row["values"]))) for row in table("spoken.yaml")["rows"]
    )


def spoken(low: str) -> tuple[Quantity, ...]:
    """Counts that a product says without a number: a pair, sterling silver, 七彩.

    Args:
        low: its text, folded.
    """
    return tuple(
        Quantity(values=(value,)) for words, values in _spoken() if words.search(low) for value in values
    )
