"""The pictures of the validation report: reliability curves, simulated against real marginals, policies in both halves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from copybandit.evaluation.charts import COLOURS, DASHES, INK, chart_style, svg_of
from copybandit.evaluation.markup import Html

AXES = {
    "session_length": "events per session",
    "basket_size": "products per basket",
    "days_between_baskets": "days between baskets",
    "price_paid": "unit price paid",
}


def reliability_chart(rows: Sequence[Mapping[str, Any]], negatives: str) -> Html:
    """Observed against predicted share of purchases of each model, with 95% intervals."""
    with chart_style():
        chart = Figure(figsize=(6, 4.2), layout="constrained")
        axes = chart.subplots()
        top = 0.0
        shown = [row for row in rows if row["negatives"] == negatives and "+" not in row["model"]]
        for i, row in enumerate(shown):
            curve = row["report"]["reliability"]
            x, y = curve["predicted"], curve["observed"]
            bars = [[max(a - b, 0) for a, b in zip(y, curve["low"], strict=True)],
                    [max(b - a, 0) for a, b in zip(y, curve["high"], strict=True)]]  # fmt: skip
            axes.errorbar(
                x,
                y,
                yerr=bars,
                color=COLOURS[i % 7],
                ls=DASHES[i % 4],
                marker="o",
                ms=3,
                lw=1.4,
                label=row["model"],
            )
            top = max(top, *x, *y)
        axes.plot([0, top], [0, top], color=INK, lw=0.8, ls=":")
        axes.set_xlabel("predicted probability, ten groups of equal count")
        axes.set_ylabel("share bought")
        chart.legend(loc="outside upper center", ncols=3, fontsize=9)
        return svg_of(
            chart, f"reliability-{negatives}", f"Reliability of interest models, {negatives} negatives"
        )


def marginals_chart(gaps: Sequence[Mapping[str, Any]]) -> Html:
    """Distribution functions of real and simulated shoppers, one panel a marginal."""
    with chart_style():
        chart = Figure(figsize=(6.4, 5.2), layout="constrained")
        levels = [k / 100 for k in range(101)]
        for axes, gap in zip(chart.subplots(2, 2).flat, gaps, strict=False):
            axes.plot(gap["real"], levels, color=COLOURS[0], lw=1.6, label="real")
            axes.plot(gap["simulated"], levels, color=COLOURS[1], lw=1.6, ls=DASHES[1], label="simulated")
            edge = max(gap["real"][97], gap["simulated"][97])
            axes.set_xlim(0, edge * 1.05 if edge > 0 else 1)
            axes.set_xlabel(AXES.get(gap["name"], gap["name"]))
            axes.set_ylabel("share at or below")
            axes.set_title(f"KS {gap['ks']:.3f}", fontsize=9, loc="right")
        handles, labels = chart.axes[0].get_legend_handles_labels()
        chart.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9)
        return svg_of(
            chart, "marginals", "Real and simulated distributions of sessions, baskets, gaps and prices"
        )


def policies_chart(ranking: Mapping[str, Any]) -> Html:
    """Value of each policy in the shop of one half against the other."""
    with chart_style():
        chart = Figure(figsize=(6, 4.4), layout="constrained")
        axes = chart.subplots()
        for i, name in enumerate(ranking["policies"]):
            axes.plot(
                [ranking["first"][i]],
                [ranking["second"][i]],
                "osD^v"[i % 5],
                color=COLOURS[i % 7],
                ms=7,
                label=name,
            )
        top = 1.05 * max(*ranking["first"], *ranking["second"])
        axes.plot([0, top], [0, top], color=INK, lw=0.8, ls=":")
        axes.set_xlabel("value in the shop of one half")
        axes.set_ylabel("value in the shop of the other")
        axes.legend(loc="lower right", fontsize=9)
        return svg_of(chart, "policies", "Value of each policy in the shops fitted to two halves of the log")
