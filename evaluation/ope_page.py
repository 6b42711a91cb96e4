"""ope.html: what a log says of a policy as one self-contained page; the same verdict gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from copybandit.evaluation.drawn import Drawn
from copybandit.evaluation.gate_expression import Judged
from copybandit.evaluation.markup import Html, el, figure, section, table
from copybandit.evaluation.ope_asked import KNOWN
from copybandit.evaluation.ope_charts import pictures
from copybandit.evaluation.ope_estimate import Estimate
from copybandit.evaluation.ope_table import grouped, label, number, span
from copybandit.evaluation.ope_verdict import Line, Verdict
from copybandit.evaluation.page import page
from copybandit.evaluation.report_format import DASH
from copybandit.evaluation.storage import plain, save_json, write_bytes
from copybandit.sim.types import DataError

JSON, HTML = "ope.json", "ope.html"
FOOTER = (
    "Intervals are 95%: normal, and where two are drawn a Poisson bootstrap beside it. Rows are taken as independent; where "
    "rows of one shopper go together the intervals are too short. New copy that the log never showed has no support in it "
    "and can be judged in simulation only."
)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is there.

    Raises:
        DataError: it is.
    """
    if folder.exists():
        raise DataError(f"--out must be a folder to make, got {folder}, which exists; pass another --out")


def kept(verdict: Verdict, judged: Sequence[Judged]) -> dict[str, Any]:
    """The verdict and its gates in JSON's own types."""
    gates = [{"gate": str(one.gate), "value": one.value, "passed": one.passed} for one in judged]
    return {"verdict": plain(verdict), "gates": plain(gates)}


def write_page(verdict: Verdict, judged: Sequence[Judged], folder: Path) -> None:
    """Make the folder with ope.json, ope.html and the pictures as PNG and SVG."""
    folder.mkdir(parents=True)
    save_json(folder / JSON, kept(verdict, judged))
    write_bytes(folder / HTML, render(verdict, judged, folder).encode())


def render(verdict: Verdict, judged: Sequence[Judged] = (), folder: Path | None = None) -> str:
    """The page as text; its pictures also go to the folder, where one is given."""
    drawn = {one.name: one for one in pictures(verdict, folder)}
    parts = (
        _summary(verdict, judged),
        _estimates(verdict, [drawn[name] for name in ("values", "gains") if name in drawn]),
        _evidence(verdict, [drawn["weights"], drawn["propensities"]]),
        _doubts(verdict),
    )
    subtitle = f"{verdict.policy}, by {verdict.rows:,} rows of {verdict.log} ({verdict.kind})"
    return page("What the log says of a policy", subtitle, parts, FOOTER)


def sentence(verdict: Verdict) -> str:
    """What may be said: by DR where it has a number, else by another estimator without bias that has one."""
    told = {line.estimator: line for line in verdict.lines if line.gain is not None}
    for name in ("dr", "sndr", "snips", "ips"):
        if name in told:
            return _said(told[name])
    if numbers := [line.estimator for line in verdict.lines if not line.refused]:
        return f"Numbers from {', '.join(numbers)} alone, whose bias nothing here tells: nothing may be concluded."
    return "Every estimate is refused: this log says nothing of this policy."


def _said(line: Line) -> str:
    assert line.gain is not None and line.estimate is not None
    ends = minus(f"{line.gain.value:+.4g} ({span(line.gain, signed=True)}) a row")
    if line.gain.ci_low <= 0 <= line.gain.ci_high:
        return f"By {line.estimator}, no difference from the logging policy is shown: {ends}."
    side = "better" if line.gain.ci_low > 0 else "worse"
    if line.estimate.findings:
        return f"By {line.estimator}, {side} than the logging policy, with doubts (below): {ends}."
    return f"By {line.estimator}, {side} than the logging policy: {ends}."


