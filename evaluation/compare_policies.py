"""Rank saved policies, or writers with policies, by what their seasons were worth; the one they are compared with too."""

from __future__ import annotations

import numpy as np

from copybandit.evaluation.comparison import Comparison
from copybandit.evaluation.policy_card_make import play
from copybandit.evaluation.policy_prepare import prepare
from copybandit.evaluation.policy_request import PolicyRequest
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.ranking import rank
from copybandit.evaluation.season_trial import WORTH
from copybandit.evaluation.season_worth import counts_clicks


def compare_policies(request: PolicyRequest, progress: Progress) -> Comparison:
    """All of the request and whom they are compared with, by reward per impression.

    Raises:
        DataError: see `copybandit.evaluation.policy_prepare.prepare`.
    """
    prepared = prepare(request, progress)
    played = play(prepared, progress)
    total, count = played.clusters(request.learns)
    clicks = counts_clicks(prepared.options.reward)
    scale, settings = 1.0 if clicks else 1000.0, prepared.pipeline.settings
    ranking = rank(
        played.names,
        scale * total[:, WORTH.index("reward")],
        count,
        reference=len(played.names) - 1,
        replicates=settings.bootstrap_replicates,
        rng=np.random.default_rng([request.seed, 34]),
    )
    return Comparison(
        run=request.run.resolve().name,
        kind=request.checkpoints[0].kind,
        figure="clicks per impression" if clicks else "reward per 1,000 impressions",
        unit="share" if clicks else "count",
        drawn=f"{request.seasons} seasons of {prepared.options.n_impressions:,} impressions, "
        + ("learning" if request.learns else "frozen"),
        clusters="seasons" if request.learns else "shoppers",
        ranking=ranking,
        cautions=_cautions(request, semi_synthetic=settings.world != "synthetic"),
    )


def _cautions(request: PolicyRequest, *, semi_synthetic: bool) -> tuple[str, ...]:
    found = ["Shoppers are simulated: the ranks say what to try first, not what a real shop will earn."]
    if semi_synthetic:
        found.append("Products and shoppers are real, their answers to copy are not.")
    if request.pairs:
        found.append(
            "Pairs show copy of their own, so a rank is of writer and policy together, both unseen by any log."
        )
    if not request.learns:
        found.append(
            "The policies were frozen: what they would go on to learn is not in the ranks (--learn)."
        )
    return tuple(found)
