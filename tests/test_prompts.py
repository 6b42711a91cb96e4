"""Prompts: the one that tiny was trained on stays as it is, and no text breaks out of its field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.kinds import CONTENT_TYPES
from copybandit.generators.languages import LANGUAGES
from copybandit.generators.prompts import field_prompt, prompt_fields
from copybandit.sim.types import Brief, DataError, Product, Segment

MUG = Product(
    product_id="p",
    name="ceramic mug",
    title="Mug",
    category="k",
    brand="",
    price=8.5,
    facts=("blue", "holds 350 ml", "a", "b", "c"),
)
SEGMENT = Segment(segment_id=1, interests=("garden", "vintage", "tea", "yoga"), size=30)


def test_the_prompt_of_a_plain_headline() -> None:
    assert field_prompt(Brief(product=MUG)) == "- | ceramic mug | blue, holds 350 ml, a, b | 8.50 >"
    asked = Brief(product=MUG, segment=SEGMENT, question="q", notes="n")
    assert field_prompt(asked) == "garden, vintage, tea | ceramic mug | blue, holds 350 ml, a, b | 8.50 >"


@pytest.mark.parametrize(
    ("brief", "prompt"),
    [
        (
            Brief(product=MUG, voice="warm"),
            "headline en 140 | warm | - | ceramic mug | blue, holds 350 ml, a, b | 8.50 >",
        ),
        (
            Brief(product=MUG, content_type="tags", language="zh"),
            "tags zh 200 | - | - | ceramic mug | blue, holds 350 ml, a, b | 8.50 >",
        ),
        (
            Brief(product=MUG, content_type="answer", question="How big?"),
            "answer en 600 | - | - | ceramic mug | blue, holds 350 ml, a, b | 8.50 | How big? >",
        ),
        (
            Brief(product=MUG, content_type="review", rating=2, notes="Leaks"),
            "review en 800 | - | - | ceramic mug | blue, holds 350 ml, a, b | 8.50 | 2 | Leaks >",
        ),
    ],
)
def test_other_prompts_say_what_is_wanted(brief: Brief, prompt: str) -> None:
    assert field_prompt(brief) == prompt


_hostile = st.text(st.sampled_from("ab |<>\n\r\x0b\x1c\u2028\u0085,>"), max_size=12).map(
    lambda text: f"x{text}x"
)


@given(
    name=_hostile,
    facts=st.lists(_hostile, max_size=5),
    interests=st.lists(_hostile, max_size=4),
    voice=_hostile,
    question=_hostile,
    notes=_hostile,
    kind=st.sampled_from(CONTENT_TYPES),
    language=st.sampled_from(LANGUAGES),
)
def test_no_text_leaves_its_field(name, facts, interests, voice, question, notes, kind, language) -> None:  # type: ignore[no-untyped-def]  # eight strategies
    product = Product(
        product_id="p", name=name, title="t", category="k", brand="", price=1.0, facts=tuple(facts)
    )
    segment = Segment(segment_id=0, interests=tuple(interests), size=20)
    brief = Brief(
        product=product, segment=segment, content_type=kind, language=language, voice=voice, question=question,
        notes=notes, rating=3,
    )  # fmt: skip
    prompt = field_prompt(brief)
    assert len(prompt.splitlines()) == 1 and prompt.count(">") == 1 and "<" not in prompt
    told = {"answer": 1, "review": 2}.get(kind, 0)
    fields = prompt_fields(prompt)
    assert len(fields) == 6 + told
    assert fields[0].split()[:2] == [kind, language] and fields[5] == "1.00"
    assert all(field == " ".join(field.split()) and "|" not in field for field in fields)
    letters = [letter for letter in name if letter in "xab"]
    assert [letter for letter in fields[3] if letter in "xab"] == letters


def test_what_is_no_prompt_is_refused() -> None:
    with pytest.raises(DataError, match="a prompt must end in ' >', got 'mug'"):
        prompt_fields("mug")
