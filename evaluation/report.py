"""report.html: one self-contained page that a growth manager reads, made from report.json alone.

The same report gives the same bytes. The page loads nothing: style and charts are inside it, and a content
security policy forbids scripts, so copy that was written by a model can only ever be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from copybandit.evaluation import report_background as background
from copybandit.evaluation import report_bandit as bandit
from copybandit.evaluation import report_holdout as holdout
from copybandit.evaluation import report_weekly as weekly
from copybandit.evaluation import report_writers as writers
from copybandit.evaluation.markup import Html
from copybandit.evaluation.storage import plain, write_bytes

PARTS: tuple[Callable[[Mapping[str, Any]], Html], ...] = (
    writers.banners,
    writers.headline_cards,
    writers.writers,
    writers.copies,
    bandit.bandit,
    holdout.holdout,
    bandit.ope,
    weekly.weekly,
    writers.tuning,
    background.data,
    background.ledger,
    background.cost,
)
"""The page from top to bottom."""


def write_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``folder/report.html``.

    Args:
        folder: the run folder.
        report: what report.json holds; parts that are absent are left out of the page.
    """
    write_bytes(folder / "report.html", render(report).encode())


def render(report: Mapping[str, Any]) -> str:
    """The page as text."""
    report = plain(report)
    page = Template(_resource("report.html"))
    source = report.get("data", {}).get("source", "")
    return page.substitute(
        title="What the copy is worth",
        subtitle=escape(_subtitle(report, source)),
        css=_resource("report.css"),
        body="\n".join(part for part in (make(report) for make in PARTS) if part),
        footer=background.provenance(report),
    )


def _subtitle(report: Mapping[str, Any], source: str) -> str:
    data = report.get("data", {})
    counts = [f"{data[key]:,} {key[2:]}" for key in ("n_shoppers", "n_products") if data.get(key) is not None]
    return ", ".join([*([f"Shop: {source}"] if source else []), *counts])


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
