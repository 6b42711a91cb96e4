"""Style features: each reacts to what it is named after, and to no topic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.sim.persuasion import FEATURES, persuasion

PLAIN = "The blue mug holds tea"


def feature(text: str, name: str) -> float:
    return float(persuasion([text])[0, FEATURES.index(name)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log_words", "The blue mug holds tea and milk"),
        ("sentences", "The blue mug. It holds tea."),
        ("question", "A blue mug?"),
        ("exclamation", "A blue mug!"),
        ("dots", "A blue mug…"),
        ("quote", 'A "blue" mug'),
        ("comma", "A blue, warm mug"),
        ("colon_dash", "Mug: blue"),
        ("digit", "A mug of 350 ml"),
        ("capitals", "A Blue Mug"),
        ("you", "Your blue mug"),
        ("we", "Our blue mug"),
        ("i", "My blue mug"),
        ("they", "She has a mug"),
        ("this", "This mug"),
        ("question_word", "Why mugs matter"),
        ("negation", "You won’t drop it"),
        ("negative", "The worst mug"),
        ("positive", "The best mug"),
        ("article", "A mug"),
        ("because", "Warm because thick"),
        ("just", "Just tea"),
        ("imperative", "Meet it"),
        ("and", "Tea and milk"),
        ("intensity", "Very blue"),
    ],
)
def test_a_feature_reacts_to_its_own_mark(name: str, text: str) -> None:
    assert feature(text, name) > feature(PLAIN, name)


def test_the_second_mention_says_less() -> None:
    one, two, three = (feature("you " * n, "you") for n in (1, 2, 3))
    assert one > two - one > three - two > 0


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_text_has_finite_features_row_by_row(texts: list[str]) -> None:
    x = persuasion(texts)
    assert x.shape == (len(texts), len(FEATURES)) and np.isfinite(x).all()
    assert all((persuasion([text])[0] == row).all() for text, row in zip(texts, x, strict=True))


def test_topics_leave_no_trace() -> None:
    assert (persuasion(["The blue mug"]) == persuasion(["The gold ring"]))[0, [0, 2, 3, 4]].all()
    assert (persuasion(["A soft lamb"]) == persuasion(["A warm coat"])).all()
