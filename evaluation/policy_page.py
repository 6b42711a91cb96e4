"""evaluation.html: a policy's seasons as one self-contained page, its pictures beside it; the same card, the same bytes."""

from __future__ import annotations

import math
from pathlib import Path

from copybandit.evaluation.drawn import Drawn
from copybandit.evaluation.headline import percent
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.markup import Html, el, figure, join, section, table
from copybandit.evaluation.page import page
from copybandit.evaluation.policy_card import PolicyCard, SampleDecision, Told
from copybandit.evaluation.policy_charts import (
    calibration_chart,
    lost_chart,
    propensity_chart,
    segments_chart,
)
from copybandit.evaluation.report_format import DASH, number
from copybandit.evaluation.storage import save_json, write_bytes

JSON, HTML = "evaluation.json", "evaluation.html"
FOOTER = (
    "Intervals are 95%, Student's over independent shoppers, or over seasons where policies learn. Differences are paired: "
    "both sides met the same shoppers at the same times. Figures are expectations under the simulator's truth."
)


def write_policy_card(card: PolicyCard, folder: Path) -> None:
    """Write evaluation.json, evaluation.html and the pictures into a folder that exists."""
    save_json(folder / JSON, card)
    write_bytes(folder / HTML, render(card, folder).encode())


def render(card: PolicyCard, folder: Path | None = None) -> str:
    """The page as text; its pictures also go to the folder, where one is given."""
    ours, clicks = card.looks[0], card.reward == "clicks"
    lost = lost_chart(card.looks, "clicks" if clicks else "reward", folder)
    stated = calibration_chart(
        "shown",
        "Dots on the line: copy is shown as often as the policy says, so its propensities can be trusted.",
        ours.shown,
        ("stated probability of a variant", "share of times it was shown"),
        folder,
    )
    believed = calibration_chart(
        "believed",
        "Dots above the line: copy does better than the shop believed before any feedback. Ten groups of equal count.",
        ours.believed,
        ("believed before any feedback", "clicks that came" if clicks else "share of reward that came"),
        folder,
    )  # fmt: skip
    parts = (
        _caution(card),
        _figures(card, lost),
        _segments(card, segments_chart(card.segments, card.against, folder)),
        _propensities((propensity_chart(card.looks, folder), stated, believed)),
        _decisions(card),
    )
    return page("Evaluation of a policy", _subtitle(card), parts, FOOTER)


def _subtitle(card: PolicyCard) -> str:
    how = "learning" if card.learns else "frozen"
    return (
        f"{card.policy} of {card.checkpoint}, {how}, against {card.against}, in the shop of run {card.run}: "
        f"{card.seasons} seasons of {card.impressions:,} impressions"
    )


def _caution(card: PolicyCard) -> Html:
    ctr = card.figures[0]
    verdict = told_verdict(ctr, card.against)
    rows = [el("li", line) for line in card.cautions]
    return section(
        "In one sentence",
        el("p", el("strong", verdict)),
        el("h3", "What may not be concluded"),
        el("ul", *rows),
        anchor="verdict",
    )


def told_verdict(ctr: Told, against: str) -> str:
    """What the clicks say, with the lift's interval."""
    if ctr.lift is None or not math.isfinite(ctr.lift.ci_low):
        return f"Clicks cannot be compared with {against}: a rate is 0 or there is a single cluster."
    low, high = percent(ctr.lift.ci_low, signed=True), percent(ctr.lift.ci_high, signed=True)
    what = (
        "more clicks than"
        if ctr.lift.ci_low > 0
        else "fewer clicks than"
        if ctr.lift.ci_high < 0
        else "as many clicks, as far as can be told, as"
    )
    return f"{percent(ctr.lift.value, signed=True)} ({low} to {high}): {what} {against}."


def _figures(card: PolicyCard, lost: Drawn) -> Html:
    rows = [
        (
            one.words,
            amount(one.ours.value, one.unit),
            ends(one.ours, one.unit),
            amount(one.theirs.value, one.unit),
            amount(one.difference.value, one.unit, signed=True),
            ends(one.difference, one.unit, signed=True),
            f"{amount(one.lift.value, 'lift')} ({ends(one.lift, 'lift')})" if one.lift else DASH,
        )
        for one in card.figures
    ]
    head = (
        "figure",
        "judged",
        "95% interval",
        "against",
        "difference",
        "95% interval",
        "lift, with 95% interval",
    )
    told = table(
        f"Judged against {card.against}; a decision earns {card.reward}", head, rows, numeric=range(1, 7)
    )
    return section("What it is worth", told, narrow(lost), anchor="figures")


def narrow(drawn: Drawn) -> Html:
    """A picture that stands alone, no wider than it is readable."""
    return el("div", figure(drawn.svg, drawn.caption), class_="narrow")


def amount(value: float, unit: str, *, signed: bool = False) -> str:
    """A figure in its unit; a dash where it has none.

    >>> amount(0.0421, "lift"), amount(0.0142, "share"), amount(12.5, "money"), amount(float("nan"), "share")
    ('+4.2%', '1.42%', '12.50', '–')
    """
    if not math.isfinite(value):
        return DASH
    if unit in ("share", "lift"):
        return percent(value, signed=signed or unit == "lift", digits=1 if unit == "lift" else 2)
    plus = "+" if signed and value > 0 else ""
    return plus + number(float(value), 2 if unit == "money" else 3)


def ends(one: Interval, unit: str, *, signed: bool = False) -> str:
    """Its interval in its unit."""
    if not (math.isfinite(one.ci_low) and math.isfinite(one.ci_high)):
        return DASH
    return f"{amount(one.ci_low, unit, signed=signed)} to {amount(one.ci_high, unit, signed=signed)}"


def _segments(card: PolicyCard, drawn: Drawn | None) -> Html:
    rows = [
        (
            row.name,
            number(row.shoppers),
            number(row.impressions),
            f"{amount(row.ctr.value, 'share')} ({ends(row.ctr, 'share')})" if row.ctr else "too few to tell",
            f"{amount(row.difference.value, 'share', signed=True)} ({ends(row.difference, 'share', signed=True)})"
            if row.difference
            else DASH,
        )
        for row in card.segments
    ]
    head = (
        "shoppers who care for",
        "shoppers",
        "impressions",
        "clicks per impression",
        f"more than {card.against}",
    )
    told = table("Each segment on its own, 95% intervals", head, rows, numeric=(1, 2, 3, 4))
    picture = narrow(drawn) if drawn else None
    note = el(
        "p",
        "Intervals are for one segment at a time: the best of many looks better than it is.",
        class_="quiet",
    )
    return section("By segment", told, picture, note, anchor="segments")


def _propensities(drawn: tuple[Drawn | None, ...]) -> Html:
    pictures = [figure(one.svg, one.caption) for one in drawn if one]
    return section("Propensities and calibration", el("div", *pictures, class_="two"), anchor="propensities")


def _decisions(card: PolicyCard) -> Html:
    told = [_decision(one) for one in card.decisions]
    lead = el(
        "p", "As the judged policy decides before the first season begins; points are of the probability."
    )
    return section("Sample decisions", lead, *told, anchor="decisions")


def _decision(one: SampleDecision) -> Html:
    rows = [
        (candidate.text, amount(candidate.probability, "share"), candidate.sentence)
        for candidate in one.candidates
    ]
    title = join((one.product, el("span", f" for shoppers who care for {one.segment}", class_="quiet")))
    told = table("Candidates, the likeliest first", ("copy", "probability", "why"), rows, numeric=(1,))
    return el("article", el("h3", title), told, class_="copy")
