"""Measure 3: is one sample of the tuned writer at least as good as the best of four, and where on the frontier is it?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from copybandit.evaluation.card import Curve, Figure, Gate, Measure, Picture, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.card_trail import Trails
from copybandit.evaluation.frontier import NAMED, Drawn, kl_of_best
from copybandit.evaluation.intervals import Interval
from copybandit.sim.types import Floats

BAR = 4
"""The n that one sample has to be as good as; else the best of n is the better product."""


def frontier(subject: Subject, trails: Trails, drawn: Drawn) -> Measure:
    """The chosen writers against best of n of the writer before tuning: at n = 4, 16, 64, at equal KL, at equal calls."""
    ours = np.stack([steps[-1].gold for steps in trails.steps])
    product = subject.cells.product[trails.rows]

    def less(best: Floats) -> Interval:
        return subject.draws.mean(ours - best, product)

    against = {n: less(drawn.best(n)[1]) for n in NAMED}
    kl = float(np.mean([steps[-1].kl for steps in trails.steps]))
    equal, calls = _equal_kl(drawn, kl, less), _equal_calls(subject, drawn, less)
    start = float(drawn.gold.mean())
    return Measure(
        number=3,
        name="Frontier against best of n",
        question="Is one sample as good as the best of several of the writer before tuning, at what distance and price?",
        figures=(
            plain("gold gain of one sample", float(ours.mean()), before=start, unit="log-odds"),
            *(figure(f"less best of {n}", found, unit="log-odds") for n, found in against.items()),
            equal[0],
            calls[0],
            plain("KL", kl, unit="nats"),
        ),
        gates=(_bar(against[BAR]),),
        pictures=(picture(trails, drawn),),
        notes=tuple(told for _, told in (equal, calls) if told),
    )


def _bar(found: Interval) -> Gate:
    """One sample against best of `BAR`: the value decides, not its interval."""
    instead = f"serve best of {BAR} of the writer before tuning instead"
    note = "" if found.value >= 0 else instead
    return gate(f"one sample at least as good as best of {BAR}, on average", found.value, low=0.0, note=note)


def _equal_kl(drawn: Drawn, kl: float, less: Callable[[Floats], Interval]) -> tuple[Figure, str]:
    """The comparison at equal KL, and why there is none."""
    name, most = "less best of n at equal KL", kl_of_best(drawn.score.shape[1])
    if kl <= most:
        return figure(name, less(drawn.at_kl(kl)[1]), unit="log-odds"), ""
    told = f"At {kl:.2f} nats the writer is farther away than best of {drawn.score.shape[1]} can be ({most:.2f})."
    return plain(name, None, unit="log-odds"), told


def _equal_calls(subject: Subject, drawn: Drawn, less: Callable[[Floats], Interval]) -> tuple[Figure, str]:
    """The comparison at equal reward calls, those of tuning spread over the cells of the split, and what to know of it."""
    name, most = "less best of n at equal reward calls", drawn.score.shape[1]
    if subject.calls is None:
        return plain(name, None, unit="log-odds"), "How many reward calls tuning took is not known here."
    n = max(1, int(subject.calls // len(subject.cells)))
    told = (
        f"Tuning and the choice of its step took {subject.calls:,.0f} reward calls per seed; for the {len(subject.cells):,} "
        f"cells here they buy best of {n}. Served copy takes none."
    )
    if n > most:
        return plain(
            name, None, unit="log-odds"
        ), f"{told} That is more than the {most} texts drawn for each."
    return figure(name, less(drawn.best(n)[1]), unit="log-odds"), told


def picture(trails: Trails, drawn: Drawn) -> Picture:
    """Gold and fitted gain over KL: the curve of best of n, and every step of tuning."""
    sizes = drawn.sizes
    kl = tuple(kl_of_best(n) for n in sizes)
    best = [drawn.best(n) for n in sizes]
    steps = [step for trail in trails.steps for step in trail[:-1]]
    chosen = [trail[-1] for trail in trails.steps]
    curves = []
    for hue, (world, label) in enumerate((("gold", "gold"), ("reward", "fitted reward"))):
        height = tuple(float(both[world == "gold"].mean()) for both in best)
        curves.append(Curve(name=f"best of n, {label}", x=kl, y=height, hue=hue))
        for name, group in (("tuned", chosen), ("on the way", steps)):
            height = tuple(float(getattr(step, world).mean()) for step in group)
            at = tuple(step.kl for step in group)
            if group:
                curves.append(Curve(name=f"{name}, {label}", x=at, y=height, points=True, hue=hue))
    return Picture(
        name="frontier",
        title="What a nat buys",
        x_label="KL to the writer before tuning (nats per text)",
        y_label="gain over reference copy (log-odds)",
        caption="Best of n runs from n = 1 to 64. Above its gold curve, tuning does more with the same distance.",
        curves=tuple(curves),
    )
