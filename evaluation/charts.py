"""The report's charts as SVG: equal numbers give equal bytes, and nothing in them points outside the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from copybandit.evaluation.markup import Html

COLOURS = ("#0b5fa5", "#c8500a", "#157f5b", "#8f3f97", "#8a6d00", "#5b6470", "#b3264b")
"""Seven colours that stay apart for colour-blind readers and in print."""
INK, QUIET = "#1f2933", "#d7dde3"
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)))
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: searchable, and set in the page's own font
    "svg.hashsalt": "copybandit",
    "text.parse_math": False,  # names of writers are not mathematics
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9edf1",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


@contextmanager
def chart_style() -> Iterator[None]:
    """The charts' style, whatever the reader's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def tuning_chart(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Reward and KL per update; rows of several seeds follow one another and are drawn apart."""
    with chart_style():
        chart = Figure(figsize=(6, 4.4), layout="constrained")
        upper, lower = chart.subplots(2, 1, sharex=True)
        for seed, run in enumerate(_runs(rows)):
            x = [row["update"] for row in run]
            for axes, key, colour in ((upper, "reward", COLOURS[0]), (lower, "kl", COLOURS[1])):
                axes.plot(x, [row[key] for row in run], color=colour, ls=DASHES[seed % 4], lw=1.4)
            chosen = [
                (row["update"], row["select_reward"]) for row in run if row.get("select_reward") is not None
            ]
            if chosen:
                upper.plot(
                    *zip(*chosen, strict=True), "o", color=COLOURS[2], ms=4, label="on the select split"
                )
        if upper.get_legend_handles_labels()[1]:
            handles, labels = upper.get_legend_handles_labels()
            upper.legend(handles[:1], labels[:1], loc="best", fontsize=9)
        upper.set_ylabel("reward (log-odds)")
        lower.set_ylabel("KL (nats per copy)")
        lower.set_xlabel("update")
        lower.set_ylim(bottom=0)
        lower.xaxis.set_major_locator(MaxNLocator(integer=True))
        return svg_of(chart, "tuning", "Reward and distance from the untuned writer at each tuning step")


def writers_chart(writers: Mapping[str, Mapping[str, Any]]) -> Html:
    """Click-through rate of each writer with its interval, fitted and gold world side by side."""
    names = list(writers)
    with chart_style():
        chart = Figure(figsize=(6, 0.9 + 0.48 * len(names)), layout="constrained")
        axes = chart.subplots()
        for world, offset, colour, marker in (
            ("fitted", -0.13, COLOURS[5], "s"),
            ("gold", 0.13, COLOURS[0], "o"),
        ):
            for place, name in enumerate(names):
                _dot(
                    axes,
                    writers[name],
                    world,
                    place + offset,
                    colour,
                    marker,
                    label=world if not place else "",
                )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.2f}%"))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("click-through rate, with 95% interval")
        chart.legend(loc="outside upper center", ncols=2, fontsize=9)
        return svg_of(
            chart, "writers", "Click-through rate of each writer in the fitted and in the gold world"
        )


def regret_chart(policies: Mapping[str, Mapping[str, Any]], named: str, unit: str = "clicks") -> Html:
    """Clicks, or another unit of reward, lost so far against choosing perfectly, one line a policy."""
    with chart_style():
        chart = Figure(figsize=(6, 3.8), layout="constrained")
        axes = chart.subplots()
        for i, (name, policy) in enumerate(policies.items()):
            if policy.get("regret"):
                x = policy.get("regret_at") or range(1, len(policy["regret"]) + 1)
                label = f"{name} (named in advance)" if name == named else name
                axes.plot(x, policy["regret"], color=COLOURS[i % 7], ls=DASHES[i % 4], label=label,
                          lw=2.4 if name == named else 1.4)  # fmt: skip
        axes.set_xlabel("impressions")
        axes.set_ylabel(f"{unit} lost so far")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.legend(loc="upper left", fontsize=9)
        return svg_of(
            chart,
            "regret",
            f"{unit.capitalize()} lost against perfect choice as impressions go by, for each policy",
        )


def daily_chart(bandit: Mapping[str, Any]) -> Html:
    """Share of the gap between choosing at random and choosing perfectly that each policy closed, day by day."""
    with chart_style():
        chart = Figure(figsize=(6, 3.8), layout="constrained")
        axes = chart.subplots()
        for i, (name, policy) in enumerate(bandit["policies"].items()):
            daily = policy.get("gap_closed_by_day") or []
            width = 2.4 if name == bandit.get("policy") else 1.4
            style: dict[str, Any] = {
                "color": COLOURS[i % 7],
                "ls": DASHES[i % 4],
                "lw": width,
                "marker": "o",
                "ms": 3,
            }
            axes.plot(range(1, len(daily) + 1), daily, label=name, **style)
        axes.axhline(1, color=INK, lw=0.8, ls=":")
        axes.text(1, 0.99, "perfect choice", transform=axes.get_yaxis_transform(), ha="right", va="top")
        axes.set_xlabel("day")
        axes.set_ylabel("share of the gap closed")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
        chart.legend(loc="outside upper center", ncols=2, fontsize=9)
        return svg_of(chart, "daily", "Share of the gap that each policy closed on each day of the week")


def holdout_chart(found: Mapping[str, float], unit: str) -> Html:
    """What 1,000 impressions bring in the group with the policy's choice and in the held-out one, with 95% intervals."""
    with chart_style():
        chart = Figure(figsize=(6, 1.9), layout="constrained")
        axes = chart.subplots()
        for place, (key, colour) in enumerate((("others", COLOURS[0]), ("held", COLOURS[5]))):
            middle, half = 1000 * found[key], 1000 * found[f"{key}_half"]
            axes.plot([middle - half, middle + half], [place, place], color=colour, lw=2)
            axes.plot([middle], [place], "o", color=colour, ms=7)
        axes.set_yticks([0, 1], ["policy chooses", "held out (by chance)"])
        axes.set_ylim(1.6, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"{unit} per 1,000 impressions, with 95% interval")
        return svg_of(chart, "holdout", f"{unit} per 1,000 impressions with and without the policy")


def _runs(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Rows cut wherever the update count starts over."""
    runs: list[list[Mapping[str, Any]]] = []
    for row in rows:
        if not runs or row["update"] <= runs[-1][-1]["update"]:
            runs.append([])
        runs[-1].append(row)
    return runs


def _dot(
    axes: Axes, writer: Mapping[str, Any], world: str, y: float, colour: str, marker: str, *, label: str
) -> None:
    value, ci = writer.get(f"{world}_ctr"), writer.get(f"{world}_ci")
    if value is None:
        return
    if ci:
        axes.plot(ci, [y, y], color=colour, lw=2, solid_capstyle="butt")
    axes.plot([value], [y], marker, color=colour, ms=6, label=f"{label} world" if label else None)


def svg_of(chart: Figure, name: str, description: str) -> Html:
    """The figure as one element; ids get the chart's name, since all charts share the page's ids."""
    buffer = io.StringIO()
    chart.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg).replace("xlink:href", "href")
    box = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    return Html(f'<svg role="img" aria-label="{escape(description)}" {box[0] if box else ""}>{body}')
