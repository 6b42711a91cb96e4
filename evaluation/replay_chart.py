"""The picture of the replay: clicks over an even split of every policy at every horizon."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from copybandit.evaluation.charts import COLOURS, chart_style
from copybandit.evaluation.quality_chart import PALETTE
from copybandit.evaluation.replay_policies import Side
from copybandit.evaluation.replay_report import Standing, compare
from copybandit.evaluation.replay_tests import Contests

MARKERS = {Side.OURS: "o", Side.PART: "D", Side.PEER: "s"}
COLOUR = {Side.OURS: COLOURS[0], Side.PART: COLOURS[2], Side.PEER: COLOURS[5]}


def save_replay(
    contests: Contests, standings: tuple[Standing, ...], horizons: tuple[int, ...], path: Path
) -> None:
    """Draw a panel per horizon, a policy per row, with 95% intervals, as PNG."""
    every = np.ones(len(contests), dtype=np.bool_)
    names = [s.player.name.replace("_", " ") for s in standings]
    with chart_style():
        chart = Figure(figsize=(11, 0.9 + 0.38 * len(names)), layout="constrained")
        panels = chart.subplots(1, len(horizons), sharey=True, sharex=True)
        for place, axes in enumerate(panels):
            for y, one in enumerate(standings):
                found = compare(contests, one.earned[place], contests.usual, every)
                colour = COLOUR[one.player.side]
                axes.plot((found.ci_low, found.ci_high), (y, y), color=colour, lw=2, solid_capstyle="butt")
                axes.plot([found.value], [y], MARKERS[one.player.side], color=colour, ms=6)
            axes.set_title(f"{horizons[place]:,} impressions a test", fontsize=10)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.0f}%"))
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        chart.supxlabel("clicks over an even split, with 95% interval", fontsize=10)
        out = io.BytesIO()
        chart.savefig(out, format="png", dpi=150)
    Image.open(out).convert("RGB").quantize(PALETTE).save(path, format="PNG", optimize=True)
