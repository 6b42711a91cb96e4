"""What seasons say of a policy: the records only; evaluation.json is `PolicyCard` as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.evaluation.intervals import Interval

SCHEMA = "copybandit-policy-card/1"
"""Version of the record; a field that changes its meaning gives it another number."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """One figure of the judged policy beside that of the one it is compared with.

    Attributes:
        name: as gates have it.
        words: as readers have it.
        unit: ``share``, ``money`` or ``count``.
        ours, theirs: with 95% intervals.
        difference: ours less theirs, paired: both met the same shoppers.
        lift: ours / theirs - 1; None where a ratio means nothing.
    """

    name: str
    words: str
    unit: str
    ours: Interval
    theirs: Interval
    difference: Interval
    lift: Interval | None


@dataclass(frozen=True, kw_only=True)
class SegmentRow:
    """Clicks of one segment.

    Attributes:
        name: what its shoppers care for.
        shoppers: that came.
        impressions: in all seasons.
        ctr: of the judged policy; None where too few came to tell.
        difference: to the other's, paired; None likewise.
    """

    name: str
    shoppers: int
    impressions: int
    ctr: Interval | None
    difference: Interval | None


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Points of a calibration curve; all of one length.

    Attributes:
        stated: mean of what was said in each bin.
        found: share that came.
        low, high: 95% interval of it.
        count: how many the bin holds.
    """

    stated: tuple[float, ...]
    found: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    count: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What one contender's choices look like.

    Attributes:
        name: of the contender.
        propensity: share of impressions by the probability of what was shown, in 20 bins of [0, 1].
        least: smallest probability of what was shown.
        shown: stated probability of a variant against the share of times that it was shown.
        believed: warm start of what was shown against the reward that came, as shares of the largest reward.
        lost_at, lost: impressions, and reward lost so far against the myopic oracle, mean over seasons.
    """

    name: str
    propensity: tuple[float, ...]
    least: float
    shown: Bins
    believed: Bins
    lost_at: tuple[int, ...]
    lost: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One candidate of a sample decision: its text and why it is shown as often as it is."""

    text: str
    probability: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class SampleDecision:
    """One request, and its candidates, the likeliest first."""

    product: str
    segment: str
    candidates: tuple[Explained, ...]


@dataclass(frozen=True, kw_only=True)
class PolicyCard:
    """All of it.

    Attributes:
        run: name of the run folder whose shop it is.
        checkpoint: as it was named.
        kind: ``policy`` or ``pair``.
        policy: name of the policy, with what is around it.
        rows_learned: of feedback before the seasons; 0 for a pair, which begins anew.
        against: whom it is compared with.
        learns: whether policies learned in the seasons.
        seasons, impressions: how many, and of each.
        clusters: ``shoppers`` or ``seasons``, what intervals resample.
        semi_synthetic: whether products and shoppers are real.
        reward: what a decision earns, in words.
        figures: clicks first.
        segments: clicks by segment.
        looks: of the judged one, then of the other.
        decisions: a sample.
        cautions: what may not be concluded, and why.
    """

    run: str
    checkpoint: str
    kind: str
    policy: str
    rows_learned: int
    against: str
    learns: bool
    seasons: int
    impressions: int
    clusters: str
    semi_synthetic: bool
    reward: str
    figures: tuple[Told, ...]
    segments: tuple[SegmentRow, ...]
    looks: tuple[Looks, ...]
    decisions: tuple[SampleDecision, ...]
    cautions: tuple[str, ...]
    schema: str = SCHEMA


def gate_figures(card: PolicyCard) -> dict[str, float | None]:
    """Everything that a gate can name, e.g. ``ctr_lift.ci_low``; a name alone is its value."""
    found: dict[str, float | None] = {}
    for told in card.figures:
        parts = {"": told.ours, "_against": told.theirs, "_difference": told.difference, "_lift": told.lift}
        for mark, interval in parts.items():
            if interval is not None:
                found |= named(told.name + mark, interval)
    return found


def named(name: str, interval: Interval) -> dict[str, float | None]:
    """An interval's figures by dotted name."""
    return {
        name: interval.value,
        f"{name}.value": interval.value,
        f"{name}.ci_low": interval.ci_low,
        f"{name}.ci_high": interval.ci_high,
    }
