"""The picture of a temperature sweep: quality over self-BLEU, one curve a writer; nearest the upper left is best."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from copybandit.evaluation.charts import COLOURS, DASHES, chart_style
from copybandit.evaluation.quality_diversity import Point

PANELS = (
    ("log_prob", "log probability per token\nunder held-out real copy (nats)"),
    ("approved", "share that the editor passes"),
    ("reward", "fitted world's reward (log-odds)"),
)
PALETTE = 32
"""Colours of the PNG: enough for its lines, and a third of the bytes of a full one."""


def save_picture(points: Sequence[Point], path: Path) -> None:
    """Draw the sweep as PNG, one panel a measure of quality; temperatures are written beside the first curve's points."""
    with chart_style():
        chart = Figure(figsize=(12, 4.4), layout="constrained")
        for axes, (measure, label) in zip(chart.subplots(1, len(PANELS)), PANELS, strict=True):
            _panel(axes, points, measure)
            axes.set_xlabel("self-BLEU-4 (low is diverse)")
            axes.set_ylabel(label)
        handles, labels = chart.axes[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
        drawn = io.BytesIO()
        chart.savefig(drawn, format="png", dpi=150)
    Image.open(drawn).convert("RGB").quantize(PALETTE).save(path, format="PNG", optimize=True)


def _panel(axes: Axes, points: Sequence[Point], measure: str) -> None:
    for i, name in enumerate(dict.fromkeys(point.writer for point in points)):
        own = [point for point in points if point.writer == name]
        x, y = [point.self_bleu for point in own], [getattr(point, measure) for point in own]
        axes.plot(x, y, color=COLOURS[i % 7], ls=DASHES[i % 4], marker="o", ms=4, lw=1.6, label=name)
        if i == 0:
            for point, across, up in zip(own, x, y, strict=True):
                if point.temperature is not None:
                    place = (across, up)
                    axes.annotate(
                        f"{point.temperature:g}", place, (3, -9), textcoords="offset points", fontsize=7
                    )
