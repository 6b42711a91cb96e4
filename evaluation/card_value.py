"""Measure 1: more clicks and purchases in the gold world than the writer before tuning?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

from copybandit.evaluation.card import SEEDS, Curve, Figure, Gate, Measure, Picture, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.cells import Cells
from copybandit.evaluation.headline import SUSPECT_LIFT
from copybandit.evaluation.intervals import Interval
from copybandit.sim.types import Floats, Ints
from copybandit.sim.world import Copy, World


def purchase_rate(world: World, shoppers: Ints, copy: Copy, relative: Floats) -> Floats:
    """P(click and buy) in the first place, averaged over shoppers, shape (n,) for n texts.

    Args:
        world: whose click and conversion terms count.
        shoppers: indices; each minds the price as much as the average one does.
        copy: n texts.
        relative: shape (n_products,), log(price / median price of its category).
    """
    c, taste = world.coefficients, world.taste
    tastes = taste.shoppers[shoppers]
    interest = tastes @ taste.products[copy.product].T + taste.quality[copy.product]
    interest = (interest - taste.centre) / taste.scale
    wording = copy.wording.mean(axis=0)
    click = c.base + c.b_interest * interest + wording
    click += c.b_match * (tastes - taste.mean_shopper) @ copy.topic.T
    buy = c.conversion_base + c.conversion_interest * interest - c.price_sensitivity * relative[copy.product]
    buy -= c.overpromise * np.maximum(wording, 0.0)
    return np.asarray((expit(click) * expit(buy)).mean(axis=0))


def purchases(world: World, cells: Cells, rows: Sequence[Sequence[str]], relative: Floats) -> Floats:
    """`purchase_rate` of each cell's text, one row of texts per seed, shape (seeds, n)."""
    found = np.empty((len(rows), len(cells)))
    for place, texts in enumerate(rows):
        copy = world.encode(list(texts), cells.product)
        for index, shoppers in enumerate(cells.shoppers):
            own = np.flatnonzero(cells.segment == index)
            found[place, own] = purchase_rate(world, shoppers, copy.take(own), relative)
    return found


def value(subject: Subject) -> Measure:
    """Lifts of shown copy, with hierarchical intervals over seeds and products."""
    product, fitted = subject.cells.product, subject.reward.world
    bought = _pair(subject, lambda rows: purchases(subject.gold, subject.cells, rows, subject.relative))
    promised = _pair(subject, lambda rows: subject.cells.rates(fitted, rows))
    clicks, sales, hoped = (subject.draws.lift(*pair, product) for pair in (subject.rates, bought, promised))
    return Measure(
        number=1,
        name="Gold lift",
        question="Does tuned copy win more clicks and purchases in a world that tuning never saw?",
        figures=(
            figure("clicks, gold world", clicks, unit="lift"),
            figure("purchases per impression, gold world", sales, unit="lift"),
            figure("clicks, fitted world", hoped, unit="lift"),
            *_means(subject, bought),
        ),
        gates=_gates(subject, clicks, sales),
        pictures=(_by_seed(subject, (("gold", subject.rates), ("fitted", promised))),),
    )


def _pair(subject: Subject, read: Callable[[Sequence[Sequence[str]]], Floats]) -> tuple[Floats, Floats]:
    """A quantity of shown copy, tuned and before, each of shape (seeds, n)."""
    return read(subject.ours.shown), read(subject.theirs.shown)


def _means(subject: Subject, bought: tuple[Floats, Floats]) -> tuple[Figure, ...]:
    """What the lifts are lifts of, and how much of the writer's own copy is shown at all."""
    clicked = [float(rate.mean()) for rate in subject.rates]
    each = [float(rate.mean()) / clicks for rate, clicks in zip(bought, clicked, strict=True)]
    refused = [float(drafts.refused.mean()) for drafts in (subject.ours, subject.theirs)]
    named = {
        "clicks per impression, gold world": clicked,
        "purchases per click, gold world": each,
        "first proposals that the editor refused": refused,
    }
    return tuple(plain(name, ours, before=theirs, unit="share") for name, (ours, theirs) in named.items())


def _gates(subject: Subject, clicks: Interval, sales: Interval) -> tuple[Gate, ...]:
    return (
        gate("clicks: lower end above 0", clicks.ci_low, low=0.0),
        gate("purchases: lower end above 0", sales.ci_low, low=0.0),
        gate(f"at least {SEEDS} tuning seeds", float(len(subject.tuned)), low=float(SEEDS)),
        gate(
            "lift not too good to be true",
            clicks.value,
            high=SUSPECT_LIFT,
            note="published lifts are 1-9%; above this it is more often a leak than good copy",
        ),
    )


def _by_seed(subject: Subject, worlds: Sequence[tuple[str, tuple[Floats, Floats]]]) -> Picture:
    curves = []
    for offset, (name, pair) in zip((-0.06, 0.06), worlds, strict=True):
        found = [
            subject.draws.lift(ours[None], theirs[None], subject.cells.product)
            for ours, theirs in zip(*pair, strict=True)
        ]
        curves.append(
            Curve(
                name=f"{name} world",
                x=tuple(1 + place + offset for place in range(len(found))),
                y=tuple(100 * one.value for one in found),
                low=tuple(100 * one.ci_low for one in found),
                high=tuple(100 * one.ci_high for one in found),
                points=True,
            )
        )
    return Picture(
        name="seeds",
        title="Clicks won by each tuning seed",
        x_label="tuning seed, in the order given",
        y_label="more clicks than before tuning (%)",
        caption="Each point is one tuning run with its 95% interval over products. Seeds that disagree are a lottery.",
        curves=tuple(curves),
    )
