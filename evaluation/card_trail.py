"""Measure 2: does the gold world still agree? Reward and truth along the way of tuning, on the square root of the KL.

Gao et al. (arXiv 2210.10760): with d = sqrt(KL), what is optimised rises all along, the truth as d (a - b log d), and it
may fall again. Both are in standard deviations of the writer before tuning, so that their distance is what was learned of
the fitted world's faults.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.evaluation.card import Curve, Figure, Measure, Picture, gate
from copybandit.evaluation.card_figures import plain
from copybandit.evaluation.card_subject import Subject, gains, write_rows
from copybandit.generators.lm_card import CARD
from copybandit.generators.protocol import Generator
from copybandit.sim.types import Floats, Ints

_STEP = re.compile(r"update-(\d+)\Z")


def trail_of(checkpoint: Path) -> tuple[Path, ...]:
    """Writers that tuning saved on its way beside a checkpoint (folders `update-NNNN`), in order."""
    found = [
        folder.parent
        for folder in checkpoint.resolve().parent.rglob(CARD)
        if _STEP.search(folder.parent.name) and folder.parent != checkpoint.resolve()
    ]
    return tuple(sorted(found, key=lambda path: (path.parent.name, path.name)))


@dataclass(frozen=True, kw_only=True)
class Step:
    """A writer on its way, on the probed cells.

    Attributes:
        update: of tuning after which it was saved; None for the chosen writer and the one before tuning.
        kl: nats per text from the writer before tuning, estimated on its own texts.
        reward, gold: shape (n,), see `gains`.
    """

    update: int | None
    kl: float
    reward: Floats
    gold: Floats


@dataclass(frozen=True, kw_only=True)
class Trails:
    """The way of every seed.

    Attributes:
        rows: shape (n,), the probed cells.
        start: the writer before tuning.
        steps: of each seed, in order; the checkpoint itself last.
    """

    rows: Ints
    start: Step
    steps: tuple[tuple[Step, ...], ...]


def walk(subject: Subject) -> Trails:
    """Let every step of every seed write the probed cells."""
    from copybandit.generators.lm import CausalLM

    rows = subject.probe()
    start = measured(subject, subject.before, rows, None, subject.rng(2, 0, 0))
    trails = []
    for seed, (writer, folders) in enumerate(zip(subject.tuned, subject.trails, strict=True)):
        # The same random numbers for all: a step differs from the next by its weights alone.
        steps = [
            measured(subject, CausalLM.load(str(folder)), rows, update_of(folder), subject.rng(2, 1, seed))
            for folder in folders
        ]
        steps.append(measured(subject, writer, rows, None, subject.rng(2, 1, seed)))
        trails.append(tuple(steps))
    return Trails(rows=rows, start=start, steps=tuple(trails))


def update_of(folder: Path) -> int:
    """Number of the update that a folder of `trail_of` is named after."""
    found = _STEP.search(folder.name)
    assert found, folder
    return int(found[1])


def measured(
    subject: Subject, writer: Generator, rows: Ints, update: int | None, rng: np.random.Generator
) -> Step:
    """One step."""
    texts = write_rows(writer, subject.cells, rows, rng)
    briefs = [subject.cells.briefs[row] for row in rows.tolist()]
    ratio = writer.log_prob(briefs, texts) - subject.before.log_prob(briefs, texts)
    reward, gold = gains(subject.reward, subject.gold, rows, texts)
    # An empty proposal becomes the product's name, which need not be likely.
    kl = float(ratio[np.isfinite(ratio)].mean()) if np.isfinite(ratio).any() else 0.0
    return Step(update=update, kl=max(kl, 0.0), reward=reward, gold=gold)


def overoptimised(subject: Subject, trails: Trails) -> Measure:
    """The gap, and whether the truth is past its maximum at the chosen step."""
    product = subject.cells.product[trails.rows]
    chosen = [steps[-1] for steps in trails.steps]
    gap = [_in_sd(step.reward, trails.start.reward) - _in_sd(step.gold, trails.start.gold) for step in chosen]
    best = [max(steps, key=lambda step: float(step.gold.mean())) for steps in trails.steps]
    behind = subject.draws.mean(
        np.stack([a.gold - b.gold for a, b in zip(chosen, best, strict=True)]), product
    )
    known = any(len(steps) > 1 for steps in trails.steps)
    return Measure(
        number=2,
        name="Over-optimisation",
        question="Does what tuning works for still agree with the gold world where tuning stopped?",
        figures=(
            plain("reward over before tuning", _mean_in_sd(chosen, trails.start, "reward"), unit="sd"),
            plain("gold gain over before tuning", _mean_in_sd(chosen, trails.start, "gold"), unit="sd"),
            plain("gap between them", float(np.mean(gap)), unit="sd"),
            Figure(
                name="gold gain, chosen less best step",
                value=behind.value,
                ci_low=behind.ci_low,
                ci_high=behind.ci_high,
                unit="log-odds",
            ),
        ),
        gates=(
            gate(
                "gold not clearly past its maximum: upper end of chosen less best step not below 0",
                behind.ci_high if known else None,
                low=0.0,
                note="" if known else "no steps of tuning lie beside the checkpoints",
            ),
        ),
        pictures=(_picture(trails),),
    )


def _in_sd(values: Floats, start: Floats) -> float:
    return float((values.mean() - start.mean()) / max(float(start.std()), 1e-12))


def _mean_in_sd(steps: Sequence[Step], start: Step, name: str) -> float:
    return float(np.mean([_in_sd(getattr(step, name), getattr(start, name)) for step in steps]))


def _picture(trails: Trails) -> Picture:
    curves = []
    for name, label in (("reward", "reward (fitted)"), ("gold", "gold gain")):
        for seed, steps in enumerate(trails.steps, start=1):
            line = sorted(
                (step.kl, _in_sd(getattr(step, name), getattr(trails.start, name))) for step in steps
            )
            curves.append(
                Curve(
                    name=f"{label}, seed {seed}",
                    x=(0.0, *(float(np.sqrt(kl)) for kl, _ in line)),
                    y=(0.0, *(height for _, height in line)),
                )
            )
    return Picture(
        name="trail",
        title="Reward and truth on the way",
        x_label="square root of the KL to the writer before tuning (nats per text)",
        y_label="gain in sd of the writer before tuning",
        caption="Where the reward goes on rising and the gold gain does not, tuning learns the fitted world's faults.",
        curves=tuple(curves),
    )
