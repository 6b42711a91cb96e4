"""comparison.html: ranks with their intervals as one self-contained page, the picture beside it."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from copybandit.evaluation.comparison import Comparison, slugs
from copybandit.evaluation.drawn import Drawn, draw
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.markup import Html, el, section, table
from copybandit.evaluation.page import page
from copybandit.evaluation.policy_charts import dots, shortened
from copybandit.evaluation.policy_page import amount, ends, narrow
from copybandit.evaluation.ranking import Ranked
from copybandit.evaluation.report_format import DASH
from copybandit.evaluation.storage import save_json, write_bytes

JSON, HTML = "comparison.json", "comparison.html"


def write_comparison(found: Comparison, folder: Path) -> None:
    """Write comparison.json, comparison.html and the picture into a folder that exists."""
    save_json(folder / JSON, found)
    write_bytes(folder / HTML, render(found, folder).encode())


def render(found: Comparison, folder: Path | None = None) -> str:
    """The page as text; its picture also goes to the folder, where one is given."""
    ranking = found.ranking
    subtitle = f"{len(ranking.rows)} contenders, {ranking.reference} too, in the shop of run {found.run}: {found.drawn}"
    how = (
        f"The intervals of differences hold all at once with 95% ({ranking.method} over {ranking.clusters} "
        f"{found.clusters}, all pairs; critical value {ranking.critical:.2f}). Ranks that they leave open stand in brackets."
    )
    cautions = [
        el("p", el("strong", "What may not be concluded")),
        el("ul", *(el("li", one) for one in found.cautions)),
    ]
    parts = (
        section("In one sentence", el("p", el("strong", verdict(found))), *cautions, anchor="verdict"),
        section("Ranks", el("p", how), _table(found), narrow(_chart(found, folder)), anchor="ranks"),
    )
    footer = "All contenders met the same draws; differences are paired. Figures are the simulator's true expectations."
    return page("Comparison of checkpoints", subtitle, parts, footer)


def verdict(found: Comparison) -> str:
    """Who is best, as far as the intervals tell."""
    first, *others = found.ranking.rows
    tied = [row.name for row in others if row.best == 1]
    if not tied:
        return f"{first.name} is the best of {len(found.ranking.rows)}, beyond chance."
    return f"{first.name} ranks first, but {', '.join(tied)} may be as good: the intervals do not tell them apart."


def rank_words(row: Ranked) -> str:
    """Its rank, and the ranks that are open."""
    return f"{row.rank}" if row.best == row.worst else f"{row.rank} ({row.best} to {row.worst})"


def _table(found: Comparison) -> Html:
    rows = [
        (
            row.name,
            rank_words(row),
            amount(row.mean.value, found.unit),
            ends(row.mean, found.unit),
            *(
                (DASH, DASH)
                if row.name == found.ranking.reference
                else (
                    amount(row.difference.value, found.unit, signed=True),
                    ends(row.difference, found.unit, signed=True),
                )
            ),
        )
        for row in found.ranking.rows
    ]
    head = (
        "contender",
        "rank (open)",
        found.figure,
        "95% interval",
        f"less {found.ranking.reference}",
        "simultaneous interval",
    )
    return table("The best first", head, rows, numeric=range(1, 6))


def _chart(found: Comparison, folder: Path | None) -> Drawn:
    """Differences to the reference; it is left out itself."""
    rows = [row for row in found.ranking.rows if row.name != found.ranking.reference]
    scale = 1000 if found.unit == "share" else 1
    spread = [
        Interval(value=scale * one.value, ci_low=scale * one.ci_low, ci_high=scale * one.ci_high)
        for one in (row.difference for row in rows)
    ]
    what = "clicks per 1,000 impressions" if found.unit == "share" else found.figure

    def plot(axes: Axes) -> None:
        dots(axes, slugs([row.name for row in rows]), spread, f"more {what}")

    caption = f"Difference to {shortened(found.ranking.reference)} with intervals that hold all at once."
    return draw("ranks", caption, plot, folder, height=0.9 + 0.42 * len(rows))
