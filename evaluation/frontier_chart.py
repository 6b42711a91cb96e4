"""The picture of the frontier: gain over the KL and over the reward calls of a served text, in both worlds."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from copybandit.evaluation.card_trail import Step, Trails
from copybandit.evaluation.charts import COLOURS, chart_style
from copybandit.evaluation.frontier import NAMED, Drawn, kl_of_best
from copybandit.evaluation.quality_chart import PALETTE

WORLDS = (("gold", "true gain, gold world (log-odds)"), ("reward", "fitted world's reward (log-odds)"))


def save_frontier(drawn: Drawn, trails: Trails, calls: float | None, path: Path) -> None:
    """Draw the frontier as PNG: a row per world; on the left over KL, on the right over reward calls.

    Args:
        drawn: of the writer before tuning.
        trails: of the tuned writers.
        calls: reward calls of tuning per text that is served then; None leaves the right half without them.
        path: of the picture.
    """
    with chart_style():
        chart = Figure(figsize=(11, 7.4), layout="constrained")
        for place, ((world, label), axes) in enumerate(zip(WORLDS, chart.subplots(2, 2), strict=True)):
            _over_kl(axes[0], drawn, trails, world)
            _over_calls(axes[1], drawn, trails, world, calls)
            axes[0].set_ylabel(label)
            if place == 1:
                axes[0].set_xlabel("KL to the writer before tuning (nats per text)")
                axes[1].set_xlabel("reward calls per served text")
        handles, labels = chart.axes[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=9)
        out = io.BytesIO()
        chart.savefig(out, format="png", dpi=150)
    Image.open(out).convert("RGB").quantize(PALETTE).save(path, format="PNG", optimize=True)


def _mean(step: Step, world: str) -> float:
    return float(getattr(step, world).mean())


def _best(drawn: Drawn, world: str) -> list[float]:
    place = 1 if world == "gold" else 0
    return [float(drawn.best(n)[place].mean()) for n in drawn.sizes]


def _named(axes: Axes, drawn: Drawn, x: Sequence[float], y: Sequence[float]) -> None:
    for n, across, up in zip(drawn.sizes, x, y, strict=True):
        if n in NAMED:
            axes.annotate(f"n = {n}", (across, up), (4, -11), textcoords="offset points", fontsize=8)


def _over_kl(axes: Axes, drawn: Drawn, trails: Trails, world: str) -> None:
    x, y = [kl_of_best(n) for n in drawn.sizes], _best(drawn, world)
    axes.plot(x, y, color=COLOURS[1], marker="o", ms=4, lw=1.6, label="best of n before tuning")
    _named(axes, drawn, x, y)
    for place, steps in enumerate(trails.steps):
        way = sorted(steps[:-1], key=lambda step: step.kl)
        label = "on the way" if place == 0 and way else None
        at = [step.kl for step in way]
        axes.plot(
            at, [_mean(step, world) for step in way], "o", color=COLOURS[0], ms=4, alpha=0.4, label=label
        )
        chosen = steps[-1]
        name = "tuned, one sample (a point per seed)" if place == 0 else None
        axes.plot([chosen.kl], [_mean(chosen, world)], "D", color=COLOURS[0], ms=7, label=name)
    axes.set_xlim(left=0)


def _over_calls(axes: Axes, drawn: Drawn, trails: Trails, world: str, calls: float | None) -> None:
    x, y = [float(n) for n in drawn.sizes], _best(drawn, world)
    axes.plot(x, y, color=COLOURS[1], marker="o", ms=4, lw=1.6)
    _named(axes, drawn, x, y)
    if calls is not None:
        height = [_mean(steps[-1], world) for steps in trails.steps]
        axes.plot(np.full(len(height), calls), height, "D", color=COLOURS[0], ms=7)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
