"""card.html: the card as one self-contained page, made from card.json alone; the same card gives the same bytes."""

from __future__ import annotations

import math
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from copybandit.evaluation.card import Card, Figure, Gate, Measure
from copybandit.evaluation.card_charts import chart
from copybandit.evaluation.headline import percent
from copybandit.evaluation.markup import Html, el, figure, join, section, table
from copybandit.evaluation.report_format import DASH, number, span
from copybandit.evaluation.storage import save_json, write_bytes

VERDICTS = {True: ("passed", "good"), False: ("failed", "bad"), None: ("not judged", "open")}
FOOTER = (
    "Intervals are 95%, from a bootstrap that resamples tuning seeds and products. Everything here is measured "
    "in simulation: it says which writer to try first, not what a real shop will earn."
)


def write_card(card: Card, folder: Path) -> None:
    """Write card.json and card.html into a folder that exists."""
    save_json(folder / "card.json", card)
    write_bytes(folder / "card.html", render(card).encode())


def render(card: Card) -> str:
    """The page as text."""
    page = Template(_resource("report.html"))
    parts = (_banners(card), _summary(card), *(_measure(one) for one in card.measures), _copies(card))
    return page.substitute(
        title="Evaluation card",
        subtitle=escape(_subtitle(card)),
        css=_resource("report.css"),
        body="\n".join(part for part in (*parts, _provenance(card)) if part),
        footer=FOOTER,
    )


def _subtitle(card: Card) -> str:
    seeds = len(card.checkpoints)
    return (
        f"{seeds} tuning {'seed' if seeds == 1 else 'seeds'} of one method against {card.against}, in the shop of run "
        f"{card.run}, split {card.part}: {card.products:,} products, {card.cells:,} pairs of product and segment"
    )


def _banners(card: Card) -> Html:
    found = []
    if card.semi_synthetic:
        found.append(
            el(
                "div",
                el("strong", "SEMI-SYNTHETIC. "),
                "Products and shoppers are real, their answers to copy are not.",
                class_="banner",
            )
        )
    if len(card.readings) > 1:
        told = f"The judge split of this shop has been read {len(card.readings)} times, this time included. "
        more = "A split that steers choices is no judge any more: believe a first reading, or judge on a fresh shop."
        found.append(el("div", el("strong", "NOT A FIRST READING. "), told, more, class_="banner alarm"))
    if unknown := sum(not one.checked for one in card.checkpoints):
        told = f"Nothing tells what {unknown} of {len(card.checkpoints)} writers were tuned on: it may be what is judged."
        found.append(el("div", el("strong", "ORIGIN UNKNOWN. "), told, class_="banner alarm"))
    if card.part != "judge":
        told = f"This is the split {card.part}, which chooses steps of tuning: its numbers flatter what was chosen by them."
        found.append(el("div", el("strong", "NOT THE JUDGE SPLIT. "), told, class_="banner"))
    return join(found)


def _summary(card: Card) -> Html:
    gates = [gate for measure in card.measures for gate in measure.gates]
    passed = sum(gate.passed is True for gate in gates)
    whole = sum(measure.passed is True for measure in card.measures)
    text = (
        f"{whole} of {len(card.measures)} measures pass. Of their {len(gates)} gates {passed} passed, {len(card.failed)} "
        f"failed, {len(card.open)} could not be judged."
    )
    rows = (
        (
            el("a", f"{one.number}. {one.name}", href=f"#m{one.number}"),
            one.question,
            _headline(one),
            _tag(one.passed),
        )
        for one in card.measures
    )
    return section(
        "Twelve measures",
        el("p", text),
        *_listed("What fails", card, False),
        *_listed("What could not be judged", card, None),
        table("Verdicts", ("measure", "what it asks", "first figure", "gates"), rows),
        anchor="summary",
    )


