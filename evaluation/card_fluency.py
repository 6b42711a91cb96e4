"""Measure 11: does copy still read like English? Harper's findings, surprise to the frozen writer, repetition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from copybandit.evaluation.card import Figure, Gate, Measure, gate
from copybandit.evaluation.card_figures import over_seeds, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.self_bleu import tokens_of
from copybandit.generators.facts import said_of
from copybandit.generators.proofreading import lints
from copybandit.sim.types import Brief, Floats

WITHIN = 1.1
"""Most that each figure may be of what it was before."""
RUN = 3
"""Words of a run that a text should not say twice."""
LINTS = 0.1
"""Findings per 100 words that are always allowed: a tenth more than none is none."""
REPEATED = 0.001
"""The same of repetition, as a share."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A figure of tuned copy and the same before tuning; low is good."""

    ours: float
    theirs: float

    def figure(self, name: str, unit: str = "") -> Figure:
        """As a figure of the card."""
        return plain(name, self.ours, before=self.theirs, unit=unit)

    def gate(self, name: str, allowed: float = 0.0) -> Gate:
        """At most a tenth more than before, or what is always allowed."""
        most = max(WITHIN * self.theirs, self.theirs + allowed)
        return gate(f"{name} at most {WITHIN} of before", self.ours, high=most)


def lints_per_100(briefs: Sequence[Brief], texts: Sequence[str]) -> float:
    """Findings of Harper per 100 words, the product's own words and the readers' interests being right."""
    found, words = 0, 0
    for brief, text in zip(briefs, texts, strict=True):
        interests = brief.segment.interests if brief.segment else ()
        own = said_of(brief.product).words | {word for one in interests for word in one.lower().split()}
        found += len(lints(text, own))
        words += len(text.split())
    return 100 * found / max(1, words)


def repeated(texts: Sequence[str]) -> float:
    """Share of runs of `RUN` words that their own text has said before."""
    again, total = 0, 0
    for text in texts:
        words = tokens_of(text)
        runs = [tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)]
        again += len(runs) - len(set(runs))
        total += len(runs)
    return again / max(1, total)


def perplexity(log_prob: Floats, tokens: Floats) -> float:
    """Exp of the nats per token that a frozen writer finds in texts, each of shape (seeds, n)."""
    known = np.isfinite(log_prob)
    return float(np.exp(-log_prob[known].sum() / max(1.0, tokens[known].sum())))


def fluency(subject: Subject) -> Measure:
    """First proposals against those before tuning."""
    briefs = subject.cells.briefs
    known = find_spec("harper") is not None

    def over(read: Callable[[Sequence[str]], float]) -> Pair:
        ours, theirs = (over_seeds([read(row) for row in d.first]) for d in (subject.ours, subject.theirs))
        return Pair(ours=ours, theirs=theirs)

    told, again = subject.likelihoods, over(repeated)
    surprise = Pair(
        ours=perplexity(told.frozen, told.tokens), theirs=perplexity(told.before, told.tokens_before)
    )
    slips = over(lambda row: lints_per_100(briefs, row)) if known else None
    missing = "" if known else "needs Harper: pip install 'copybandit[quality]'"
    return Measure(
        number=11,
        name="Fluency",
        question="Does copy still read like English?",
        figures=(
            slips.figure("Harper's findings per 100 words")
            if slips
            else plain("Harper's findings per 100 words", None),
            surprise.figure("perplexity under the frozen writer", "per token"),
            again.figure(f"runs of {RUN} words said again", "share"),
        ),
        gates=(
            slips.gate("Harper's findings", LINTS)
            if slips
            else gate("Harper's findings", None, note=missing),
            surprise.gate("perplexity"),
            again.gate("repetition", REPEATED),
        ),
    )
