"""The commonest slips are found, and right English passes."""

from __future__ import annotations

import pytest

from copybandit.generators.slips import slips
from copybandit.generators.tables import table

ROWS = table("slips.yaml")["slips"]
OWN = frozenset({"mugs", "silicone", "mug"})


@pytest.mark.parametrize("text", [text for row in ROWS for text in row["bad"]])
def test_a_slip_is_a_soft_finding(text: str) -> None:
    assert {found.severity for found in slips(text, OWN)} == {"soft"}


@pytest.mark.parametrize("text", [text for row in ROWS for text in row["good"]])
def test_right_english_passes(text: str) -> None:
    assert list(slips(text, OWN)) == []


def test_words_of_the_product_are_its_measure() -> None:
    own = frozenset({"herbs", "silicone"})
    assert [found.span for found in slips("Nine herb for tea.", own)] == [(0, 9)]
    assert [found.span for found in slips("Red sillicone.", own)] == [(4, 13)]
    assert list(slips("Nine herb seeds, silicone.", own)) == []
