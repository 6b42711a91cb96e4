"""The pictures of a policy's seasons, for the page and as files beside it: segments, propensities, calibration, losses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from copybandit.evaluation.charts import COLOURS, DASHES, INK
from copybandit.evaluation.drawn import Drawn, draw
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.policy_card import Bins, Looks, SegmentRow

PERCENT = FuncFormatter(lambda value, _: f"{100 * value:.3g}%")


def dots(axes: Axes, names: Sequence[str], found: Sequence[Interval], label: str) -> None:
    """One row an interval, the first on top, a dotted line at 0."""
    for place, one in enumerate(found):
        axes.plot([one.ci_low, one.ci_high], [place, place], color=COLOURS[0], lw=2)
        axes.plot([one.value], [place], "o", color=COLOURS[0], ms=6)
    axes.axvline(0, color=INK, lw=0.8, ls=":")
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(label)


def shortened(name: str, most: int = 28) -> str:
    """A name that fits beside a chart; its end tells folders apart."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def segments_chart(rows: Sequence[SegmentRow], against: str, folder: Path | None) -> Drawn | None:
    """Difference in clicks by segment; None where no segment has one."""
    told = [(row.name, row.difference) for row in rows if row.difference is not None]
    if not told:
        return None
    found = [_thousand(one) for _, one in told]
    return draw(
        "segments",
        f"More clicks than {shortened(against)}, by what shoppers care for, with 95% intervals.",
        lambda axes: dots(axes, [name for name, _ in told], found, "more clicks per 1,000 impressions"),
        folder,
        height=0.9 + 0.42 * len(told),
    )


def _thousand(one: Interval) -> Interval:
    return Interval(value=1000 * one.value, ci_low=1000 * one.ci_low, ci_high=1000 * one.ci_high)


def propensity_chart(looks: Sequence[Looks], folder: Path | None) -> Drawn:
    """How likely what was shown was."""

    def plot(axes: Axes) -> None:
        size = len(looks[0].propensity)
        edges = [k / size for k in range(size + 1)]
        for i, one in enumerate(looks):
            axes.stairs(
                one.propensity, edges, color=COLOURS[i], ls=DASHES[i], lw=1.8, label=shortened(one.name)
            )
        axes.set_xlabel("probability of the variant that was shown")
        axes.set_ylabel("share of impressions")
        axes.yaxis.set_major_formatter(PERCENT)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)

    return draw("propensity", "Left: a policy still explores. Right: it has made up its mind.", plot, folder)


def calibration_chart(
    name: str, caption: str, bins: Bins, labels: tuple[str, str], folder: Path | None
) -> Drawn | None:
    """Share that came against what was stated; None where no bin holds enough."""
    if not bins.stated:
        return None

    def plot(axes: Axes) -> None:
        top = 1.05 * max(*bins.stated, *bins.high)
        axes.plot([0, top], [0, top], color=INK, lw=0.8, ls=":")
        axes.vlines(bins.stated, bins.low, bins.high, color=COLOURS[0], lw=2)
        axes.plot(bins.stated, bins.found, "o", color=COLOURS[0], ms=5)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PERCENT)
            axis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)

    return draw(name, caption, plot, folder)


def lost_chart(looks: Sequence[Looks], unit: str, folder: Path | None) -> Drawn:
    """Reward lost so far against the myopic oracle, mean over seasons."""

    def plot(axes: Axes) -> None:
        for i, one in enumerate(looks):
            axes.plot(
                one.lost_at, one.lost, color=COLOURS[i], ls=DASHES[i], lw=1.8, label=shortened(one.name)
            )
        axes.set_xlabel("impressions of a season")
        axes.set_ylabel(f"{unit} lost so far")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)

    return draw(
        "lost", f"Expected {unit} lost to the best copy of each moment, mean over seasons.", plot, folder
    )
