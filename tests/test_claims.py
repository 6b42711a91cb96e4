"""Claim rules: every example of every pack, and what excuses a match."""

from __future__ import annotations

import pytest

from copybandit.generators.claims import PACKS, broken, pack
from copybandit.generators.normalising import folded, normalise
from copybandit.sim.types import DataError

SAID = folded("ceramic mug ; blue ceramic mug ; holds 350 ml ; 陶瓷马克杯")
NAMES = ("ceramic mug", "陶瓷马克杯")
RULES = [rule for name in PACKS for rule in pack(name)]


def rules(
    text: str, said: str = SAID, names: tuple[str, ...] = NAMES, packs: tuple[str, ...] = PACKS
) -> set[str]:
    return {found.rule for found in broken(folded(normalise(text)), said, names, packs)}


@pytest.mark.parametrize(("rule", "text"), [(rule.rule_id, text) for rule in RULES for text in rule.bad])
def test_bad_examples_break_their_rule(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize("text", [text for rule in RULES for text in rule.good])
def test_good_examples_break_no_rule_at_all(text: str) -> None:
    assert rules(text) == set()


def test_every_rule_has_a_law_and_a_name_of_its_own() -> None:
    assert len({rule.rule_id for rule in RULES}) == len(RULES)
    assert all(rule.citation and rule.reason for rule in RULES)


def test_the_product_excuses_what_it_says_but_no_cure() -> None:
    assert "us-guarantee" not in rules("With a money-back offer.", said="mug ; money back")
    assert "health-cure" in rules("It cures headaches.", said="mug ; cures headaches")


def test_the_name_is_the_products_own() -> None:
    assert rules("Meet the world's best dad mug.", names=("world's best dad mug",)) == set()
    assert rules("Meet the world's best mug.", names=("best dad mug",)) == {"us-superlative"}
    assert rules("No other mug compares.", names=("mug",)) == {"us-superlative"}


def test_disguises_are_folded() -> None:
    assert "us-guarantee" in rules("Ｇuarаnteed blue.")  # full-width G, Cyrillic a
    assert "cn-state" in rules("國家級馬克杯")


def test_packs_are_chosen() -> None:
    assert rules("An eco-friendly mug.", packs=("us",)) == set()
    assert rules("An eco-friendly mug.", packs=("eu",)) == {"eu-generic-green"}
    with pytest.raises(DataError, match="choose from us"):
        pack("mars")
