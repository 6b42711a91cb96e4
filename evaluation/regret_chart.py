"""The picture of regret: a panel per scenario, our policies in colour, those of other projects dashed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from copybandit.evaluation.charts import COLOURS, chart_style
from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Mean cumulative regret of one contender in one scenario.

    Attributes:
        scenario, name: where, and who.
        at: shape (points,), impressions.
        regret: shape (points,), clicks lost to the myopic oracle.
        peer: whether it is another project's.
    """

    scenario: str
    name: str
    at: Floats
    regret: Floats
    peer: bool

    def __post_init__(self) -> None:
        if self.at.shape != self.regret.shape or not len(self.at) or not np.isfinite(self.regret).all():
            raise DataError(
                f"curve of {self.name}: needs as many finite regrets as impressions, got {self.regret.shape} and "
                f"{self.at.shape}; pass a regret curve"
            )


def regret_chart(curves: Sequence[Curve]) -> bytes:
    """A PNG of all scenarios, in the order of their first curves.

    Raises:
        DataError: there is nothing to draw.
    """
    if not curves:
        raise DataError("regret chart: needs at least one curve, got none; run a contender")
    scenarios = list(dict.fromkeys(curve.scenario for curve in curves))
    names = list(dict.fromkeys(curve.name for curve in curves))
    with chart_style():
        chart = Figure(figsize=(11, 3.6 * -(-len(scenarios) // 2)), layout="constrained")
        for place, scenario in enumerate(scenarios):
            axes = chart.add_subplot(-(-len(scenarios) // 2), 2, place + 1)
            axes.set_title(scenario.replace("_", " "))
            for curve in (one for one in curves if one.scenario == scenario):
                colour = COLOURS[names.index(curve.name) % len(COLOURS)]
                style = "--" if curve.peer else "-"
                axes.plot(curve.at, curve.regret, style, color=colour, lw=1.4, label=curve.name)
            axes.set_xlabel("impressions")
            axes.set_ylabel("clicks lost to the oracle")
        handles, labels = chart.axes[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
        out = io.BytesIO()
        chart.savefig(out, format="png", dpi=130)
    return out.getvalue()
