"""The verdict of a log as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.ope_verdict import Line, Verdict

HEAD = ("estimator", "value", "95% interval", "gain over the log", "ESS", "max w", "mean w", "misses")


def table_lines(verdict: Verdict) -> Iterator[str]:
    """What `copybandit ope` prints."""
    yield f"log: {verdict.log} ({verdict.kind})"
    yield f"policy: {verdict.policy}"
    left = ", ".join(f"{one.rows:,} {one.why}" for one in verdict.left_out)
    yield f"rows: {verdict.rows:,}{f'; left out: {left}' if left else ''}"
    yield f"logged: {number(verdict.logged.value)} a row ({span(verdict.logged)})"
    yield ""
    yield from _aligned([HEAD, *(_row(line) for line in verdict.lines)])
    yield ""
    yield from (f"{names}: {text}" for names, text in grouped(verdict.lines))
    yield from (f"note: {note}" for note in verdict.notes)


def doubts(line: Line) -> tuple[str, ...]:
    """Why a line has no number, or why to doubt it."""
    if line.refused:
        told = () if line.estimate is None else line.estimate.findings
        return (f"refused: {line.refused}", *(one.text for one in told if not one.refuses))
    assert line.estimate is not None
    return line.estimate.warnings


def grouped(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """Every doubt once, with the estimators that it is of."""
    of: dict[str, list[str]] = {}
    for line in lines:
        for text in doubts(line):
            of.setdefault(text, []).append(line.estimator)
    yield from ((", ".join(names), text) for text, names in of.items())


def label(line: Line) -> str:
    """The estimator's name, with the c that was chosen."""
    if line.setting is None:
        return line.estimator
    return f"{line.estimator} (c = {'∞' if math.isinf(line.setting) else f'{line.setting:g}'})"


def number(value: float) -> str:
    """A value to four digits that matter.

    >>> number(0.0123456), number(0.0), number(-12.5), number(10876.5)
    ('0.01235', '0', '-12.5', '10,876')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def span(found: Interval, *, signed: bool = False) -> str:
    """Both ends of an interval."""
    form = "+.4g" if signed else ".4g"
    return f"{found.ci_low:{form}} to {found.ci_high:{form}}"


def _row(line: Line) -> Sequence[str]:
    told = line.estimate
    if told is None:
        return (label(line), "refused", "", "", "", "", "", "")
    shape = (
        f"{told.ess:,.0f}",
        f"{told.max_weight:.3g}",
        f"{told.weight_sum_over_n:.3f}",
        f"{told.support_misses:,}",
    )
    if line.refused:
        return (label(line), "refused", "", "", *shape)
    gain = "-" if line.gain is None else f"{line.gain.value:+.4g} ({span(line.gain, signed=True)})"
    ends = f"{told.ci_low:.4g} to {told.ci_high:.4g}"
    return (label(line), number(told.value), ends, gain, *shape)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column flush left, the others flush right."""
    width = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(width[0]), *(cell.rjust(w) for cell, w in zip(row[1:], width[1:], strict=True))]
        yield "  ".join(cells).rstrip()
