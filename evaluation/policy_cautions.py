"""What may not be concluded from a policy's seasons, and why: sentences for the page and the terminal."""

from __future__ import annotations

from copybandit.evaluation.policy_card import Looks
from copybandit.evaluation.policy_request import PolicyRequest

LOW_PROPENSITY = 0.005
"""Below it a log of the policy values others badly: one row weighs like 200."""

OTHER_COPY = "A checkpoint does not say which copy it learned of: only the number of variants was compared with the shop's."
FROZEN = "The policy was frozen, and intervals are over shoppers: what it would go on to learn is not in them (--learn)."


def cautions(request: PolicyRequest, ours: Looks, *, semi_synthetic: bool) -> tuple[str, ...]:
    """All that apply, the most general first."""
    found = [
        "Shoppers are simulated: the figures say which policy to try first, not what a real shop will earn.",
        "The oracle is myopic: it shows the best copy now and does not plan for fatigue, so it is no upper bound.",
    ]
    if semi_synthetic:
        found.append("Products and shoppers are real, their answers to copy are not.")
    found += _of_pair(request) if request.pairs else [OTHER_COPY]
    found.append(
        f"Policies learned, so intervals are over the {request.seasons} seasons: they tell chance, not other shops."
        if request.learns
        else FROZEN
    )
    if ours.least < LOW_PROPENSITY:
        found.append(
            f"It showed copy that it gave a probability of only {ours.least:.2g}: a log of it values other policies badly."
        )
    return tuple(found)


def _of_pair(request: PolicyRequest) -> list[str]:
    """What is special to new text."""
    found = [
        "The writer's texts stand in no log, so no off-policy estimate overlaps with them: only simulation can value them.",
        "The policy began anew: what it had learned was of other copy. Only its kind, and what is around it, is judged.",
    ]
    if request.part == "select":
        found.append(
            "The split is select, which steps of tuning may have been chosen on: it flatters such a writer."
        )
    return found
