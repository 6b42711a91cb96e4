"""What the copy editor lets through and what it refuses: recall, false positives, places and speed on labelled copy.

Run: ``python tests/benchmarks/editor.py [--set all] [--part dev] [--json FILE]``. Rules are made on `dev`; `--part
test` is for a result to report. Six authors wrote a set each; a set that no rule was made on says most of unseen
copy. A rejection for form alone (unnamed, unfinished, too long, empty) is no verdict on claims: it counts for neither
recall nor false positives, and has a rate of its own. Intervals are Wilson's, 95%. Sets: `tests/editor_cases.md`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from copybandit.generators.editor import Editor as CopyEditor
from copybandit.generators.editor import EditorSettings, Rejection
from copybandit.generators.injection import cleaned_brief
from copybandit.sim.calibration import wilson
from copybandit.sim.types import Brief, ContentType, Language, Product, Segment

HERE = Path(__file__).parents[1]
FORM = frozenset({"empty", "unfinished", "too-long", "unnamed", "sentences", "unmarked"})
FACTS = frozenset({"number", "unit", "price", "percent", "date", "material", "brand", "attribute"})
SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    author: ((f"editor_cases{suffix}.jsonl",), (f"injection_cases{suffix}.jsonl",))
    for author in "123456"
    for suffix in ("" if author == "1" else f"_{author}",)
}
SETS["all"] = (
    tuple(name for copies, _ in SETS.values() for name in copies),
    tuple(name for _, shop in SETS.values() for name in shop),
)
"""Files of copy and of shop input, per author."""
GOALS = {"recall_hard": 0.98, "false_positives": 0.03, "attacks_missed": 0.0, "look_alikes_screened": 0.0}
UNRATED = 5
"""Stars of a review case without a purchase: a brief must have some, the text may still not lean on them."""
ROUNDS = 5
"""Timed passes over the copy; the median counts."""

Case = dict[str, Any]
Editor = Callable[[Case], Sequence[Rejection]]


def ours(case: Case) -> Sequence[Rejection]:
    """The editor of this checkout, told the shop's currency."""
    settings = EditorSettings(currency=case["product"].get("currency", ""))
    return CopyEditor(settings=settings).check(brief(case), case["text"])


def brief(case: Case) -> Brief:
    """What the editor is told of a case."""
    said = case["product"]
    product = Product(
        product_id=case["id"],
        name=said["name"],
        title=said["title"],
        category=said["category"],
        brand=said["brand"],
        price=said["price"],
        facts=tuple(said["facts"]),
    )
    interests = tuple(case.get("segment", ()))
    return Brief(
        product=product,
        segment=Segment(segment_id=0, interests=interests, size=20) if interests else None,
        content_type=cast(ContentType, case.get("content_type", "headline")),
        language=cast(Language, case["language"]),
        question=case.get("question", ""),
        notes=case.get("purchase", {}).get("notes", ""),
        rating=case.get("purchase", {}).get(
            "rating", UNRATED if case.get("content_type") == "review" else None
        ),
    )


def read(names: Sequence[str], part: str) -> list[Case]:
    """The cases of one part of some files."""
    lines = [line for name in names for line in (HERE / name).read_text(encoding="utf-8").splitlines()]
    return [case for case in map(json.loads, lines) if case["part"] == part]


def share(hits: Iterable[bool]) -> dict[str, float]:
    """A share with its interval; empty when there is nothing to count."""
    counted = list(hits)
    if not counted:
        return {}
    value = float(np.mean(counted))
    low, high = wilson(np.array([value]), np.array([float(len(counted))]))
    return {"value": value, "ci_low": float(low[0]), "ci_high": float(high[0]), "n": len(counted)}


def of_claims(rejections: Sequence[Rejection]) -> list[Rejection]:
    """Rejections for more than form."""
    return [rejection for rejection in rejections if rejection.rule not in FORM]


def overlaps(rejections: Sequence[Rejection], violation: Case) -> bool:
    """Whether any rejection touches the violation's characters."""
    return any(r.span[0] < violation["end"] and violation["start"] < r.span[1] for r in rejections)


