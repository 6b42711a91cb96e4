"""report.html of `copybandit tune`: who earns what on which budget, and the curves. Made from report.json alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from copybandit.evaluation.headline import percent
from copybandit.evaluation.markup import Html, el, figure, join, section, table
from copybandit.evaluation.report_background import cost
from copybandit.evaluation.report_format import DASH, Report, number, share, span
from copybandit.evaluation.select_step import SelectRow
from copybandit.evaluation.storage import plain, write_bytes
from copybandit.evaluation.tune_chart import curves_chart

HEAD = (
    "writer", "reward", "95% interval", "clicks over SFT", "95% interval", "KL, nats", "refused",
    "characters", "unique", "reward calls", "calls per text", "seconds",
)  # fmt: skip


def write_tune_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``folder/report.html``; it loads nothing and holds no script."""
    write_bytes(folder / "report.html", render_tune(report).encode())


def render_tune(report: Mapping[str, Any]) -> str:
    """The page as text; equal reports give equal bytes."""
    report = plain(report)
    data = report["data"]
    parts = (_compared, _judged, _learned, _curves, _steps, cost)
    return Template(_resource("report.html")).substitute(
        title="Ways of tuning, side by side",
        subtitle=escape(
            f"Shop: {data['source']}, seed {data['seed']}: {data['n_shoppers']:,} shoppers, {data['n_products']:,} products"
        ),
        css=_resource("report.css"),
        body="\n".join(part for part in (make(report) for make in parts) if part),
        footer=escape(
            "Intervals are 95% bootstrap intervals over seeds and products. Everything here is measured in simulation."
        ),
    )


def _compared(report: Report) -> Html:
    text = (
        f"Each way of tuning may ask the fitted world about {report['budget']:,} texts a seed, starts from the same writer "
        "and keeps the step that the select split likes best. Copy here is written anew for the select split and judged by "
        "the fitted world, which tuning could see: what it is worth in truth the judge split says."
    )
    return section(
        "Compared on the select split",
        el("p", text),
        table("Fitted world, select split", HEAD, map(_cells, report["comparison"]), numeric=range(1, 12)),
        anchor="comparison",
    )


def _judged(report: Report) -> Html:
    if not report.get("judged"):
        return Html()
    return section(
        "Judged once",
        el("p", _unseen(report.get("feedback"))),
        table("Gold world, judge split", HEAD, map(_cells, report["judged"]), numeric=range(1, 12)),
        anchor="judged",
    )


def _unseen(feedback: Report | None) -> str:
    """What of the judge split nothing was tuned on."""
    text = "Held-out products and shoppers; clicks are those of the gold world, which no tuning ever saw"
    if not feedback or not feedback["judged_shown"]:
        return f"{text}."
    return (
        f"{text}, but for the log that was learned from: it showed {feedback['judged_shown']:,} of these "
        f"{feedback['judged']:,} products and any shopper, so they are not new to the fitted world."
    )


def _learned(report: Report) -> Html:
    found = report.get("feedback")
    if not found:
        return Html()
    text = (
        f"Before tuning the fitted world learned from {found['rows']:,} logged decisions with {found['clicks']:,} clicks, "
        f"weighted by inverse propensity and worth {found['weights']['effective']:,.0f} of them. Doubt of wording went from "
        f"{found['doubt_before']:.3f} to {found['doubt_after']:.3f} log-odds."
    )
    rows = [
        (row["term"], number(row["value"]), span(row["interval"]) if row["interval"] else DASH, row["source"])
        for row in found["ledger"]
    ]
    head = ("term", "value", "95% interval", "source")
    return section(
        "Learned from feedback", el("p", text), table("Ledger", head, rows, numeric=(1, 2)), anchor="feedback"
    )


def _cells(row: Report) -> tuple[object, ...]:
    reward, lift = row["reward"], row["lift"]
    return (
        row["name"],
        number(reward["value"]),
        span((reward["ci_low"], reward["ci_high"])),
        DASH if lift is None else percent(lift["value"], signed=True),
        DASH if lift is None else span((lift["ci_low"], lift["ci_high"]), _signed),
        number(row["kl"], 2),
        share(row["refused"]),
        number(row["characters"], 1),
        share(row["unique"], 0),
        number(round(row["calls"])),
        number(row["calls_per_text"]),
        number(row["seconds"], 0),
    )


def _signed(value: float) -> str:
    return percent(value, signed=True)


def _found(report: Report) -> dict[str, Report]:
    """What each algorithm came to, in the order of the table."""
    known = report["algorithms"]
    return {row["name"]: known[row["name"]] for row in report["comparison"] if row["name"] in known}


def _curves(report: Report) -> Html:
    runs = {name: found["tuning"] for name, found in _found(report).items()}
    select = {name: found["select"] for name, found in _found(report).items()}
    caption = (
        "Lines: the batch each update learned from. Dots: the select split. A reward that rises while the distance to the "
        "untuned writer, the entropy and the length hold is healthy."
    )
    return section("How tuning went", figure(curves_chart(runs, select), caption), anchor="tuning")


def _steps(report: Report) -> Html:
    rows: list[Sequence[object]] = []
    for name, found in _found(report).items():
        for step in map(SelectRow.read, found["select"]):
            told = (step.seed, step.restart, step.update, step.reward, step.kl)
            rows.append((name, *map(number, told), ", ".join(step.broken) or "none"))
    notes = [
        el("p", f"{name} ended early: {reason}.")
        for name, found in _found(report).items()
        for reason in found["stopped"]
    ]
    head = ("algorithm", "seed", "run", "update", "reward on the select split", "KL", "limits broken")
    return section(
        "What was chosen from", join(notes), table("Steps", head, rows, numeric=range(1, 6)), anchor="steps"
    )


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
