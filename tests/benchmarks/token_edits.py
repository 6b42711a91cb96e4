"""What the trained token editor mends beside the rules and Harper: precision, recall, F0.5, false edits, speed.

    copybandit bench token_edits --json token_edits.json --ab-tests upworthy-exploratory-sample.csv.gz

Clean text is what the rules leave of it; then one slip of an unseen seed goes into each (the noise model that the editor
learned from, so these figures flatter it), and every system gets the text with the slip. Sets: copy of the grammar about
invented products; human headlines (Upworthy, select split, only with --ab-tests) and titles and bullets (electronics,
select split, where installed); clean English copy by authors that nothing was trained or tuned on (the development parts
of the editor's cases, and files of the same format with --cases). `slips by hand` are the soft cases of the first author
(`CORRECTED`). An edit is a stretch of tokens that differs; it is right where source and target differ
there in the same way. Harper's first suggestion is taken for every finding that the editor would report. Intervals:
bootstrap over texts, 95%.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from copybandit.agents.copy_slips import with_slips
from copybandit.agents.token_corpus import CleanText, electronics_texts, grammar_texts, headline_texts
from copybandit.generators.editor import Editor, EditorSettings
from copybandit.generators.facts import said_of
from copybandit.generators.normalising import normalise
from copybandit.generators.proofreading import installed, lints
from copybandit.generators.token_edits import tokens
from copybandit.generators.token_words import held
from copybandit.sim.types import Brief, DataError
from tests.benchmarks.editor import brief as brief_of
from tests.benchmarks.editor import read as read_cases

CASES = Path(__file__).parents[1]
SEED = 1001
MOST = 600
"""Texts of each set."""
RESAMPLES = 500
ROUNDS = 5
CORRECTED = {
    "en-204": "A blue ceramic mug that holds 350 ml.",
    "en-207": "A fine nib and one blue cartridge included.",
    "en-209": "192 numbered pages of 100 gsm paper, it's made in Germany.",
    "en-355": "Twelve pouches of chicken in jelly.",
    "en-356": "If you like fiction, 352 pages await.",
    "en-359": "It is made in Switzerland.",
    "en-360": "Terracotta, 18 cm wide",
}
"""What an editor would make of the soft cases of grammar."""
System = Callable[[Brief, str], str]
Edit = tuple[int, int, tuple[str, ...]]


@dataclass(frozen=True)
class Task:
    """A text with a slip and the one without."""

    brief: Brief
    source: str
    target: str
    kind: str


def systems() -> dict[str, System]:
    """What is compared; Harper's rows are left out where it is not installed."""
    rules, neural = Editor(), Editor(settings=EditorSettings(token_edits=True))

    def by_rules(brief: Brief, text: str) -> str:
        return rules.edit(brief, text).text

    def by_network(brief: Brief, text: str) -> str:
        return neural.edit(brief, text).text

    found: dict[str, System] = {"rules": by_rules, "rules + token edits": by_network}
    if installed():
        found["rules + Harper"] = lambda brief, text: suggested(brief, by_rules(brief, text))
        found["rules + token edits + Harper"] = lambda brief, text: suggested(brief, by_network(brief, text))
    return found


def suggested(brief: Brief, text: str) -> str:
    """The text with Harper's first suggestions."""
    found = sorted(lints(text, said_of(brief.product).words), key=lambda lint: -int(lint.span.start))
    before = len(text)
    for lint in found:
        start, end = int(lint.span.start), int(lint.span.end)
        if end > before or not lint.suggestions:
            continue
        first = lint.suggestions[0]
        kind, new = str(first.kind).rpartition(".")[2].upper(), first.replacement_text or ""
        if "INSERT" in kind:
            new = text[start:end] + new
        text, before = text[:start] + ("" if "REMOVE" in kind else new) + text[end:], start
    return text


def edits(source: str, target: str) -> set[Edit]:
    """Stretches of tokens that differ, with what stands there instead."""
    left, right = (["".join(token) for token in tokens(text)] for text in (source, target))
    blocks = SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes()
    return {(a, b, tuple(right[c:d])) for op, a, b, c, d in blocks if op != "equal"}


def tasks(texts: Sequence[CleanText], seed: int) -> list[Task]:
    """One slip in each of at most `MOST` texts, spread evenly over them."""
    rng, rules, done = np.random.default_rng(seed), Editor(), []
    for clean in (texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, MOST).astype(int))):
        target = rules.edit(clean.brief, clean.text).text
        slip = with_slips(target, lambda row, brief=clean.brief: held(brief, row), rng, n=1)  # type: ignore[misc]
        if slip.kinds:
            done.append(Task(clean.brief, slip.text, target, slip.kinds[0]))
    return done


def ruled(texts: Sequence[CleanText]) -> list[tuple[Brief, str]]:
    """At most `MOST` texts, as the rules leave them."""
    some = (texts[i] for i in np.unique(np.linspace(0, len(texts) - 1, MOST).astype(int)))
    return [(clean.brief, Editor().edit(clean.brief, clean.text).text) for clean in some]


def cases() -> list[Task]:
    """The soft cases of grammar, corrected by hand."""
    found = [case for case in read_cases(("editor_cases.jsonl",), "dev") if case["id"] in CORRECTED]
    return [Task(brief_of(case), case["text"], CORRECTED[case["id"]], "by hand") for case in found]


