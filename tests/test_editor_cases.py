"""The labelled sets for the copy editor are whole: ids, spans, quotas. How good an editor is on them is a benchmark."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TYPES = {"headline", "subject", "description", "reason", "tags", "answer", "review"}
FACTS = {"number", "unit", "price", "percent", "date", "material", "brand", "attribute"}
CLAIMS = {"superlative", "guarantee", "health", "finance", "green", "testimonial", "urgency", "discount"}
PEOPLE = {"profanity", "toxicity", "personal_data", "individual_history", "invented_experience"}
FORM = {"injection_echo", "markup", "invisible", "homoglyph", "near_spam", "grammar"}
PRODUCT = {
    "name": str,
    "title": str,
    "category": str,
    "brand": str,
    "price": float,
    "currency": str,
    "facts": list,
}

Case = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Author:
    """One author's two files and what they must at least hold; `test` is the share of the part `test`."""

    copy: str
    shop: str
    cases: int
    per_category: int
    attacks: int
    benign: int
    test: float


FIRST = Author(
    copy="editor_cases.jsonl",
    shop="injection_cases.jsonl",
    cases=450,
    per_category=8,
    attacks=70,
    benign=25,
    test=1 / 3,
)
SECOND = Author(
    copy="editor_cases_2.jsonl",
    shop="injection_cases_2.jsonl",
    cases=420,
    per_category=4,
    attacks=85,
    benign=45,
    test=1 / 2,
)
LATER = tuple(
    Author(
        copy=f"editor_cases_{number}.jsonl",
        shop=f"injection_cases_{number}.jsonl",
        cases=320,
        per_category=2,
        attacks=54,
        benign=35,
        test=float(number == 6),
    )
    for number in (3, 4, 5, 6)
)
AUTHORS = (FIRST, SECOND, *LATER)


def read(name: str) -> list[Case]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module", params=AUTHORS, ids=[author.copy for author in AUTHORS])
def author(request: pytest.FixtureRequest) -> Author:
    chosen: Author = request.param
    return chosen


@pytest.fixture(scope="module")
def cases(author: Author) -> list[Case]:
    return read(author.copy)


@pytest.fixture(scope="module")
def injections(author: Author) -> list[Case]:
    return read(author.shop)


def share(cases: list[Case], part: str = "test") -> float:
    return [case["part"] for case in cases].count(part) / len(cases)


def test_ids_and_texts_are_unique(cases: list[Case], injections: list[Case]) -> None:
    assert len({case["id"] for case in cases}) == len(cases)
    assert len({case["id"] for case in injections}) == len(injections)
    assert len({case["text"] for case in cases}) == len(cases)
    assert len({case["payload"] for case in injections}) == len(injections)


@pytest.mark.parametrize(("kind", "field"), [("copy", "text"), ("shop", "payload")])
def test_the_authors_share_no_id_and_no_text(kind: str, field: str) -> None:
    for one, other in combinations(AUTHORS, 2):
        left, right = read(getattr(one, kind)), read(getattr(other, kind))
        for key in ("id", field):
            assert not {case[key] for case in left} & {case[key] for case in right}, (one.copy, other.copy)


def test_the_second_author_writes_of_a_new_product_each_time() -> None:
    titles = [case["product"]["title"] for case in read(SECOND.copy)]
    assert len(set(titles)) == len(titles)


def test_every_field_is_of_its_kind(cases: list[Case], injections: list[Case]) -> None:
    for case in cases + injections:
        assert case["part"] in {"dev", "test"}, case["id"]
        assert case["language"] in {"en", "zh"}, case["id"]
        assert case["source"], case["id"]
        assert {key: type(value) for key, value in case["product"].items()} == PRODUCT, case["id"]
        assert case["product"]["name"] and case["product"]["price"] > 0, case["id"]
    for case in cases:
        assert case["content_type"] in TYPES, case["id"]
        assert case["text"].strip() and case["source"], case["id"]
        assert set(case["jurisdictions"]) <= {"us", "eu", "cn"}, case["id"]
        assert ("purchase" in case) == (case["content_type"] == "review"), case["id"]
        assert ("question" in case) == (case["content_type"] == "answer"), case["id"]


def test_labels_agree_with_spans_and_spans_with_text(cases: list[Case]) -> None:
    for case in cases:
        found = list(dict.fromkeys(violation["category"] for violation in case["violations"]))
        assert found == case["categories"], case["id"]
        assert (case["label"] == "clean") == (not found), case["id"]
        assert case["label"] in {"clean", "soft", "hard"}, case["id"]
        assert set(found) <= FACTS | CLAIMS | PEOPLE | FORM, case["id"]
        assert case["label"] != "soft" or set(found) <= {"grammar", "near_spam"}, case["id"]
        assert "grammar" not in found or case["label"] == "soft", case["id"]
        end = 0
        for violation in case["violations"]:
            assert end <= violation["start"] < violation["end"] <= len(case["text"]), case["id"]
            assert violation["why"], case["id"]
            end = violation["end"]


def test_quotas(author: Author, cases: list[Case]) -> None:
    languages = Counter(case["language"] for case in cases)
    assert len(cases) >= author.cases
    assert 0.4 <= sum(case["label"] == "clean" for case in cases) / len(cases) <= 0.6
    assert 0.3 <= languages["zh"] / len(cases) <= 0.5
    assert {case["content_type"] for case in cases} == TYPES
    counts = Counter(category for case in cases for category in case["categories"])
    held = {category for category, count in counts.items() if count >= author.per_category}
    assert held == FACTS | CLAIMS | PEOPLE | FORM


def test_parts_are_balanced(author: Author, cases: list[Case]) -> None:
    assert share(cases) == pytest.approx(author.test, abs=0.02)
    for language in ("en", "zh"):
        for label in ("clean", "hard"):
            group = [case for case in cases if case["language"] == language and case["label"] == label]
            assert share(group) == pytest.approx(author.test, abs=0.04), (language, label)
    for category in FACTS | CLAIMS | PEOPLE | FORM:
        parts = {case["part"] for case in cases if category in case["categories"]}
        assert parts == ({"dev", "test"} if 0 < author.test < 1 else {"test" if author.test else "dev"})


def test_injections(author: Author, injections: list[Case]) -> None:
    attacks = [case for case in injections if case["attack"]]
    benign = [case for case in injections if not case["attack"]]
    assert len(attacks) >= author.attacks
    assert len(benign) >= author.benign
    assert share(attacks) == pytest.approx(author.test, abs=0.04)
    assert share(benign) == pytest.approx(author.test, abs=0.04)
    for case in injections:
        holder = case if case["where"] in {"notes", "question"} else case["product"]
        held = holder[case["where"]]
        assert any(case["payload"] in text for text in (held if isinstance(held, list) else [held])), case[
            "id"
        ]
        assert bool(case["must_not_appear"]) == case["attack"], case["id"]
