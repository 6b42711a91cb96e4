"""What a drafted review may tell: the buyer's notes in other words, and no praise over poor stars."""

from __future__ import annotations

import pytest

from copybandit.generators.denials import contrasted, denied
from copybandit.generators.experience import cheerful, ungrounded
from copybandit.generators.limits import LIMITS
from copybandit.generators.shape import misshapen
from copybandit.generators.tables import table

RAW = table("experience.yaml")
TAGS = next(limit for limit in LIMITS if limit.content_type == "tags" and not limit.placement)


@pytest.mark.parametrize(("notes", "draft"), RAW["grounded"])
def test_other_words_for_the_notes_pass(notes: str, draft: str) -> None:
    assert list(ungrounded(draft.lower(), notes)) == []


@pytest.mark.parametrize(("notes", "draft"), RAW["invented"])
def test_events_that_the_notes_do_not_hold_are_refused(notes: str, draft: str) -> None:
    assert [found.rule for found in ungrounded(draft.lower(), notes)] == ["invented"]


@pytest.mark.parametrize(
    ("notes", "draft", "rating", "refused"),
    [
        ("stops after an hour", "spot on, a real hero!", 1, True),
        ("stops after an hour", "spot on, a real hero!", 4, False),
        ("stops after an hour", "not perfect: it stops after an hour.", 2, False),
        ("perfect box, broken lid", "the box was perfect.", 1, False),
    ],
)
def test_praise_over_poor_stars_must_stand_in_the_notes(
    notes: str, draft: str, rating: int, refused: bool
) -> None:
    assert bool(list(cheerful(draft, notes, rating))) == refused


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("mug, blue mug, mug blue, cup mug, mug cup, mugs", True),
        ("tea mug, tea cup, tea pot, tea set, tea time, tea gift", True),
        ("blue, ceramic, tea, kitchen, gift", False),
        ("blue mug, tea, coffee mug, gift, 350 ml, kitchen", False),
    ],
)
def test_a_list_may_not_turn_the_same_words_round(text: str, refused: bool) -> None:
    assert ("repeats" in {found.rule for found in misshapen(text, "mug", TAGS)}) == refused


def test_once_more_for_effect_is_no_repeat() -> None:
    assert "repeats" not in {found.rule for found in misshapen("tea, tea and tea", "mug", TAGS)}
    assert "repeats" in {found.rule for found in misshapen("tea tea tea", "mug", TAGS)}


@pytest.mark.parametrize(
    ("before", "denies", "contrasts"),
    [
        ("it is not ", True, False),
        ("not only ", False, False),
        ("unlike a ", True, True),
        ("no rain today, just ", False, False),
        ("keep it away from the ", True, False),
    ],
)
def test_a_denial_reaches_to_the_end_of_its_clause(before: str, denies: bool, contrasts: bool) -> None:
    text = f"{before}waterproof"
    assert (denied(text, len(before)), contrasted(text, len(before))) == (denies, contrasts)