def case_texts(path: Path) -> list[CleanText]:
    """The clean English cases of a file; only those of the development part where it has parts."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        CleanText(brief=brief_of(case), text=normalise(case["text"]).strip(), source=path.stem)
        for case in rows
        if (case["label"], case["language"], case.get("part", "dev")) == ("clean", "en", "dev")
        and case.get("content_type") != "tags"
    ]


def corrected(system: System, asked: Sequence[Task]) -> dict[str, Any]:
    """Precision, recall, F0.5 and the share of texts that come out as they should."""
    rows, right = [], []
    for task in asked:
        done = system(task.brief, task.source)
        made, wanted = edits(task.source, done), edits(task.source, task.target)
        rows.append((len(made & wanted), len(made), len(wanted)))
        right.append(done == task.target)
    counts = np.array(rows, float)
    draws = np.random.default_rng(0).integers(len(rows), size=(RESAMPLES, len(rows)))
    low, high = np.percentile([f_half(counts[draw].sum(0)) for draw in draws], [2.5, 97.5])
    hits, made, wanted = counts.sum(0)
    kinds = sorted({task.kind for task in asked})
    return {
        "precision": hits / made if made else None,
        "recall": hits / wanted,
        "f_half": f_half(counts.sum(0)),
        "f_half_ci_low": float(low),
        "f_half_ci_high": float(high),
        "exact": float(np.mean(right)),
        "n": len(rows),
        "exact_by_kind": {
            kind: [sum(ok for ok, task in zip(right, asked, strict=True) if task.kind == kind),
                   sum(task.kind == kind for task in asked)]
            for kind in kinds
        },
    }  # fmt: skip


def f_half(counts: np.ndarray[Any, Any]) -> float:
    """F0.5 of hits, edits made and edits wanted."""
    hits, made, wanted = counts
    return float(1.25 * hits / (made + 0.25 * wanted)) if hits else 0.0


def untouched(system: System, asked: Sequence[tuple[Brief, str]]) -> dict[str, Any]:
    """How much clean text is changed."""
    done = [(text, system(brief, text)) for brief, text in asked]
    words = sum(len(text.split()) for text, _ in done)
    false = sum(len(edits(text, after)) for text, after in done)
    changed = [[text, after] for text, after in done if after != text]
    return {"false_edits_per_1000_words": 1000 * false / words, "texts_changed": len(changed) / len(done), "n": len(done),
            "words": words, "changed": changed[:40]}  # fmt: skip


def speeds(asked: Sequence[tuple[Brief, str]]) -> dict[str, float]:
    """Copies per second of CPU time on one core, edit and check; systems take turns, medians of `ROUNDS`."""
    torch.set_num_threads(1)
    compared = {name: system for name, system in systems().items() if "Harper" not in name}
    rates: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(ROUNDS):
        for name, system in compared.items():
            start = time.process_time()
            for brief, text in asked:
                system(brief, text)
            rates[name].append(len(asked) / (time.process_time() - start))
    return {name: median(some) for name, some in rates.items()}


def texts_of(
    ab_tests: Path | None, more: Sequence[Path] = ()
) -> tuple[dict[str, list[CleanText]], list[str]]:
    """The clean texts of each set, and what is left out."""
    sets, skipped = {"grammar": grammar_texts(MOST, np.random.default_rng(SEED))}, []
    if ab_tests is None:
        skipped.append("headlines: pass --ab-tests FILE")
    else:
        sets["headlines"] = headline_texts(ab_tests, "select")
    try:
        sets["electronics"] = electronics_texts("select")
    except DataError as error:
        skipped.append(f"electronics: {error}")
    for path in (*(CASES / name for name in ("editor_cases.jsonl", "editor_cases_2.jsonl")), *more):
        sets[path.stem] = case_texts(path)
    return sets, skipped


def measure(ab_tests: Path | None, more: Sequence[Path] = ()) -> tuple[dict[str, Any], list[str]]:
    """Everything, by set and system."""
    sets, skipped = texts_of(ab_tests, more)
    asked = {name: tasks(texts, SEED + k) for k, (name, texts) in enumerate(sets.items())}
    clean = {name: ruled(texts) for name, texts in sets.items()}
    asked["slips by hand"] = by_hand = cases()
    clean["slips by hand"] = [(task.brief, task.target) for task in by_hand]
    ours: dict[str, Any] = {
        "copies_per_s_core": speeds([row for rows in clean.values() for row in rows[:100]])
    }
    for name in asked:
        ours[name] = {
            title: corrected(system, asked[name]) | {"clean": untouched(system, clean[name])}
            for title, system in systems().items()
        }
        show(name, ours[name])
    return ours, skipped


def show(name: str, rows: dict[str, Any]) -> None:
    """Print one set."""
    for title, row in rows.items():
        precision = f"{row['precision']:.3f}" if row["precision"] is not None else "  -  "
        interval = f"[{row['f_half_ci_low']:.3f}, {row['f_half_ci_high']:.3f}]"
        false = row["clean"]
        print(
            f"{name:12s} {title:30s} P {precision} R {row['recall']:.3f} F0.5 {row['f_half']:.3f} {interval} exact "
            f"{row['exact']:.3f} of {row['n']}; false edits per 1,000 words {false['false_edits_per_1000_words']:.2f}, "
            f"clean texts changed {false['texts_changed']:.3f} of {false['n']}"
        )


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--ab-tests", type=Path, help="Upworthy headline tests")
    parser.add_argument("--cases", type=Path, action="append", default=[], help="more clean copy by hand")
    arguments = parser.parse_args()
    ours, skipped = measure(arguments.ab_tests, arguments.cases)
    print(ours["copies_per_s_core"])
    record = {"name": "token_edits", "machine": platform.machine(), "ours": ours}
    record |= {"peers": {}, "ratios": {}, "skipped": skipped}
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
