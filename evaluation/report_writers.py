"""The parts of the report page about writers; what is absent in report.json gives nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from copybandit.evaluation.charts import tuning_chart, writers_chart
from copybandit.evaluation.headline import Number, headline, percent, verdict
from copybandit.evaluation.markup import Html, el, figure, join, section, table
from copybandit.evaluation.report_format import DASH, Report, number, share, span
from copybandit.evaluation.select_step import SelectRow, best_step


def banners(report: Report) -> Html:
    """What a reader must know before any number."""
    parts = []
    if report.get("data", {}).get("semi_synthetic"):
        parts.append(
            el(
                "div",
                el("strong", "SEMI-SYNTHETIC. "),
                "Shoppers, products and prices come from a real log, the response to wording from real "
                "tests, but nobody in these data ever saw this copy on these products. What the data cannot "
                "tell is assumed; the ledger below names each such term.",
                class_="banner",
            )
        )
    for item in headline(report):
        if item.warning:
            parts.append(
                el("div", el("strong", "SUSPECT. "), f"{item.label}: {item.warning}.", class_="banner alarm")
            )
    return join(parts)


def headline_cards(report: Report) -> Html:
    """The three numbers that matter."""
    cards = [_card(item) for item in headline(report)]
    return el("div", *cards, class_="cards") if cards else Html()


def _card(item: Number) -> Html:
    return el(
        "div",
        el("div", item.label, class_="label"),
        el("div", item.figure, class_="figure"),
        el("div", item.interval or "over the whole week", class_="interval"),
        el("p", item.words),
        class_=f"card {item.verdict}",
    )


def tuning(report: Report) -> Html:
    """Reward and KL while tuning."""
    rows = report.get("generator", {}).get("tuning")
    if not rows:
        return Html()
    kl = report["generator"].get("kl")
    chart = figure(
        tuning_chart(rows),
        "Above: the reward PPO works for, the cautious end of what the fitted models promise over reference "
        "copy. Below: how far the writer has moved from where it began. A reward that rises while the "
        "distance holds is healthy. Of several runs the select split kept the one in the table.",
    )
    kept = _kept(rows, report["generator"].get("select", ()))
    first, last = kept[0], kept[-1]
    facts = {
        "episodes": last.get("episodes"),
        "reward at the start": first.get("reward"),
        "reward at the end": last.get("reward"),
        "KL at the end, nats per copy": last.get("kl") if kl is None else kl,
        "entropy at the end": last.get("entropy"),
        "tokens per copy at the end": last.get("length"),
    }
    text = el(
        "p", "Tuning saw only the fitted models. What it is worth is judged elsewhere, by the gold world."
    )
    summary = table(
        "Tuning in numbers",
        ("measure", "value"),
        ((k, number(v)) for k, v in facts.items() if v is not None),
        numeric=(1,),
    )
    return section("How tuning went", text, el("div", chart, summary, class_="two"), anchor="tuning")


def writers(report: Report) -> Html:
    """Click-through rate by writer in both worlds, and the tuned writer against each other one."""
    generator = report.get("generator", {})
    found = writer_rates(generator)
    if not found:
        return Html()
    rows = (
        (
            name,
            share(w.get("fitted_ctr")),
            span(w.get("fitted_ci"), share),
            share(w.get("gold_ctr")),
            span(w.get("gold_ci"), share),
        )
        for name, w in found.items()
    )
    head = ("writer", "fitted world", "95% interval", "gold world", "95% interval")
    numbers = table("Click-through rate by writer", head, rows, numeric=(1, 2, 3, 4))
    chart = figure(
        writers_chart(found),
        "The fitted world is what tuning could see. The gold world is a different model that tuning never "
        "saw: a writer that shines only in the fitted one has learned the model's faults.",
    )
    body = el("div", chart, el("div", _lifts(generator)), class_="two")
    return section("What each writer is worth", body, numbers, anchor="writers")


def writer_rates(generator: Report) -> dict[str, Any]:
    """The entries of report.json's `generator` that are writers, by name."""
    return {
        name: entry for name, entry in generator.items() if isinstance(entry, dict) and "gold_ctr" in entry
    }


def _lifts(generator: Report) -> Html:
    lifts = {
        name: lift for name, lift in (generator.get("lifts") or {}).items() if lift.get("value") is not None
    }
    swaps = {
        "swap test": generator.get("swap"),
        "swap test, match switched off": generator.get("swap_at_zero_match"),
    }
    parts = []
    if lifts:
        rows = ((name, *_effect(lift, lambda v: percent(v, signed=True))) for name, lift in lifts.items())
        head = ("against", "more clicks", "95% interval", "")
        parts.append(table("Tuned copy against each baseline, gold world", head, rows, numeric=(1, 2)))
    known = {name: swap for name, swap in swaps.items() if swap and swap.get("value") is not None}
    if known:
        rows = ((name, *_effect(swap, lambda v: number(v, 4))) for name, swap in known.items())
        caption = "Right segment against wrong, log-odds; without match it must be zero"
        parts.append(table(caption, ("test", "effect", "95% interval", ""), rows, numeric=(1, 2)))
    return join(parts)


def _effect(estimate: Report, form: Any) -> tuple[object, object, object]:
    low, high = estimate.get("ci_low"), estimate.get("ci_high")
    if low is None or high is None:
        return form(estimate["value"]), DASH, ""
    tone = verdict(low, high)
    words = {"good": "above zero", "bad": "below zero", "open": "holds zero"}[tone]
    return form(estimate["value"]), span((low, high), form), el("span", words, class_=f"tag {tone}")


def copies(report: Report) -> Html:
    """Copy before and after tuning, two segments side by side."""
    items = report.get("generator", {}).get("copies")
    if not items:
        return Html()
    text = el(
        "p", "The same product, written for two groups of shoppers, before tuning (SFT) and after (PPO)."
    )
    return section("Copy before and after tuning", text, *(_copy(item) for item in items), anchor="copies")


def _kept(rows: Sequence[Mapping[str, Any]], select: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the run of PPO that the select split liked best."""
    if not select:
        return list(rows)
    best = best_step([SelectRow.read(row) for row in select])
    runs = [row for row in rows if (row.get("seed"), row.get("restart")) == (best.seed, best.restart)]
    return runs or list(rows)


def _copy(item: Report) -> Html:
    price = item.get("price")
    facts = item.get("facts") or ()
    about = ", ".join(
        [*([f"{price:,.2f}"] if isinstance(price, int | float) else []), *(str(f) for f in _each(facts))]
    )
    title = el("h3", item["product"], el("span", f" {about}", class_="quiet"))
    return el(
        "article", title, el("div", *(_segment(s) for s in item["segments"]), class_="two"), class_="copy"
    )


def _segment(segment: Report) -> Html:
    interests = ", ".join(str(word) for word in _each(segment.get("interests") or ())) or "everybody"
    return el(
        "div",
        el("div", f"for shoppers who care for {interests}", class_="quiet"),
        el(
            "dl",
            el("dt", "before"),
            el("dd", segment["before"]),
            el("dt", "after"),
            el("dd", segment["after"], class_="after"),
        ),
    )


def _each(value: str | Iterable[object]) -> Iterable[object]:
    return (value,) if isinstance(value, str) else value
