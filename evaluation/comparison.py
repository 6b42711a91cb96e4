"""Many checkpoints of one kind ranked on the same draws: the record, and what gates can name of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from copybandit.evaluation.policy_card import named
from copybandit.evaluation.ranking import Ranking
from copybandit.sim.types import DataError

SCHEMA = "copybandit-comparison/1"
"""Version of the record; a field that changes its meaning gives it another number."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All of it; comparison.json is this record as JSON.

    Attributes:
        run: name of the run folder whose shop judges.
        kind: of the checkpoints.
        figure: what they are ranked by, in words.
        unit: ``share`` or ``count``, see `copybandit.evaluation.policy_page.amount`.
        drawn: what was played or written, in words.
        clusters: what intervals resample: ``shoppers``, ``seasons`` or ``products``.
        ranking: the best first.
        cautions: what may not be concluded, and why.
    """

    run: str
    kind: str
    figure: str
    unit: str
    drawn: str
    clusters: str
    ranking: Ranking
    cautions: tuple[str, ...]
    schema: str = SCHEMA


def comparison_figures(found: Comparison) -> dict[str, float | None]:
    """Everything that a gate can name, e.g. ``lints.difference.ci_low`` or ``lints.rank``; ``best`` is the first."""
    names = slugs([row.name for row in found.ranking.rows])
    told: dict[str, float | None] = {}
    for name, row in [("best", found.ranking.rows[0]), *zip(names, found.ranking.rows, strict=True)]:
        told |= named(f"{name}.mean", row.mean) | named(f"{name}.difference", row.difference)
        told |= {f"{name}.rank": row.rank, f"{name}.rank.best": row.best, f"{name}.rank.worst": row.worst}
    return told


def slugs(names: Sequence[str]) -> list[str]:
    """Names as gates can have them: the last parts of paths, as many as tell them apart.

    >>> slugs(["runs/a/policy", "runs/b/policy", "uniform"])
    ['a-policy', 'b-policy', 'uniform']
    """
    for depth in range(1, 1 + max(name.count("/") + name.count("+") for name in names) + 1):
        found = [_slug(name, depth) for name in names]
        if len(set(found)) == len(found):
            return found
    raise DataError(
        f"compare: names must differ in letters and digits, got {', '.join(names)}; rename a folder"
    )


def _slug(name: str, depth: int) -> str:
    halves = ["-".join(half.rstrip("/").split("/")[-depth:]) for half in name.split("+")]
    found = re.sub(r"[^A-Za-z0-9_-]+", "_", "-".join(halves)).strip("-")
    return found if re.match(r"[A-Za-z_]", found) else f"_{found}"
