"""Chinese safety families: every example of every family, read as copy and as a buyer's own draft."""

from __future__ import annotations

import pytest

from copybandit.generators.normalising import folded, normalise
from copybandit.generators.safety import unsafe
from copybandit.generators.tables import table

FAMILIES = table("safety_zh.yaml")["families"]
RULES = {"history": "history", "invented": "invented", "insult": "abusive", "profanity": "abusive"}


def rules(text: str, *, drafted: bool = False) -> set[str]:
    return {found.rule for found in unsafe(folded(normalise(text)), drafted=drafted)}


@pytest.mark.parametrize(("kind", "text"), [(row["kind"], text) for row in FAMILIES for text in row["bad"]])
def test_bad_examples_are_of_their_kind(kind: str, text: str) -> None:
    assert RULES[kind] in rules(text)


@pytest.mark.parametrize("text", [text for row in FAMILIES for text in row["good"]])
def test_good_examples_are_safe(text: str) -> None:
    assert rules(text) == set()


def test_a_buyer_may_tell_his_own_experience() -> None:
    assert rules("用了三个月还跟新的一样") == {"invented"}
    assert rules("用了三个月还跟新的一样", drafted=True) == set()