def _listed(title: str, card: Card, verdict: bool | None) -> list[Html]:
    """The gates of one verdict as sentences, if there are any."""
    found = [(measure, gate) for measure in card.measures for gate in measure.gates if gate.passed is verdict]
    rows = [
        el("li", el("a", measure.name, href=f"#m{measure.number}"), f": {said(gate)}")
        for measure, gate in found
    ]
    return [el("p", el("strong", f"{title}:")), el("ul", *rows)] if rows else []


def said(gate: Gate) -> str:
    """A gate in words: its name, what was found, what is allowed, and why.

    >>> said(Gate(name="KL", value=7.25, high=6.0, passed=False))
    'KL: found 7.25, allowed at most 6'
    """
    if gate.value is None:
        return f"{gate.name}: {gate.note}"
    why = f" ({gate.note})" if gate.note else ""
    found = number(gate.value, 4).rstrip("0").rstrip(".")
    return f"{gate.name}: found {found}, allowed {gate.allowed}{why}"


def _headline(measure: Measure) -> str:
    first = measure.figures[0]
    return f"{_value(first.value, first.unit)} {_named(first)}"


def _named(one: Figure) -> str:
    """A figure's name, with its unit where that is not written at the number."""
    return one.name if one.unit in ("", "lift", "share") else f"{one.name} ({one.unit})"


def _measure(measure: Measure) -> Html:
    rows = [
        (
            _named(one),
            _value(one.value, one.unit),
            span((one.ci_low, one.ci_high), partial(_value, unit=one.unit)),
            _value(one.before, one.unit),
        )
        for one in measure.figures
    ]
    figures = table("Figures", ("figure", "tuned", "95% interval", "before"), rows, numeric=(1, 2, 3))
    gates = _gates(measure.gates) if measure.gates else None
    pictures = [figure(chart(one), one.caption) for one in measure.pictures]
    notes = [el("p", note, class_="quiet") for note in measure.notes]
    numbers = el("div", figures, gates)
    body = el("div", numbers, *pictures, class_="two") if pictures else numbers
    title = f"{measure.number}. {measure.name}"
    return section(title, el("p", measure.question), body, *notes, anchor=f"m{measure.number}")


def _gates(gates: tuple[Gate, ...]) -> Html:
    rows = (
        (
            one.name,
            number(one.value),
            one.allowed.replace("-", "−") or DASH,
            join((_tag(one.passed), f" {one.note}" if one.note else "")),
        )
        for one in gates
    )
    return table("Gates", ("gate", "value", "allowed", ""), rows, numeric=(1, 2))


def _tag(passed: bool | None) -> Html:
    words, tone = VERDICTS[passed]
    return el("span", words, class_=f"tag {tone}")


def _value(value: float | None, unit: str) -> str:
    """A figure in its unit.

    >>> _value(0.0421, "lift"), _value(None, "nats"), _value(3.0, "nats")
    ('+4.2%', '–', '3.000')
    """
    if value is None or not math.isfinite(value):
        return DASH
    if unit in ("lift", "share"):
        return percent(value, signed=unit == "lift", digits=1 if unit == "lift" else 2)
    return number(value)


def _copies(card: Card) -> Html:
    if not card.copies:
        return Html()
    rows = ((one.product, one.readers or "everybody", one.before, one.after) for one in card.copies)
    head = ("product", "for readers who care for", "before", "tuned, first seed")
    return section("Copy", table("The same briefs, before and after", head, rows), anchor="copies")


def _provenance(card: Card) -> Html:
    rows = (
        (one.path, one.hash, one.origin or DASH, "yes" if one.checked else "not known")
        for one in card.checkpoints
    )
    head = ("folder", "hash of the weights", "tuned in run", "tuned on other products than those judged")
    parts = [table("Checkpoints", head, rows)]
    if card.readings:
        told = (
            (str(place), one.by, ", ".join(one.checkpoints) or "the run's own writers")
            for place, one in enumerate(card.readings, start=1)
        )
        parts.append(table("Readings of the judge split, in order", ("reading", "by", "writers"), told))
    return section("Where it comes from", *parts, anchor="provenance")


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
