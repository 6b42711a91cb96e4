"""Measures 4 and 5: how far the tuned writer has moved, and whether it is paid for length."""

from __future__ import annotations

import itertools

import numpy as np

from copybandit.evaluation.card import Curve, Measure, Picture, gate
from copybandit.evaluation.card_figures import compared, figure, over_seeds, plain
from copybandit.evaluation.card_subject import Drafts, Subject
from copybandit.evaluation.intervals import Interval, resample
from copybandit.evaluation.self_bleu import tokens_of
from copybandit.sim.types import Floats, Ints

RATIO = (0.9, 1.1)
"""Where the mean probability ratio of the last updates must lie."""
BINS = 5
"""Bins of length: fifths of the texts before tuning."""
CORRELATION, DRIFT = 0.2, 0.15
"""Most that reward may go with length, and that the mean length may move, as a share."""


def distance(subject: Subject) -> Measure:
    """KL per text and per token, estimated on the writers' own first proposals."""
    product, told = subject.cells.product, subject.likelihoods
    ratio = told.own - told.frozen
    ratio = np.where(np.isfinite(ratio), ratio, 0.0)  # an empty proposal became the product's name
    kl = subject.draws.mean(ratio, product)
    per_token = float(ratio.sum() / told.tokens.sum())
    last = [float(row.mean()) for row in subject.ratios if len(row)]
    ratio_gates = [
        gate("probability ratio of the last updates", over_seeds(last), low=RATIO[0], high=RATIO[1])
    ]
    return Measure(
        number=4,
        name="KL budget",
        question="How far has the writer moved from where it began?",
        figures=(
            figure("KL per text", kl, unit="nats"),
            plain("KL per token", per_token, unit="nats"),
            plain(
                "tokens per text",
                float(told.tokens.mean()),
                before=float(told.tokens_before.mean()),
                unit="tokens",
            ),
            plain("probability ratio of the last updates", over_seeds(last) if last else None),
        ),
        gates=(gate("KL within its budget", kl.value, high=subject.budget), *(ratio_gates if last else ())),
        notes=("The budget is the run's own tune.kl_target unless --kl-budget says otherwise.",),
    )


def words_of(drafts: Drafts) -> Floats:
    """Words and marks of each first proposal, shape (seeds, n)."""
    return np.array([[len(tokens_of(text)) for text in row] for row in drafts.first], np.float64)


def length(subject: Subject) -> Measure:
    """Does longer copy earn more reward, is tuned copy longer, and is there a lift among texts of one length?"""
    cells, every = subject.cells, np.arange(len(subject.cells))
    ours, theirs = words_of(subject.ours), words_of(subject.theirs)
    rewards = [subject.reward(every, list(row)).total for row in subject.ours.first]
    r = over_seeds([_correlation(a, b, cells.product) for a, b in zip(ours, rewards, strict=True)])
    matched, picture = matched_lift(subject)
    change = float(ours.mean() / theirs.mean() - 1)
    return Measure(
        number=5,
        name="Length",
        question="Is the writer paid for length, and does it win among texts of equal length?",
        figures=(
            plain("correlation of length and reward, within products", r),
            compared(subject.draws, "words per text", list(ours), list(theirs), cells.product, "words"),
            plain("change of the mean length", change, unit="lift"),
            figure("clicks at matched length, gold world", matched, unit="lift"),
        ),
        gates=(
            gate("reward does not go with length", r, low=-CORRELATION, high=CORRELATION),
            gate("mean length as before", change, low=-DRIFT, high=DRIFT),
            gate("clicks at matched length: lower end above 0", matched.ci_low, low=0.0),
        ),
        pictures=(picture,),
    )


def _correlation(length: Floats, reward: Floats, product: Ints) -> float:
    """Pearson's r of what is left of both when each product's mean is taken away; 0 where nothing varies."""
    _, code = np.unique(product, return_inverse=True)
    count = np.bincount(code)
    a, b = (values - (np.bincount(code, values) / count)[code] for values in (length, reward))
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-12 else 0.0


def matched_lift(subject: Subject) -> tuple[Interval, Picture]:
    """Lift of shown copy within bins of length, averaged with the shares of the texts before tuning."""
    cells = subject.cells
    lengths = [
        np.array([[len(tokens_of(text)) for text in row] for row in drafts.shown], np.float64)
        for drafts in (subject.ours, subject.theirs)
    ]
    edges = np.unique(np.quantile(lengths[1], np.linspace(0, 1, BINS + 1)[1:-1]))
    rates = [cells.rates(subject.gold, drafts.shown) for drafts in (subject.ours, subject.theirs)]
    _, code = np.unique(cells.product, return_inverse=True)
    sums = [
        _binned(np.searchsorted(edges, long, side="left"), rate, code, len(edges) + 1)
        for long, rate in zip(lengths, rates, strict=True)
    ]
    weights = resample(
        len(rates[0]),
        int(code.max()) + 1,
        subject.draws.replicates,
        np.random.default_rng([subject.draws.seed, 33]),
    )
    draws = _matched(*(np.einsum("rsp,qspb->rqb", weights, both) for both in sums))
    value = float(_matched(*(both.mean(axis=(1, 2))[None] for both in sums))[0])
    low, high = np.nanquantile(draws, (0.025, 0.975)) if np.isfinite(draws).any() else (np.nan, np.nan)
    return Interval(value=value, ci_low=float(low), ci_high=float(high)), _picture(edges, sums)


def _binned(bin_: Ints, rate: Floats, product: Ints, bins: int) -> Floats:
    """Sum of rates and count of texts by seed, product and bin, shape (2, seeds, products, bins)."""
    seeds, products = len(rate), int(product.max()) + 1
    place = (np.arange(seeds)[:, None] * products + product) * bins + bin_
    size = seeds * products * bins
    found = [np.bincount(place.ravel(), weights, size) for weights in (rate.ravel(), None)]
    return np.stack(found).reshape(2, seeds, products, bins).astype(np.float64)


def _matched(ours: Floats, theirs: Floats) -> Floats:
    """Lift in each replicate, given sums and counts of shape (replicates, 2, bins); nan where no bin holds both."""
    both = (ours[:, 1] > 0) & (theirs[:, 1] > 0)
    share = np.where(both, theirs[:, 1], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [np.where(both, sums[:, 0] / sums[:, 1], 0.0) for sums in (ours, theirs)]
        return np.asarray((share * rates[0]).sum(axis=1) / (share * rates[1]).sum(axis=1) - 1)


def _picture(edges: Floats, sums: list[Floats]) -> Picture:
    ends = [0.0, *edges.tolist()]
    middle = [*((a + b) / 2 for a, b in itertools.pairwise(ends)), float(ends[-1] + 1)]
    curves = []
    for name, both in zip(("tuned", "before tuning"), sums, strict=True):
        total, count = both.sum(axis=(1, 2))
        full = count > 0
        curves.append(
            Curve(
                name=f"{name} ({', '.join(f'{n:.0f}' for n in count)} texts)",
                x=tuple(np.array(middle)[full].tolist()),
                y=tuple((100 * total[full] / count[full]).tolist()),
            )
        )
    return Picture(
        name="length",
        title="Click rate by length",
        x_label="words and marks of the shown text, middle of its bin",
        y_label="click rate, gold world (%)",
        caption="Bins are fifths of the copy before tuning. A lift that lives in one bin of length is a lift of length.",
        curves=tuple(curves),
    )
