"""Curves of tuning: reward, distance, entropy and length of each algorithm, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from copybandit.evaluation.charts import COLOURS, DASHES, chart_style, svg_of
from copybandit.evaluation.markup import Html

Rows = Sequence[Mapping[str, Any]]
PANELS = (
    ("reward", "reward (log-odds)"),
    ("kl", "KL (nats per text)"),
    ("entropy", "entropy (nats per text)"),
    ("length", "tokens per text"),
)


def curves_chart(runs: Mapping[str, Rows], select: Mapping[str, Rows]) -> Html:
    """Curves over the texts written; each run of each seed is a line of its own.

    Args:
        runs: rows of updates by algorithm, with `seed` and `restart`.
        select: rows of what the select split said, likewise.
    """
    with chart_style():
        chart = Figure(figsize=(8.4, 6), layout="constrained")
        panels = chart.subplots(2, 2, sharex=True).ravel()
        for place, name in enumerate(runs):
            for run, rows in enumerate(_apart(runs[name])):
                for axes, (key, _) in zip(panels, PANELS, strict=True):
                    style: dict[str, Any] = {"color": COLOURS[place % 7], "ls": DASHES[run % 4], "lw": 1.3}
                    axes.plot(
                        [row["episodes"] for row in rows],
                        [row[key] for row in rows],
                        label="" if run else name,
                        **style,
                    )
                _dots(panels[0], rows, select[name], COLOURS[place % 7])
        for axes, (_, label) in zip(panels, PANELS, strict=True):
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        for axes in panels[2:]:
            axes.set_xlabel("texts written")
        handles, labels = panels[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=9)
        return svg_of(
            chart, "curves", "Reward, KL, entropy and length of each way of tuning as texts are written"
        )


def _apart(rows: Rows) -> list[list[Mapping[str, Any]]]:
    """Rows of each seed and restart, in the order they came."""
    found: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["seed"], row["restart"]), []).append(row)
    return list(found.values())


def _dots(axes: Axes, rows: Rows, select: Rows, colour: str) -> None:
    """What the select split said of the steps of one run."""
    episodes = {row["update"]: row["episodes"] for row in rows}
    own = [
        row
        for row in select
        if row["update"] in episodes
        and (row["seed"], row["restart"]) == (rows[0]["seed"], rows[0]["restart"])
    ]
    axes.plot(
        [episodes[row["update"]] for row in own], [row["reward"] for row in own], "o", color=colour, ms=4
    )
