"""The picture of what a request costs a policy: against the number of candidates, and against that of features."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from copybandit.evaluation.charts import COLOURS, chart_style
from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class CostCurve:
    """What one policy needs for one thing as one number grows.

    Attributes:
        against: the number, as the axis calls it; a panel each.
        name: the policy.
        act: what it does, "decide" or "learn".
        at: shape (points,), the number, rising.
        microseconds: shape (points,), per request or row, above 0.
    """

    against: str
    name: str
    act: str
    at: Floats
    microseconds: Floats

    def __post_init__(self) -> None:
        fits = self.at.shape == self.microseconds.shape and len(self.at)
        if not fits or not (np.isfinite(self.microseconds) & (self.microseconds > 0)).all():
            raise DataError(
                f"cost of {self.name}: needs as many costs above 0 as points, got {self.microseconds.shape} and "
                f"{self.at.shape}; measure each"
            )


def cost_chart(curves: Sequence[CostCurve]) -> bytes:
    """A PNG with a panel for each number that grows, both axes logarithmic; learning is dashed.

    Raises:
        DataError: there is nothing to draw.
    """
    if not curves:
        raise DataError("cost chart: needs at least one curve, got none; run without --quick")
    panels = list(dict.fromkeys(curve.against for curve in curves))
    names = list(dict.fromkeys(curve.name for curve in curves))
    with chart_style():
        chart = Figure(figsize=(4.6 * len(panels), 3.8), layout="constrained")
        for place, against in enumerate(panels):
            axes = chart.add_subplot(1, len(panels), place + 1)
            here = [curve for curve in curves if curve.against == against]
            for curve in here:
                style = {"decide": "o-", "learn": "s--"}[curve.act]
                colour = COLOURS[names.index(curve.name) % len(COLOURS)]
                label = f"{curve.name}, {curve.act}"
                axes.plot(curve.at, curve.microseconds, style, color=colour, lw=1.4, ms=4, label=label)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.xaxis.set_major_locator(FixedLocator(sorted({float(x) for curve in here for x in curve.at})))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.set_xlabel(against)
            axes.set_ylabel("microseconds of one core, each")
        handles, labels = chart.axes[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
        out = io.BytesIO()
        chart.savefig(out, format="png", dpi=130)
    return out.getvalue()
