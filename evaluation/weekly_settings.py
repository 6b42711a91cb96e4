"""What the weekly loop may be told; a part of the settings of a run."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class WeeklySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weeks in which the truth drifts, copy is shown, the log is learned from and the writer tuned again."""

    weeks: Annotated[int, Meta(ge=0, le=520)] = 0
    """Weeks to play after the season; 0 plays none."""
    rho: Annotated[float, Meta(ge=0, le=1)] = 0.8
    """Correlation of the true wording effects with last week's; 1 stands still."""
    match_sd: Annotated[float, Meta(ge=0)] = 0.15
    """Standard deviation of the weekly change of the true log b_match; 0 stands still."""
    n_impressions: Annotated[int, Meta(ge=1)] = 60_000
    """Impressions a week."""
    episodes: Annotated[int, Meta(ge=1)] = 2048
    """Pieces of copy written and scored in each week's tuning, which starts from the SFT writer."""
    discount: Annotated[float, Meta(gt=0, le=1)] = 0.7
    """Share of what was believed that is kept from week to week; 1 forgets nothing."""
    max_weight: Annotated[float, Meta(ge=1)] = 20.0
    """A row of the log counts at most so many times in the refit."""
