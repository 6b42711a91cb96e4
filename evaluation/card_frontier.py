"""Measure 3: is one sample of the tuned writer at least as good as the best of four, and where on the frontier is it?"""

from __future__ import annotations

import numpy as np

from copybandit.evaluation.card import Curve, Figure, Measure, Picture, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject
from copybandit.evaluation.card_trail import Trails
from copybandit.evaluation.frontier import NAMED, Drawn, kl_of_best
from copybandit.sim.types import Floats, Ints

BAR = 4
"""The n that one sample has to be as good as; else the best of n is the better product."""


def frontier(subject: Subject, trails: Trails, drawn: Drawn) -> Measure:
    """The chosen writers against best of n of the writer before tuning: at n = 4, 16, 64, at equal KL, at equal calls."""
    rows, draws = trails.rows, subject.draws
    product = subject.cells.product[rows]
    ours = np.stack([steps[-1].gold for steps in trails.steps])
    kl = float(np.mean([steps[-1].kl for steps in trails.steps]))
    against = {n: draws.mean(ours - drawn.best(n)[1], product) for n in NAMED}
    equal = draws.mean(ours - drawn.at_kl(kl)[1], product)
    most = kl_of_best(max(NAMED))
    notes = []
    if kl > most:
        notes.append(
            f"At {kl:.2f} nats the writer is farther away than best of {max(NAMED)} can be ({most:.2f})."
        )
    calls, told = _calls(subject, drawn, ours, product)
    bar = against[BAR]
    return Measure(
        number=3,
        name="Frontier against best of n",
        question="Is one sample as good as the best of several of the writer before tuning, at what distance and price?",
        figures=(
            plain(
                "gold gain of one sample",
                float(ours.mean()),
                before=float(drawn.gold.mean()),
                unit="log-odds",
            ),
            *(figure(f"less best of {n}", against[n], unit="log-odds") for n in NAMED),
            figure("less best of n at equal KL", equal, unit="log-odds"),
            calls,
            plain("KL", kl, unit="nats"),
        ),
        gates=(
            gate(
                f"one sample at least as good as best of {BAR}",
                bar.value,
                low=0.0,
                note="" if bar.value >= 0 else f"serve best of {BAR} of the writer before tuning instead",
            ),
        ),
        pictures=(picture(subject, trails, drawn),),
        notes=(*notes, *told),
    )


def _calls(subject: Subject, drawn: Drawn, ours: Floats, product: Ints) -> tuple[Figure, tuple[str, ...]]:
    """The comparison at equal reward calls: those of tuning, spread over the cells of the split."""
    name = "less best of n at equal reward calls"
    if subject.calls is None:
        return plain(name, None, unit="log-odds"), ("How many reward calls tuning took is not known here.",)
    n = int(subject.calls // len(subject.cells))
    used = min(max(n, 1), drawn.score.shape[1])
    found = subject.draws.mean(ours - drawn.best(used)[1], product)
    told = (
        f"Tuning took {subject.calls:,.0f} reward calls per seed; for the {len(subject.cells):,} cells here they would buy "
        f"best of {n}{'' if used == n else f', of which best of {used} stands in'}. Served copy takes none."
    )
    return figure(name, found, unit="log-odds"), (told,)


def picture(subject: Subject, trails: Trails, drawn: Drawn) -> Picture:
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
