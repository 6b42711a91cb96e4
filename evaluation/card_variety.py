"""Measure 6: is the copy still varied, within a product, across products, and in how it begins?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.card import Measure, gate
from copybandit.evaluation.card_figures import over_seeds, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.patterns import pattern, sameness
from copybandit.evaluation.self_bleu import self_bleu, tokens_of
from copybandit.sim.types import Brief, Floats, Ints

SELF_BLEU, UNIQUE = 0.05, 0.9
"""Most that self-BLEU may rise, and least share of the unique texts that must be left."""
OPENING = 4
"""Words of an opening."""
FIGURES = {
    "distinct_1": "different words per word",
    "distinct_2": "different pairs per pair of words",
    "within": "self-BLEU-4 within a product",
    "across": "self-BLEU-4 of all texts",
    "unique": "unique texts",
    "patterns": "unique patterns, words of the brief left out",
    "sameness": "phrases shared with another text, words of the brief left out",
    "opening": f"share of the most frequent opening of {OPENING} words",
}
"""What the card tells, by field of `Variety`."""


@dataclass(frozen=True, kw_only=True)
class Variety:
    """How varied the texts of one seed are.

    Attributes:
        distinct_1, distinct_2: different words and pairs of words per word and pair.
        within: mean self-BLEU-4 over products, of the texts of one product.
        across: self-BLEU-4 of all texts.
        unique: share of different texts.
        patterns: share of different texts once the words of the brief are taken out.
        opening: share of the most frequent opening.
        sameness: share of a text's phrases that another text has, on average over the others; what `tune.limits` holds.
    """

    distinct_1: float
    distinct_2: float
    within: float
    across: float
    unique: float
    patterns: float
    opening: float
    sameness: float


def variety_of(briefs: Sequence[Brief], texts: Sequence[str], product: Ints) -> Variety:
    """Read texts, one per brief; product says whose each is."""
    words = [tokens_of(text) for text in texts]
    groups = [[texts[row] for row in np.flatnonzero(product == one).tolist()] for one in np.unique(product)]
    groups = [group for group in groups if len(group) > 1]
    openings = Counter(tuple(row[:OPENING]) for row in words)
    masked = {pattern(brief, text) for brief, text in zip(briefs, texts, strict=True)}
    return Variety(
        distinct_1=_distinct(words, 1),
        distinct_2=_distinct(words, 2),
        within=over_seeds([self_bleu(group) for group in groups if all(map(tokens_of, group))]),
        across=self_bleu([text for text in texts if tokens_of(text)]),
        unique=len(set(texts)) / len(texts),
        patterns=len(masked) / len(texts),
        opening=openings.most_common(1)[0][1] / len(texts),
        sameness=float(sameness(briefs, texts).mean()),
    )


def _distinct(words: Sequence[Sequence[str]], n: int) -> float:
    """Different n-grams per n-gram (Li et al., arXiv 1510.03055)."""
    grams = [tuple(row[i : i + n]) for row in words for i in range(len(row) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def entropy_of(log_prob: Floats, tokens: Floats) -> float:
    """Nats per token: mean negative log probability of a writer's own texts, each of shape (seeds, n)."""
    known = np.isfinite(log_prob)
    return float(-log_prob[known].sum() / max(1.0, tokens[known].sum()))


def variety(subject: Subject) -> Measure:
    """Variety of first proposals, tuned and before."""
    cells, told = subject.cells, subject.likelihoods
    ours, theirs = (
        [variety_of(cells.briefs, row, cells.product) for row in drafts.first]
        for drafts in (subject.ours, subject.theirs)
    )
    entropy = entropy_of(told.own, told.tokens), entropy_of(told.before, told.tokens_before)
    figures = [plain(label, _mean(ours, name), before=_mean(theirs, name)) for name, label in FIGURES.items()]
    alike = _mean(ours, "within") - _mean(theirs, "within")
    left = _mean(ours, "unique") / max(_mean(theirs, "unique"), 1e-12)
    return Measure(
        number=6,
        name="Diversity",
        question="Does the writer still say different things, or one thing everywhere?",
        figures=(*figures, plain("entropy per token", entropy[0], before=entropy[1], unit="nats")),
        gates=(
            gate(f"self-BLEU within a product at most {SELF_BLEU} above before", alike, high=SELF_BLEU),
            gate(f"unique texts at least {UNIQUE} of before", left, low=UNIQUE),
        ),
    )


def _mean(rows: Sequence[Variety], name: str) -> float:
    return over_seeds([getattr(row, name) for row in rows])
