"""The pictures of a log's verdict: values and gains with their intervals, and how weights and propensities are spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from copybandit.evaluation.charts import COLOURS, INK
from copybandit.evaluation.drawn import Drawn, draw
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.ope_estimate import NamedInterval
from copybandit.evaluation.ope_shape import PROPENSITY_EDGES, WEIGHT_EDGES, Shape
from copybandit.evaluation.ope_table import label
from copybandit.evaluation.ope_verdict import Line, Verdict
from copybandit.sim.types import Floats

_OFFSET = {"normal": -0.12, "bootstrap": 0.12}


def pictures(verdict: Verdict, folder: Path | None) -> tuple[Drawn, ...]:
    """All that can be drawn; into FOLDER/NAME.svg and NAME.png too, where a folder is given."""
    told = [line for line in verdict.lines if not line.refused]
    found = []
    if told:
        height = 1.5 + 0.42 * len(told)
        found.append(
            draw(
                "values",
                VALUES,
                lambda axes: _values(axes, told, verdict.logged),
                folder,
                height=height,
                legend=3,
            )
        )
    gains = [line for line in told if line.gain is not None]
    if gains:
        height = 1.5 + 0.42 * len(gains)
        found.append(draw("gains", GAINS, lambda axes: _gains(axes, gains), folder, height=height, legend=3))
    found += [
        draw("weights", WEIGHTS, lambda axes: _weights(axes, verdict.shape), folder, height=3.4, legend=3),
        draw(
            "propensities",
            PROPENSITIES,
            lambda axes: _propensities(axes, verdict.shape),
            folder,
            height=3.4,
            legend=3,
        ),
    ]
    return tuple(found)


VALUES = (
    "Estimated reward of the policy by each estimator that is not refused. The dashed line is what the logging policy "
    "earned, its band the 95% interval."
)
GAINS = (
    "How much more than the logging policy, row by row on the same log; an interval that holds 0 shows no difference. "
    "Estimators whose bias is in no interval are left out."
)
WEIGHTS = (
    "Importance weights. Where much of the weight lies on few rows, far to the right, those rows decide the estimate. The "
    "first bin holds smaller weights, 0 among them, the last larger ones."
)
PROPENSITIES = "How likely what was shown was. Long tails to the left are where weights become large."


def _values(axes: Axes, lines: list[Line], logged: Interval) -> None:
    axes.axvspan(logged.ci_low, logged.ci_high, color=COLOURS[5], alpha=0.15, lw=0)
    axes.axvline(logged.value, color=COLOURS[5], lw=1.2, ls="--", label="logging policy")
    drawn = set[str]()
    for place, line in enumerate(lines):
        assert line.estimate is not None
        for interval in line.estimate.intervals:
            y = place + (_OFFSET[interval.method] if len(line.estimate.intervals) > 1 else 0.0)
            _interval(
                axes, y, line.estimate.value, interval, "" if interval.method in drawn else interval.method
            )
            drawn.add(interval.method)
    _named(axes, lines, "reward per row, with 95% intervals")


def _interval(axes: Axes, y: float, value: float, found: NamedInterval, name: str) -> None:
    colour, marker = (COLOURS[0], "o") if found.method == "normal" else (COLOURS[1], "s")
    told = f"{name} interval" if name else None
    axes.plot([found.low, found.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
    axes.plot([value], [y], marker, color=colour, ms=5, label=told)


def _gains(axes: Axes, lines: list[Line]) -> None:
    axes.axvline(0, color=INK, lw=0.8, ls=":")
    for place, line in enumerate(lines):
        assert line.gain is not None
        axes.plot([line.gain.ci_low, line.gain.ci_high], [place, place], color=COLOURS[2], lw=2)
        axes.plot([line.gain.value], [place], "o", color=COLOURS[2], ms=6)
    _named(axes, lines, "reward per row above the logging policy, with 95% interval")


def _named(axes: Axes, lines: list[Line], unit: str) -> None:
    axes.set_yticks(range(len(lines)), [label(line) for line in lines])
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(unit)


def _weights(axes: Axes, shape: Shape) -> None:
    several = [(shape.weight_rows, "of the rows"), (shape.weight_mass, "of the weight")]
    _steps(axes, WEIGHT_EDGES, several)
    axes.axvline(1, color=INK, lw=0.8, ls=":")
    axes.set_xlabel("importance weight, policy over log")


def _propensities(axes: Axes, shape: Shape) -> None:
    _steps(axes, PROPENSITY_EDGES, [(shape.propensity_rows, "of the rows")])
    axes.set_xlabel("propensity of what was shown")


def _steps(axes: Axes, edges: Floats, several: Sequence[tuple[Floats, str]]) -> None:
    """Shares by bin on a logarithmic axis, cut to the decades that hold something."""
    held, top = np.flatnonzero(sum(mass for mass, _ in several)), 0.0
    for place, (mass, name) in enumerate(several):
        share = mass / mass.sum() if mass.sum() > 0 else mass
        top = max(top, float(share.max()))
        axes.stairs(share, edges, color=COLOURS[place], lw=1.6, label=f"share {name}")
        axes.stairs(share, edges, color=COLOURS[place], alpha=0.15, fill=True)
    axes.set_xscale("log")
    low, high = np.log10(edges[[held[0], held[-1] + 1]]).round(6)
    axes.set_xlim(10 ** np.floor(low), 10 ** np.ceil(high))
    axes.set_ylim(0, 1.05 * top)
    axes.set_ylabel("share in each bin")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
