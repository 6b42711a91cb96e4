"""The card's pictures as SVG: each is drawn from what card.json holds of it, so the page needs nothing else."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from copybandit.evaluation.card import Curve, Picture
from copybandit.evaluation.charts import COLOURS, DASHES, INK, chart_style, svg_of
from copybandit.evaluation.markup import Html

LEGEND = 6
"""Entries, at most, of a legend inside the chart; a longer one names each family of curves once."""
MARKS = ("o", "s", "D", "^", "v")


def chart(picture: Picture) -> Html:
    """One picture."""
    with chart_style():
        drawn = Figure(figsize=(6, 4), layout="constrained")
        axes = drawn.subplots()
        families = list(dict.fromkeys(_family(curve.name) for curve in picture.curves))
        for curve in picture.curves:
            _draw(axes, curve, families.index(_family(curve.name)), len(picture.curves) > LEGEND)
        low, high = axes.get_ylim()
        if low <= 0 <= high:
            axes.axhline(0, color=INK, lw=0.8, ls=":")
        axes.set_xlabel(picture.x_label)
        axes.set_ylabel(picture.y_label)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        handles, labels = axes.get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9)
        return svg_of(drawn, picture.name, picture.title)


def _family(name: str) -> str:
    """What curves of several seeds have in common."""
    return name.partition(", seed ")[0]


def _draw(axes: Axes, curve: Curve, family: int, short: bool) -> None:
    hue = family if curve.hue is None else curve.hue
    colour, label = COLOURS[hue % len(COLOURS)], _family(curve.name) if short else curve.name
    if label in axes.get_legend_handles_labels()[1]:
        label = ""
    if curve.low and curve.high:
        axes.vlines(curve.x, curve.low, curve.high, color=colour, lw=2)
    axes.plot(
        curve.x,
        curve.y,
        color=colour,
        ls="none" if curve.points else DASHES[family % len(DASHES)],
        marker=MARKS[family % len(MARKS)],
        ms=6 if curve.points else 3,
        lw=1.4,
        alpha=0.9,
        label=label or None,
    )
