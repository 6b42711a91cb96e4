"""Measure 7: is the segment really used? Copy for a segment must suit it better than copy for another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from copybandit.evaluation.card import Figure, Measure, gate
from copybandit.evaluation.card_figures import compared, figure, over_seeds, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.self_bleu import tokens_of
from copybandit.evaluation.stage_judge import swap_values
from copybandit.sim.types import Brief, Ints

FOLDS = 2
"""Halves of the products: what tells segments apart is learned on one and tried on the other."""

GATE = "swap test: lower end above 0"
NOTE = (
    "The swap test exchanges two segments' copy of one product; wording that works on everybody cancels. "
    "Without interest words mattering (b_M = 0) it is 0."
)


def names_interest(brief: Brief, text: str) -> bool:
    """Whether a text says one of its reader's interest words."""
    words, low = set(tokens_of(text)), text.lower()
    wanted = brief.segment.interests if brief.segment else ()
    return any(word in words if " " not in word else word in low for word in map(str.lower, wanted))


def facts_named(brief: Brief, text: str) -> float:
    """Share of the product's facts of which a text says every word of four letters and more, or the fact itself."""
    low, words = text.lower(), set(tokens_of(text))
    facts = [fact.lower() for fact in brief.product.facts]
    if not facts:
        return 0.0
    long = [[word for word in tokens_of(fact) if len(word) > 3] for fact in facts]
    said = [fact in low or (bool(w) and words.issuperset(w)) for fact, w in zip(facts, long, strict=True)]
    return sum(said) / len(facts)


def mutual_information(texts: Sequence[str], segment: Ints, product: Ints) -> float:
    """Nats that wording tells of the segment, a lower bound: H(segment) less the cross-entropy of unseen products' texts.

    The bound is Barber and Agakov's (NIPS 2003), its classifier a logistic regression on words. Nothing learned gives
    about 0, and a little below by chance. One segment has nothing to tell; nan where there are too few products to try on
    what was not learned from.
    """
    kinds, count = np.unique(segment, return_counts=True)
    share = count / count.sum()
    products = np.unique(product)
    if len(kinds) < 2:
        return 0.0
    if len(products) < FOLDS:
        return float("nan")
    words = CountVectorizer(tokenizer=tokens_of, token_pattern=None, lowercase=False, binary=True)
    x = words.fit_transform(texts)
    fold = np.isin(product, products[::FOLDS]).astype(np.int64)
    loss = np.empty(len(texts))
    for side in range(FOLDS):
        known, asked = fold != side, np.flatnonzero(fold == side)
        if len(np.unique(segment[known])) < len(kinds):
            return float("nan")
        model = LogisticRegression(C=0.3, max_iter=500).fit(x[np.flatnonzero(known)], segment[known])
        told = model.predict_log_proba(x[asked])
        loss[asked] = -told[np.arange(len(asked)), np.searchsorted(model.classes_, segment[asked])]
    return float(-(share * np.log(share)).sum() - loss.mean())


def personal(subject: Subject) -> Measure:
    """Swap test, mentions, mutual information."""
    cells, draws = subject.cells, subject.draws
    ours, product = swap_values(subject.gold, cells, subject.ours.shown)
    theirs, _ = swap_values(subject.gold, cells, subject.theirs.shown)
    swap, over = draws.mean(ours, product), draws.mean(ours - theirs, product)
    told = [
        over_seeds([mutual_information(row, cells.segment, cells.product) for row in drafts.first])
        for drafts in (subject.ours, subject.theirs)
    ]
    low_end = swap.ci_low if len(cells.shoppers) > 1 else None
    return Measure(
        number=7,
        name="Personalisation",
        question="Does copy for a segment suit that segment better than copy for another?",
        figures=(
            figure("swap test, gold world", swap, before=float(theirs.mean()), unit="log-odds"),
            figure("swap test over before tuning", over, unit="log-odds"),
            mentions(subject, "texts that name an interest of their readers", names_interest),
            mentions(subject, "facts that a text states", facts_named),
            plain("mutual information of segment and wording", told[0], before=told[1], unit="nats"),
        ),
        gates=(gate(GATE, low_end, low=0.0, unknown="there is one segment only"),),
        notes=(NOTE,),
    )


def mentions(subject: Subject, name: str, read: Callable[[Brief, str], float]) -> Figure:
    """Mean of what is read of each first proposal, tuned and before, as a share."""
    ours, theirs = (
        [
            np.array([float(read(b, t)) for b, t in zip(subject.cells.briefs, row, strict=True)])
            for row in drafts.first
        ]
        for drafts in (subject.ours, subject.theirs)
    )
    return compared(subject.draws, name, ours, theirs, subject.cells.product, "share")
