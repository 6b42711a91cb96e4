"""The picture of which estimator to trust: how far each was off on the log's own task, and against the truth if known."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copybandit.evaluation.charts import COLOURS, chart_style, svg_of
from copybandit.evaluation.markup import Html
from copybandit.evaluation.ope_trust import Trust
from copybandit.sim.types import DataError


def trust_chart(told: Sequence[Trust], true: Sequence[Trust] = (), unit: str = "reward per round") -> Html:
    """Estimators from the most to the least trustworthy by the log.

    Args:
        told: by the log itself.
        true: by the truth of a simulator, of the same estimators; empty where nobody knows it.
        unit: of the reward.

    Raises:
        DataError: there is nothing to draw, or the two are of different estimators.
    """
    if not told:
        raise DataError("trust chart: needs at least one estimator, got none; try one")
    known = {one.estimator: one.rmse for one in true}
    if true and known.keys() != {one.estimator for one in told}:
        raise DataError(
            f"trust chart: both must be of the same estimators, got {', '.join(one.estimator for one in told)} and "
            f"{', '.join(known)}; try the same"
        )
    ranked = sorted(told, key=lambda one: one.rmse)
    places = range(len(ranked))
    with chart_style():
        chart = Figure(figsize=(6, 1.3 + 0.36 * len(ranked)), layout="constrained")
        axes = chart.subplots()
        axes.hlines(places, 0, [one.rmse for one in ranked], color=COLOURS[0], lw=2)
        axes.plot(
            [one.rmse for one in ranked], places, "o", color=COLOURS[0], ms=6, label="by the log itself"
        )
        if true:
            where = [known[one.estimator] for one in ranked]
            axes.plot(where, places, "D", mfc="none", color=COLOURS[1], ms=7, label="by the truth")
        axes.set_yticks(places, [one.estimator for one in ranked])
        axes.set_ylim(len(ranked) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"root mean squared error ({unit})")
        chart.legend(loc="outside upper center", ncols=2, fontsize=9)
        return svg_of(chart, "trust", "How far each estimator was off, the most trustworthy first")