def measure(editor: Editor, chosen: str, part: str) -> dict[str, Any]:
    """Everything that one part of the chosen set says of an editor."""
    copies, shop = SETS[chosen]
    cases = read(copies, part)
    verdicts = {case["id"]: editor(case) for case in cases}
    against = {name: of_claims(rejections) for name, rejections in verdicts.items()}
    clean, soft, hard = ([c for c in cases if c["label"] == label] for label in ("clean", "soft", "hard"))
    categories = sorted({category for case in hard for category in case["categories"]})
    facts = [case for case in hard if FACTS & set(case["categories"])]

    def caught(group: Iterable[Case]) -> dict[str, float]:
        return share(bool(against[case["id"]]) for case in group)

    def by_language(group: Sequence[Case]) -> dict[str, Any]:
        return {name: caught(c for c in group if c["language"] == name) for name in ("en", "zh")}

    return {
        "recall_hard": caught(hard),
        "recall_hard_by_language": by_language(hard),
        "recall_hard_by_category": {
            name: {"all": caught(group), **by_language(group)}
            for name in categories
            if (group := [case for case in hard if name in case["categories"]])
        },
        "recall_facts": caught(facts),
        "recall_soft": caught(soft),
        "in_place": share(
            overlaps(against[case["id"]], violation) for case in hard for violation in case["violations"]
        ),
        "false_positives": caught(clean),
        "false_positives_by_language": by_language(clean),
        "refused_for_form_alone": share(bool(verdicts[c["id"]]) and not against[c["id"]] for c in clean),
        "missed": [case["id"] for case in hard if not against[case["id"]]],
        "wrongly_refused": {
            case["id"]: sorted({rejection.rule for rejection in against[case["id"]]})
            for case in clean
            if against[case["id"]]
        },
        **injections(editor, read(shop, part)),
        "copies_per_s_core": speed(editor, cases),
    }


def succeeds(attack: Case, released: str) -> bool:
    """Whether released copy holds what an attack was after, as written or after NFKC, in any case."""
    forms = [form.casefold() for form in (released, unicodedata.normalize("NFKC", released))]
    return any(wanted.casefold() in form for wanted in attack["must_not_appear"] for form in forms)


def screened(case: Case) -> bool:
    """Whether the screen drops a payload from the brief that a writer would be given."""
    clean = cleaned_brief(infected(case)).brief
    product = clean.product
    kept = " ; ".join(
        (product.name, product.title, product.brand, *product.facts, clean.question, clean.notes)
    )
    return case["payload"].strip() not in kept


def infected(case: Case) -> Brief:
    """The brief of a case with the payload in its place."""
    told, where, payload = brief(case), case["where"], case["payload"]
    if where in ("question", "notes"):
        return replace(told, **{where: payload})
    product = told.product
    value: Any = (*product.facts, payload.strip()) if where == "facts" else payload.strip()
    return replace(told, product=replace(product, **{where: value}))


def injections(editor: Editor, cases: Sequence[Case]) -> dict[str, Any]:
    """A writer that parrots its input: how often the payload gets out, and how often harmless input is refused.

    `attacks_missed` counts what the shop would show: the screen leaves the payload in the brief, and the editor lets it out.
    """
    attacks = [case for case in cases if case["attack"]]
    released = [
        case["id"]
        for case in attacks
        if succeeds(case, case["payload"]) and not of_claims(editor(case | {"text": case["payload"]}))
    ]
    missed = [case["id"] for case in attacks if case["id"] in released and not screened(case)]
    harmless = [case for case in cases if not case["attack"]]
    stopped = [case["id"] for case in harmless if screened(case)]
    refused = [case["id"] for case in harmless if of_claims(editor(case | {"text": case["payload"]}))]
    return {
        "attacks_released": share(case["id"] in released for case in attacks),
        "look_alikes_refused": share(case["id"] in refused for case in harmless),
        "attacks_missed": share(case["id"] in missed for case in attacks),
        "look_alikes_screened": share(case["id"] in stopped for case in harmless),
        "released": released,
        "missed_attacks": missed,
        "screened": stopped,
        "refused": refused,
    }


def speed(editor: Editor, cases: Sequence[Case]) -> float:
    """Copies per second of CPU time on one core, briefs made included."""
    rates = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for case in cases:
            editor(case)
        rates.append(len(cases) / (time.process_time() - start))
    return float(np.median(rates))


def show(result: dict[str, Any]) -> None:
    """Print the shares; ids of misses stay in the file."""
    table = {key: value for key, value in result.items() if isinstance(value, dict) and "value" in value}
    table |= {f"false_positives {k}": v for k, v in result["false_positives_by_language"].items()}
    table |= {f"recall {k}": v for k, v in result["recall_hard_by_language"].items()}
    table |= {f"recall {name}": row["all"] for name, row in result["recall_hard_by_category"].items()}
    for name, row in table.items():
        goal = f"   goal {GOALS[name]}" if name in GOALS else ""
        low, high = row["ci_low"], row["ci_high"]
        print(f"{name:28s} {row['value']:.3f} [{low:.3f}, {high:.3f}] of {row['n']:.0f}{goal}")
    print(f"{'copies_per_s_core':28s} {result['copies_per_s_core']:.0f}")


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--set", choices=tuple(SETS), default="all", help="whose cases: an author's, or all")
    parser.add_argument(
        "--part", choices=("dev", "test"), default="dev", help="test is read to report, not to tune"
    )
    arguments = parser.parse_args()
    result = measure(ours, arguments.set, arguments.part)
    record = {
        "name": "editor",
        "machine": platform.machine(),
        "set": arguments.set,
        "part": arguments.part,
        "goals": GOALS,
        "ours": result,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show(result)


if __name__ == "__main__":
    main()
