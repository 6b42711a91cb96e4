"""A picture on one pair of axes, for a page and as files beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from copybandit.evaluation.charts import chart_style, svg_of
from copybandit.evaluation.markup import Html

DPI = 150


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A picture.

    Attributes:
        name: of its files.
        svg: for a page.
        caption: what it shows.
    """

    name: str
    svg: Html
    caption: str


def draw(
    name: str,
    caption: str,
    plot: Callable[[Axes], None],
    folder: Path | None,
    *,
    height: float = 3.8,
    legend: int = 2,
) -> Drawn:
    """Draw on one pair of axes; into FOLDER/NAME.svg and NAME.png too, where a folder is given; ``legend`` columns."""
    with chart_style():
        chart = Figure(figsize=(6, height), layout="constrained")
        axes = chart.subplots()
        plot(axes)
        if axes.get_legend_handles_labels()[1]:
            chart.legend(loc="outside upper center", ncols=legend, fontsize=9)
        if folder is not None:
            chart.savefig(folder / f"{name}.png", dpi=DPI, metadata={"Software": None})
            svg_file = folder / f"{name}.svg"
            chart.savefig(svg_file, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        return Drawn(name=name, svg=svg_of(chart, name, caption), caption=caption)
