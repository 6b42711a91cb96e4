"""Measure 11: does copy still read like English? Harper's findings, surprise to the frozen writer, repetition, ease."""

from __future__ import annotations

import math
import re
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
GRADE = 1.0
"""The same of school years; their scale has no true zero, so a share of it alone would say nothing."""
_END = re.compile(r"[.!?]+(?=\s|$)")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A figure of tuned copy and the same before tuning; low is good."""

    ours: float
    theirs: float

    def figure(self, name: str, unit: str = "") -> Figure:
        """As a figure of the card."""
        return plain(name, self.ours, before=self.theirs, unit=unit)

    def gate(self, name: str, allowed: float = 0.0, unknown: str = "") -> Gate:
        """At most a tenth more than before, or so much more as is always allowed."""
        if not math.isfinite(self.theirs):
            return gate(
                f"{name} at most {WITHIN} of before", None, unknown=unknown or "unknown before tuning"
            )
        most = max(WITHIN * self.theirs, self.theirs + allowed)
        words = f" or {allowed:g} more" if allowed else ""
        return gate(f"{name} at most {WITHIN} of before{words}", self.ours, high=most)


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


def grade(texts: Sequence[str]) -> float:
    """School years that reading takes: 4.71 letters / words + 0.5 words / sentences - 21.43, over all texts together.

    The automated readability index (Smith and Senter, AMRL-TR-66-220, 1967); letters are letters and digits.
    """
    words = [word for text in texts for word in text.split() if any(map(str.isalnum, word))]
    letters = sum(sum(map(str.isalnum, word)) for word in words)
    sentences = sum(max(1, len(_END.findall(text))) for text in texts)
    return 4.71 * letters / max(1, len(words)) + 0.5 * len(words) / max(1, sentences) - 21.43


def perplexity(log_prob: Floats, tokens: Floats) -> float:
    """Exp of the nats per token that a frozen writer finds in texts, each of shape (seeds, n)."""
    return float(np.exp(-log_prob.sum() / max(1.0, tokens.sum())))


def fluency(subject: Subject) -> Measure:
    """First proposals against those before tuning."""
    told = subject.likelihoods
    surprise = Pair(
        ours=perplexity(told.frozen, told.tokens), theirs=perplexity(told.before, told.tokens_before)
    )
    slips, again, years = _lints(subject), _over(subject, repeated), _over(subject, grade)
    missing = "needs Harper: pip install 'copybandit[quality]'"
    return Measure(
        number=11,
        name="Fluency",
        question="Does copy still read like English?",
        figures=(
            slips.figure("Harper's findings per 100 words"),
            surprise.figure("perplexity under the frozen writer", "per token"),
            again.figure(f"runs of {RUN} words said again", "share"),
            years.figure("school years that reading takes"),
        ),
        gates=(
            slips.gate("Harper's findings", LINTS, missing),
            surprise.gate("perplexity"),
            again.gate("repetition", REPEATED),
            years.gate("reading", GRADE),
        ),
    )


def _over(subject: Subject, read: Callable[[Sequence[str]], float]) -> Pair:
    """What is read of the first proposals of a seed, mean over seeds."""
    ours, theirs = (over_seeds([read(row) for row in d.first]) for d in (subject.ours, subject.theirs))
    return Pair(ours=ours, theirs=theirs)


def _lints(subject: Subject) -> Pair:
    """Findings of Harper; unknown where it is not installed."""
    if find_spec("harper") is None:
        return Pair(ours=float("nan"), theirs=float("nan"))
    return _over(subject, lambda row: lints_per_100(subject.cells.briefs, row))
