"""The parts of the report page that say where its numbers come from: data, models, ledger, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from copybandit.evaluation.headline import percent
from copybandit.evaluation.markup import Html, el, join, section, table
from copybandit.evaluation.report_format import DASH, Report, number, span

MODEL_WORDS = {
    "auc_popularity_matched": "interest: AUC against equally popular products (0.5 is chance)",
    "auc_popularity_baseline": "interest: AUC of popularity alone",
    "pair_accuracy": "wording: pairs of headlines ordered rightly",
    "pair_accuracy_significant": "wording: the same, pairs that clearly differ",
    "corr_fitted_gold": "wording: correlation of fitted and gold world",
}
KIND_WORDS = {"fitted": "from data", "literature": "from the literature", "assumed": "assumed"}


def data(report: Report) -> Html:
    """What went in, and how good the models are that stand for shoppers."""
    facts = report.get("data", {})
    words = (
        ("n_shoppers", "shoppers"),
        ("n_products", "products"),
        ("n_interactions", "interactions"),
    )
    rows = [(label, number(facts[key])) for key, label in words if facts.get(key) is not None]
    tables = [table("Data", ("what", "value"), rows, numeric=(1,))] if rows else []
    models = [
        (_model_words(model, key), number(value))
        for model in ("interest_model", "response_model")
        for key, value in (report.get(model) or {}).items()
        if isinstance(value, int | float)
    ]
    if models:
        tables.append(table("Models that stand for shoppers", ("measure", "value"), models, numeric=(1,)))
    if not tables:
        return Html()
    source = [f"Source: {facts['source']}."] if facts.get("source") else []
    lines = (*_screening(report), *source, *(facts.get("attribution") or ()))
    credit = [el("p", line, class_="quiet") for line in lines]
    return section("What went in", el("div", *tables, class_="two"), *credit, anchor="data")


def _screening(report: Report) -> list[str]:
    """What was taken out of product texts before anything read them."""
    screening = report.get("screening")
    if screening is None:
        return []
    reasons = Counter(row["reason"] for row in screening["dropped"])
    why = "; ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
    told = f"Products whose text read in part as an order to the writer, which was left out: {screening['products']}"
    return [f"{told} ({why})." if why else f"{told}."]


def _model_words(model: str, key: str) -> str:
    topic = "interest" if model == "interest_model" else "wording"
    if key == "calibration_slope":
        return f"{topic}: calibration slope (1 is right)"
    return MODEL_WORDS.get(key, f"{topic}: {key.replace('_', ' ')}")


def ledger(report: Report) -> Html:
    """Each coefficient of the simulated shop and where it comes from."""
    entries = report.get("ledger")
    if not entries:
        return Html()
    rows = [
        (
            entry["term"],
            number(entry.get("value"), 4),
            el(
                "span",
                KIND_WORDS.get(entry.get("kind", ""), entry.get("kind", DASH)),
                class_=f"tag {_tone(entry)}",
            ),
            _support(entry),
            entry.get("source") or DASH,
        )
        for entry in entries
    ]
    repeated = " Results were repeated at the ends of assumed ranges." if report.get("sensitivity") else ""
    text = el("p", f"Every coefficient of the simulated shop and where it comes from.{repeated}")
    head = ("term", "value", "kind", "interval or range tried", "source")
    parts = [text, table("Ledger", head, rows, numeric=(1,)), _sensitivity(report)]
    return section("What is known and what is assumed", *parts, anchor="ledger")


def _tone(entry: Mapping[str, Any]) -> str:
    return {"fitted": "good", "assumed": "bad"}.get(entry.get("kind", ""), "open")


def _support(entry: Mapping[str, Any]) -> str:
    if entry.get("interval"):
        return "95%: " + span(entry["interval"])
    return "tried " + ", ".join(f"{value:g}" for value in entry["range"]) if entry.get("range") else DASH


def _sensitivity(report: Report) -> Html:
    """The results again at the ends of each assumed range."""
    entries = report.get("sensitivity")
    if not entries:
        return Html()
    known = {
        "term": "term",
        "value": "value tried",
        "lift": "lift of tuned copy",
        "ci_low": "from",
        "ci_high": "to",
        "gap_closed": "gap closed by the named policy",
        "conclusion": "conclusion",
    }
    keys = [*known, *sorted({key for entry in entries for key in entry} - known.keys())]
    keys = [key for key in keys if any(entry.get(key) is not None for entry in entries)]

    def cell(key: str, value: object) -> str:
        if key in ("lift", "ci_low", "ci_high", "gap_closed") and isinstance(value, int | float):
            return percent(value, signed=key != "gap_closed")
        return number(value)

    rows = ([cell(key, entry.get(key)) for key in keys] for entry in entries)
    head = [known.get(key, key.replace("_", " ")) for key in keys]
    caption = "Does the conclusion survive? Results at the ends of each assumed range"
    return table(caption, head, rows, numeric=range(1, len(keys)))


def cost(report: Report) -> Html:
    """Time and memory of each stage."""
    seconds, memory = report.get("timings_s") or {}, report.get("memory_mb") or {}
    names = list(dict.fromkeys([*seconds, *memory]))
    if not names:
        return Html()
    rows: list[tuple[object, ...]] = [
        (n, number(_float(seconds.get(n)), 1), number(_float(memory.get(n)), 0)) for n in names
    ]
    rows.append(
        (
            el("strong", "together"),
            number(float(sum(seconds.values())), 1),
            number(max(memory.values(), default=None), 0),
        )
    )
    text = table("Time and memory", ("stage", "seconds", "peak memory, MiB"), rows, numeric=(1, 2))
    return section("What it cost", text, anchor="cost")


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def provenance(report: Report) -> Html:
    """One line on how to read intervals."""
    return join(
        (
            "Intervals are 95% bootstrap intervals. Everything here is measured in simulation: ",
            "it says which copy to try first, not what a real shop will earn.",
        )
    )
