"""Numbers that measure nothing: the examples of `idle.yaml`, row by row."""

from __future__ import annotations

import pytest

from copybandit.generators.normalising import normalise
from copybandit.generators.quantities import quantities
from copybandit.generators.tables import table

ROWS = table("idle.yaml")["rows"]


@pytest.mark.parametrize(("row", "text"), [(row["id"], str(text)) for row in ROWS for text in row["idle"]])
def test_these_measure_nothing(row: str, text: str) -> None:
    assert quantities(normalise(text)) == ((), ()), row


@pytest.mark.parametrize(("row", "text"), [(row["id"], str(text)) for row in ROWS for text in row["counts"]])
def test_these_count(row: str, text: str) -> None:
    assert quantities(normalise(text))[0], row
