"""The conformance check every writer must pass: the right number of variants, labelled, repeatable and scored."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from copybandit.generators.protocol import Generator
from copybandit.sim.types import Brief, DataError, Variant


def check_generator(
    writer: Generator, briefs: Sequence[Brief], rng: np.random.Generator, *, n: int = 3
) -> list[list[Variant]]:
    """Check that a writer proposes `n` labelled variants per brief, the same ones from the same state, and scores them.

    Args:
        writer: the writer; it is not changed.
        briefs: at least one.
        rng: source of randomness; the writer gets copies of it.
        n: variants per brief.

    Returns:
        The proposals, for checks of one's own.

    Raises:
        DataError: names the rule that is broken.
    """
    proposals = writer.propose(briefs, n, copy.deepcopy(rng))
    if len(proposals) != len(briefs) or any(len(row) != n for row in proposals):
        sizes = [len(row) for row in proposals]
        _refuse(writer, f"propose must give {len(briefs)} lists of {n} variants, got lists of {sizes}")
    for brief, row in zip(briefs, proposals, strict=True):
        _check_labels(writer, brief, row)
    if writer.propose(briefs, n, copy.deepcopy(rng)) != proposals:
        _refuse(writer, "propose must give the same variants from the same random state, got others")
    if writer.propose([], n, copy.deepcopy(rng)) != []:
        _refuse(writer, "propose must give no variants for no briefs")
    _check_log_prob(writer, briefs, proposals)
    return proposals


def _check_labels(writer: Generator, brief: Brief, row: Sequence[Variant]) -> None:
    segment_id = brief.segment.segment_id if brief.segment else -1
    wanted = (brief.product.product_id, segment_id, writer.generator_id)
    for variant in row:
        got = (variant.product_id, variant.segment_id, variant.generator_id)
        if got != wanted:
            _refuse(writer, f"a variant must carry product, segment and writer {wanted}, got {got}")


def _check_log_prob(
    writer: Generator, briefs: Sequence[Brief], proposals: Sequence[Sequence[Variant]]
) -> None:
    """One value per text, at most 0 and never NaN, which does not depend on what else stands in the batch."""
    many = [brief for brief, row in zip(briefs, proposals, strict=True) for _ in row]
    texts = [variant.text for row in proposals for variant in row]
    scores = writer.log_prob(many, texts)
    if scores.shape != (len(texts),) or scores.dtype != np.float64:
        _refuse(
            writer, f"log_prob must be float64 of shape ({len(texts)},), got {scores.dtype} {scores.shape}"
        )
    if not (scores <= 0).all():
        _refuse(writer, f"log_prob must be at most 0, or -inf, got {scores.max()}")
    alone = writer.log_prob(many[:1], texts[:1])
    if not np.allclose(alone, scores[:1], rtol=0, atol=1e-2):
        _refuse(
            writer, f"log_prob must not depend on the batch, got {scores[0]} in a batch and {alone[0]} alone"
        )


def _refuse(writer: Generator, rule: str) -> None:
    raise DataError(f"writer {writer.generator_id}: {rule}; correct the writer")
