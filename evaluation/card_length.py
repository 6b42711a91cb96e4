"""Measure 5: is the writer paid for length, and does it win among texts of equal length?

    lift at matched length = sum_b q_b r_b(tuned) / sum_b q_b r_b(before) - 1

over bins b of length that both hold, r_b the true click rate in a bin, q_b the bin's share of the copy before tuning
(direct standardisation).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from copybandit.evaluation.card import Curve, Measure, Picture, gate
from copybandit.evaluation.card_figures import compared, farthest, figure, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.self_bleu import tokens_of
from copybandit.sim.types import Floats, Ints

BINS = 5
"""Bins of length: fifths of the texts before tuning."""
CORRELATION, DRIFT = 0.2, 0.15
"""Most that reward may go with length, and that the mean length may move, as a share; of every seed."""


def length(subject: Subject) -> Measure:
    """Does longer copy earn more reward, is tuned copy longer, and is there a lift among texts of one length?"""
    product, every = subject.cells.product, np.arange(len(subject.cells))
    ours, theirs = words_of(subject.ours.first), words_of(subject.theirs.first)
    rewards = [subject.reward(every, list(row)).total for row in subject.ours.first]
    r = farthest([_correlation(a, b, product) for a, b in zip(ours, rewards, strict=True)])
    change = farthest((ours.mean(axis=1) / theirs.mean(axis=1) - 1).tolist())
    matched, shared, picture = matched_lift(subject)
    return Measure(
        number=5,
        name="Length",
        question="Is the writer paid for length, and does it win among texts of equal length?",
        figures=(
            plain("correlation of length and reward within products, seed farthest from 0", r),
            compared(subject.draws, "words per text", list(ours), list(theirs), product, "words"),
            plain("change of the mean length, seed farthest from 0", change, unit="lift"),
            figure("clicks at matched length, gold world", matched, unit="lift"),
            plain("copy before tuning of a length that tuned copy has, too", shared, unit="share"),
        ),
        gates=(
            gate("reward does not go with length", r, low=-CORRELATION, high=CORRELATION),
            gate("mean length as before", change, low=-DRIFT, high=DRIFT),
            gate(
                "clicks at matched length: lower end above 0",
                matched.ci_low,
                low=0.0,
                unknown="tuned copy and copy before tuning have too few lengths in common",
            ),
        ),
        pictures=(picture,),
    )


def words_of(rows: Sequence[Sequence[str]]) -> Floats:
    """Words and marks of each text, shape (seeds, n)."""
    return np.array([[len(tokens_of(text)) for text in row] for row in rows], np.float64)


def _correlation(length: Floats, reward: Floats, product: Ints) -> float:
    """Pearson's r of what is left of both when each product's mean is taken away; 0 where nothing varies."""
    _, code = np.unique(product, return_inverse=True)
    count = np.bincount(code)
    a, b = (values - (np.bincount(code, values) / count)[code] for values in (length, reward))
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 1e-12 else 0.0


def matched_lift(subject: Subject) -> tuple[Interval, float, Picture]:
    """Lift of shown copy at matched length, the share of copy before tuning that lies in shared bins, and the picture."""
    lengths = [words_of(drafts.shown) for drafts in (subject.ours, subject.theirs)]
    edges = np.unique(np.quantile(lengths[1], np.linspace(0, 1, BINS + 1)[1:-1]))
    sums = np.stack(
        [
            _binned(np.searchsorted(edges, long, side="left"), rate, subject.cells.product, len(edges) + 1)
            for long, rate in zip(lengths, subject.rates, strict=True)
        ]
    )
    shape = sums.shape  # writer, sum or count, bin, seed, product

    def lift(total: Floats) -> Floats:
        return _matched(total.reshape(*total.shape[:-1], *shape[:3]))

    found = subject.draws.of(sums.reshape(-1, *shape[3:]), lift)
    pooled = sums.sum(axis=(3, 4))
    count = pooled[:, 1]
    shared = float(count[1][count[0] > 0].sum() / count[1].sum())
    return found, shared, _picture(edges, pooled)


def _binned(bin_: Ints, rate: Floats, product: Ints, bins: int) -> Floats:
    """Sum of rates and count of texts by bin, seed and product, shape (2, bins, seeds, products)."""
    code = np.unique(product, return_inverse=True)[1]
    seeds, products = len(rate), int(code.max()) + 1
    place = (bin_ * seeds + np.arange(seeds)[:, None]) * products + code
    size = bins * seeds * products
    found = [np.bincount(place.ravel(), weights, size) for weights in (rate.ravel(), None)]
    return np.stack(found).reshape(2, bins, seeds, products).astype(np.float64)


def _matched(sums: Floats) -> Floats:
    """Lift at matched length, sums of shape (..., writer, sum or count, bin); nan where no bin holds both."""
    total, count = sums[..., 0, :], sums[..., 1, :]
    both = (count > 0).all(axis=-2)
    share = np.where(both, count[..., 1, :], 0.0)
    rate = total / np.where(count > 0, count, 1.0)
    weighed = (share[..., None, :] * rate).sum(axis=-1)
    before = np.where(weighed[..., 1] > 0, weighed[..., 1], np.nan)
    return np.asarray(weighed[..., 0] / before - 1)


def _picture(edges: Floats, pooled: Floats) -> Picture:
    """Click rate of each bin, sums and counts of shape (2, 2, bins)."""
    ends = [0.0, *edges.tolist()]
    middle = np.array([*((a + b) / 2 for a, b in itertools.pairwise(ends)), float(ends[-1] + 1)])
    curves = []
    for name, (total, count) in zip(("tuned", "before tuning"), pooled, strict=True):
        full = count > 0
        curves.append(
            Curve(
                name=f"{name} ({', '.join(f'{n:.0f}' for n in count)} texts)",
                x=tuple(middle[full].tolist()),
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
