"""Why a candidate is shown as often as it is: the parts of its score, what each did to its probability, and a sentence.

    Shown 62% of the time: urgency +12 points, its own record -3 points. 5 clicks in 340 impressions.

A part is told relative to the other candidates of the request; points are percentage points of the probability, found by
asking the policy's own rule again with that part made the same for all (`copybandit.agents.explain_parts`).
"""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.agents.batch import Batch
from copybandit.agents.explain_parts import Explainable, FeatureNames, Kind, Record, Unit

TOLD = 4
"""Parts that a sentence names, the largest moves first."""
LEAST_TOLD = 0.005
"""Move of a probability below which a sentence leaves a part out: it would read as 0 points."""
WORDS: dict[Kind, str] = {
    "warm start": "the estimate before any feedback",
    "common": "what all candidates share",
    "feature": "",
    "record": "its own record",
    "doubt": "doubt",
    "exploration": "even exploration",
    "guardrails": "the shop's rules",
}


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """One part of a candidate's score.

    Attributes:
        kind: what it comes from.
        name: which one, where the kind does not say.
        value: signed, in units of the policy's score.
        move: of the probability, in [-1, 1]: the probability less what it would be if this part told no candidate apart.
    """

    kind: Kind
    name: str
    value: float
    move: float

    @property
    def words(self) -> str:
        """What a reader calls it."""
        return self.name or WORDS[self.kind]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a policy remembers of a candidate.

    Attributes:
        seen: how much it was shown, in ``unit``; 0 is never.
        clicks: weighted rewards; None where the policy keeps none by variant.
        unit: of ``seen``.
    """

    seen: float
    clicks: float | None
    unit: Unit

    @property
    def sentence(self) -> str:
        """In plain English; empty where there is nothing that a reader could weigh."""
        if self.seen <= 0:
            return "Never tried."
        if self.clicks is None:
            return ""
        if self.unit == "impressions":
            return f"{self.clicks:.4g} clicks in {self.seen:.4g} impressions."
        return f"{self.clicks:.4g} clicks where the estimate before any feedback expected {self.seen:.4g}."


@dataclass(frozen=True, kw_only=True)
class CandidateExplanation:
    """Why one candidate of a request has its probability.

    Attributes:
        variant: index of the variant.
        probability: of being shown.
        score: what the policy ranks it by; the values of the contributions add up to it.
        contributions: the largest move first.
        past: what the policy remembers of it; None where it remembers nothing.
    """

    variant: int
    probability: float
    score: float
    contributions: tuple[Contribution, ...]
    past: Past | None = None

    @property
    def sentence(self) -> str:
        """The same in plain English, one line."""
        named = [part for part in self.contributions if abs(part.move) >= LEAST_TOLD][:TOLD]
        why = ", ".join(f"{part.words} {_points(part.move)}" for part in named)
        told = f"Shown {self.probability:.0%} of the time: {why or 'nothing tells it from the others'}."
        past = self.past.sentence if self.past else ""
        return f"{told} {past}".rstrip()


def explain(
    policy: Explainable, batch: Batch, names: FeatureNames | None = None
) -> tuple[tuple[CandidateExplanation, ...], ...]:
    """Explain a policy's probabilities.

    Args:
        policy: as it was when it decided; it is not changed.
        batch: the requests.
        names: of the columns; numbers where None.

    Returns:
        For each request, its present candidates in the order of their columns.

    Raises:
        DataError: the names do not fit the batch, or the batch not the policy.
    """
    parts = policy.parts(batch, (names or FeatureNames()).of(batch))
    probs, score, moves = parts.probs(), parts.score, parts.moves()

    def one(row: int, column: int) -> CandidateExplanation:
        found = [
            Contribution(kind=kind, name=name, value=float(value[row, column]), move=float(move[row, column]))
            for kind, name, value, move in moves
        ]
        return CandidateExplanation(
            variant=int(batch.candidates[row, column]),
            probability=float(probs[row, column]),
            score=float(score[row, column]),
            contributions=tuple(sorted(found, key=lambda part: -abs(part.move))),
            past=_past(parts.record, row, column),
        )

    return tuple(
        tuple(one(row, column) for column in range(probs.shape[1]) if parts.present[row, column])
        for row in range(len(batch))
    )


def _past(record: Record | None, row: int, column: int) -> Past | None:
    if record is None:
        return None
    clicks = None if record.clicks is None else float(record.clicks[row, column])
    return Past(seen=float(record.seen[row, column]), clicks=clicks, unit=record.unit)


def _points(move: float) -> str:
    points = round(100 * move)
    return f"{'+' if points > 0 else '-'}{abs(points)} point{'' if abs(points) == 1 else 's'}"
