"""What writers make of real listings: how much may be shown, by writer and kind, and twenty products before and after.

Run: ``python tests/benchmarks/real_titles.py --json FILE [--writers template tiny] [--products 552] [--markdown PAGE]``.
Listings are those of `copybandit.sim.electronics` (Costco, January 2024), drawn by seed and never chosen. Each writer
writes `CANDIDATES` texts of each kind; *first* is the share of first texts that may be shown, *any* the share of briefs of
which any may, *repaired* the share of shown texts that the editor mended.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from copybandit.evaluation.scribes import Scribe, brief_rng, load_scribe
from copybandit.generators.editor import Edited, edit
from copybandit.generators.injection import cleaned_brief
from copybandit.sim.electronics import load_electronics
from copybandit.sim.types import Brief, ContentType, Product

CANDIDATES = 4
SHOWN = 20
SEED = 5
QUESTIONS = (
    "Is it waterproof?",
    "Which brand is it?",
    "Does it have Bluetooth?",
    "How big is it?",
    "What does it cost?",
)
VOICES = ("", "warm", "expert", "playful", "luxury")
NOTES = "Arrived on time. Easy to set up."
KINDS: tuple[ContentType, ...] = get_args(ContentType)
HEAD = """# What is generated from real titles

Twenty of the {n} electronics of `copybandit.sim.electronics` (Costco, January 2024), drawn once by `default_rng({seed})`
and not chosen. *Before* is the first text that a writer wrote, *after* what the editor makes of it: the same (=), repaired,
or refused with the rules it breaks. What is refused is never shown. Where all candidates of a writer are refused
`copybandit generate` falls back to the template. This page is written by
`python tests/benchmarks/real_titles.py --json FILE --markdown docs/generated.md`.

{remarks}
## How much may be shown

Share of first texts, and of briefs of which any of {candidates} texts may be shown, over {products} products.

{table}
"""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One text before and after the editor."""

    writer: str
    brief: Brief
    before: str
    after: Edited

    @property
    def passes(self) -> bool:
        """Whether the text may be shown."""
        return not self.after.rejections


def brief_for(product: Product, kind: ContentType, place: int) -> Brief:
    """What is asked for a product; questions and voices take turns."""
    return cleaned_brief(
        Brief(
            product=product,
            content_type=kind,
            voice=VOICES[place % len(VOICES)] if kind == "description" else "",
            question=QUESTIONS[place % len(QUESTIONS)] if kind == "answer" else "",
            notes=NOTES if kind == "review" else "",
            rating=4 if kind == "review" else None,
        )
    ).brief


def attempts(scribe: Scribe, brief: Brief) -> list[Attempt]:
    """Every candidate of one brief."""
    drawn = scribe.candidates(brief, CANDIDATES, brief_rng(SEED, brief))
    return [
        Attempt(writer=scribe.generator_id, brief=brief, before=c.text, after=edit(brief, c.text))
        for c in drawn
    ]


def shares(tried: Sequence[Sequence[Attempt]]) -> dict[str, Any]:
    """What became of many briefs of one writer and kind."""
    shown = [attempt for row in tried for attempt in row if attempt.passes]
    rules = Counter(found.rule for row in tried for a in row for found in a.after.rejections)
    return {
        "briefs": len(tried),
        "first": float(np.mean([row[0].passes for row in tried])),
        "any": float(np.mean([any(attempt.passes for attempt in row) for row in tried])),
        "repaired": float(np.mean([bool(attempt.after.edits) for attempt in shown])) if shown else 0.0,
        "refused_by": dict(rules.most_common()),
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """The shares as a Markdown table."""
    rows = ["| writer | kind | first | any | most frequent reasons of refusal |", "|---|---|---|---|---|"]
    for writer, kinds in found.items():
        for kind, share in kinds.items():
            reasons = ", ".join(f"{rule} {count}" for rule, count in list(share["refused_by"].items())[:3])
            rows.append(
                f"| {writer} | {kind} | {share['first']:.2f} | {share['any']:.2f} | {reasons or '-'} |"
            )
    return "\n".join(rows)


def cell(text: str) -> str:
    """Text that cannot end a cell of a table."""
    return " ".join(text.replace("|", "/").replace("*", "\\*").split())


def after(attempt: Attempt) -> str:
    """What the editor makes of a text, in a cell."""
    if not attempt.passes:
        rules = ", ".join(sorted({found.rule for found in attempt.after.rejections}))
        return f"*refused: {rules}*"
    return "=" if attempt.after.text == attempt.before else cell(attempt.after.text)


def section(place: int, product: Product, rows: Iterable[Attempt]) -> str:
    """One product with its facts and copy."""
    lines = [
        f"### {place + 1}. {cell(product.name)}",
        "",
        f"Title: {cell(product.title)}  ",
        f"Facts: {cell('; '.join(product.facts[:5]))}",
        "",
        "| kind | writer | before | after |",
        "|---|---|---|---|",
    ]
    for row in rows:
        asked = f" to “{row.brief.question}”" if row.brief.question else ""
        lines.append(
            f"| {row.brief.content_type}{asked} | {row.writer} | {cell(row.before)} | {after(row)} |"
        )
    return "\n".join(lines)


def measure(names: Sequence[str], n: int) -> tuple[dict[str, dict[str, Any]], list[str], dict[str, float]]:
    """Shares by writer and kind, twenty sections, and briefs a second of each writer."""
    products = load_electronics()
    order = np.random.default_rng(SEED).permutation(len(products))[: max(n, SHOWN)]
    drawn: list[list[Attempt]] = [[] for _ in range(SHOWN)]
    found: dict[str, dict[str, Any]] = {}
    rates = {}
    for name in names:
        scribe, start = load_scribe(name, None), time.perf_counter()
        found[name] = {}
        for number, kind in enumerate(KINDS):
            tried = [
                attempts(scribe, brief_for(products[row], kind, place)) for place, row in enumerate(order)
            ]
            found[name][kind] = shares(tried)
            for place in range(SHOWN):  # three kinds a product and writer, taking turns
                if (place + number) % 7 in (0, 2, 4):
                    drawn[place].append(tried[place][0])
        rates[name] = len(order) * len(KINDS) / (time.perf_counter() - start)
    sections = [section(place, products[order[place]], rows) for place, rows in enumerate(drawn)]
    return found, sections, rates


def main() -> None:
    """Measures, writes the record and, where asked, the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--writers", nargs="+", default=["template", "tiny"], help="specs as `generate --writer` has them"
    )
    parser.add_argument("--products", type=int, default=552, help="how many of the listings, at least 20")
    parser.add_argument(
        "--markdown", type=Path, help="page to write; remarks between its title and table are kept"
    )
    arguments = parser.parse_args()
    found, sections, rates = measure(arguments.writers, arguments.products)
    record = {
        "name": "real_titles",
        "ours": {"shares": found, "briefs_per_s": rates},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    arguments.json.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))
    if arguments.markdown:
        head = HEAD.format(
            n=len(load_electronics()), seed=SEED, remarks=remarks(arguments.markdown), candidates=CANDIDATES,
            products=arguments.products, table=table(found),
        )  # fmt: skip
        arguments.markdown.write_text("\n\n".join([head.rstrip(), *sections]) + "\n", encoding="utf-8")


def remarks(page: Path) -> str:
    """What people wrote on the page: the list that starts with ``What to see``, ends before the table."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    _, _, rest = text.partition("What to see in them:")
    kept = rest.split("\n#", 1)[0].strip()
    return f"What to see in them:\n\n{kept}\n\n" if kept else ""


if __name__ == "__main__":
    main()
