"""Measure 4: how far the tuned writer has moved."""

from __future__ import annotations

from copybandit.evaluation.card import Measure, gate
from copybandit.evaluation.card_figures import farthest, figure, plain
from copybandit.evaluation.card_subject import Subject

RATIO = (0.9, 1.1)
"""Where the mean probability ratio of the last updates must lie, of every seed."""
RATIO_NAME = "probability ratio of the last updates, seed farthest from 1"


def distance(subject: Subject) -> Measure:
    """KL per text and per token, estimated on the writers' own first proposals.

    An empty proposal became the product's name, and counts as that.
    """
    told = subject.likelihoods
    log_ratio = told.own - told.frozen
    kl = subject.draws.mean(log_ratio, subject.cells.product)
    per_token = float(log_ratio.sum() / told.tokens.sum())
    known = all(len(log.ratios) for log in subject.logs)
    ratio = farthest([float(log.ratios.mean()) for log in subject.logs], 1.0) if known else float("nan")
    unknown = "tuning left no record of ratios beside the checkpoints"
    tokens, before = float(told.tokens.mean()), float(told.tokens_before.mean())
    return Measure(
        number=4,
        name="KL budget",
        question="How far has the writer moved from where it began?",
        figures=(
            figure("KL per text", kl, unit="nats"),
            plain("KL per token", per_token, unit="nats"),
            plain("tokens per text", tokens, before=before, unit="tokens"),
            plain(RATIO_NAME, ratio),
        ),
        gates=(
            gate("KL within its budget", kl.value, high=subject.budget),
            gate(RATIO_NAME, ratio, low=RATIO[0], high=RATIO[1], unknown=unknown),
        ),
        notes=("The budget is the run's own tune.kl_target unless --kl-budget says otherwise.",),
    )
