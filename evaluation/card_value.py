"""Measure 1: more clicks and purchases in the gold world than the writer before tuning?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from copybandit.evaluation.card import SEEDS, Curve, Measure, Picture, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.cells import Cells
from copybandit.evaluation.headline import SUSPECT_LIFT
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
    cells, draws, gold = subject.cells, subject.draws, subject.gold
    ours, theirs = (cells.rates(gold, drafts.shown) for drafts in (subject.ours, subject.theirs))
    clicks = draws.lift(ours, theirs, cells.product)
    bought, before = (
        purchases(gold, cells, drafts.shown, subject.relative) for drafts in (subject.ours, subject.theirs)
    )
    sales = draws.lift(bought, before, cells.product)
    fitted = subject.reward.world
    seen, unseen = (cells.rates(fitted, drafts.shown) for drafts in (subject.ours, subject.theirs))
    promised = draws.lift(seen, unseen, cells.product)
    seeds = len(subject.tuned)
    by_click, by_click_before = bought.mean() / ours.mean(), before.mean() / theirs.mean()
    return Measure(
        number=1,
        name="Gold lift",
        question="Does tuned copy win more clicks and purchases in a world that tuning never saw?",
        figures=(
            figure("clicks, gold world", clicks, unit="lift"),
            figure("purchases per impression, gold world", sales, unit="lift"),
            figure("clicks, fitted world", promised, unit="lift"),
            plain(
                "clicks per impression, gold world",
                float(ours.mean()),
                before=float(theirs.mean()),
                unit="share",
            ),
            plain(
                "purchases per click, gold world",
                float(by_click),
                before=float(by_click_before),
                unit="share",
            ),
            plain(
                "first proposals that the editor refused",
                float(subject.ours.refused.mean()),
                before=float(subject.theirs.refused.mean()),
                unit="share",
            ),
        ),
        gates=(
            gate("clicks: lower end above 0", clicks.ci_low, low=0.0),
            gate("purchases: lower end above 0", sales.ci_low, low=0.0),
            gate(f"at least {SEEDS} tuning seeds", float(seeds), low=float(SEEDS)),
            gate(
                "lift not too good to be true",
                clicks.value,
                high=SUSPECT_LIFT,
                note="published lifts are 1-9%; above this it is more often a leak than good copy",
            ),
        ),
        pictures=(_by_seed(subject, (("gold", ours, theirs), ("fitted", seen, unseen))),),
    )


def _by_seed(subject: Subject, worlds: Sequence[tuple[str, Floats, Floats]]) -> Picture:
    curves = []
    for offset, (name, ours, theirs) in zip((-0.06, 0.06), worlds, strict=True):
        found = [
            subject.draws.lift(a[None], b[None], subject.cells.product)
            for a, b in zip(ours, theirs, strict=True)
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