def _summary(verdict: Verdict, judged: Sequence[Judged]) -> Html:
    left = ", ".join(f"{one.rows:,} {one.why}" for one in verdict.left_out)
    rows = (
        ("logging policy, reward per row", minus(number(verdict.logged.value)), minus(span(verdict.logged))),
        ("rows counted", f"{verdict.rows:,}", DASH),
        ("rows left out", left or "none", DASH),
    )
    gates = [
        (
            str(one.gate),
            minus(number(one.value)),
            el("span", *_tag(one.passed), class_=f"tag {_tone(one.passed)}"),
        )
        for one in judged
    ]
    return section(
        "In one sentence",
        el("p", el("strong", sentence(verdict))),
        el("ul", *(el("li", note) for note in verdict.notes)) if verdict.notes else None,
        el(
            "div",
            table("The log", ("", "value", "95% interval"), rows, numeric=(1, 2)),
            table("Gates", ("gate", "value", ""), gates, numeric=(1,)) if gates else None,
            class_="two",
        ),
        anchor="verdict",
    )


def _tag(passed: bool) -> tuple[str]:
    return ("passed" if passed else "failed",)


def _tone(passed: bool) -> str:
    return "good" if passed else "bad"


def _estimates(verdict: Verdict, drawn: Sequence[Drawn]) -> Html:
    rows = [_row(line) for line in verdict.lines]
    head = ("estimator", "value", "95% interval", "bootstrap", "gain", "95% interval")
    return section(
        "Estimates",
        table("Reward per row under the policy", head, rows, numeric=range(1, 6)),
        _shown(drawn),
        anchor="estimates",
    )


def _row(line: Line) -> tuple[object, ...]:
    if line.refused or line.estimate is None:
        return (label(line), el("span", "refused", class_="tag bad"), DASH, DASH, DASH, DASH)
    normal, *others = line.estimate.intervals
    return (
        label(line),
        minus(number(line.estimate.value)),
        minus(f"{number(normal.low)} to {number(normal.high)}"),
        minus(f"{number(others[0].low)} to {number(others[0].high)}") if others else DASH,
        DASH if line.gain is None else minus(f"{line.gain.value:+.4g}"),
        DASH if line.gain is None else minus(span(line.gain, signed=True)),
    )


def _evidence(verdict: Verdict, drawn: Sequence[Drawn]) -> Html:
    rows = [
        _rests_on(line, line.estimate, weighs=weighs(line))
        for line in verdict.lines
        if line.estimate is not None
    ]
    head = (
        "estimator",
        "rows",
        "effective rows",
        "effective rewards",
        "largest weight",
        "mean weight",
        "misses",
    )
    told = (
        "Effective rows are how many equal weights would average as well. The mean weight is 1 when propensities are right. "
        "Misses are rows where the policy may show what the log could not."
    )
    return section(
        "What they rest on",
        el("p", told),
        table("Evidence", head, rows, numeric=range(1, 7)),
        _shown(drawn),
        anchor="evidence",
    )


def _rests_on(line: Line, one: Estimate, *, weighs: bool) -> tuple[str, ...]:
    return (
        label(line),
        f"{one.n:,}",
        f"{one.ess:,.0f}" if weighs else DASH,
        f"{one.effective_rewards:,.0f}" if weighs else DASH,
        f"{one.max_weight:.3g}",
        f"{one.weight_sum_over_n:.3f}",
        f"{one.support_misses:,}",
    )


def weighs(line: Line) -> bool:
    """Whether the estimator uses weights; the direct method does not."""
    return KNOWN[line.estimator].made[0].weighs


def minus(text: str) -> str:
    """Numbers with a minus sign instead of a hyphen."""
    return text.replace("-", "−")


def _shown(drawn: Sequence[Drawn]) -> Html:
    return el("div", *(figure(one.svg, one.caption) for one in drawn), class_="two")


def _doubts(verdict: Verdict) -> Html:
    rows = [el("li", el("strong", f"{names}: "), text) for names, text in grouped(verdict.lines)]
    return section("Doubts and refusals", el("ul", *rows) if rows else el("p", "None."), anchor="doubts")
