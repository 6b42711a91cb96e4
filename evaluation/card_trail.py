"""Measure 2: does the gold world still agree? Reward and truth along the way of tuning, on the square root of the KL.

Gao et al. (arXiv 2210.10760): with d = sqrt(KL), what is optimised rises all along, the truth as d (a - b log d), and it
may fall again. Both are in standard deviations of the writer before tuning, so that their distance is what was learned of
the fitted world's faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.evaluation.card import Curve, Measure, Picture, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject, gains, write_rows
from copybandit.evaluation.intervals import Interval
from copybandit.generators.lm_card import CARD
from copybandit.generators.protocol import Generator
from copybandit.sim.types import Floats, Ints

GATE = "gold not clearly past its maximum: upper end of chosen less best step not below 0"
NOTE = (
    "The best step is the one of the highest gold gain on the very cells that compare them, so chance alone puts the "
    "chosen one a little behind: the gate errs towards failing."
)
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
        kl: nats per text from the writer before tuning, estimated on its own texts; by chance a little below 0.
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
    return Step(update=update, kl=float(ratio.mean()), reward=reward, gold=gold)


def overoptimised(subject: Subject, trails: Trails) -> Measure:
    """The gap, and whether the truth is past its maximum at the chosen step."""
    chosen = [steps[-1] for steps in trails.steps]
    reward, gold = (
        [_in_sd(getattr(step, name), getattr(trails.start, name)) for step in chosen]
        for name in ("reward", "gold")
    )
    behind, known = _behind(subject, trails)
    return Measure(
        number=2,
        name="Over-optimisation",
        question="Does what tuning works for still agree with the gold world where tuning stopped?",
        figures=(
            plain("reward over before tuning", float(np.mean(reward)), unit="sd"),
            plain("gold gain over before tuning", float(np.mean(gold)), unit="sd"),
            plain("gap between them", float(np.mean(reward) - np.mean(gold)), unit="sd"),
            figure(
                f"gold gain, chosen less best step ({known} of {len(trails.steps)} seeds)",
                behind,
                unit="log-odds",
            ),
        ),
        gates=(gate(GATE, behind.ci_high, low=0.0, unknown="no steps of tuning lie beside the checkpoints"),),
        pictures=(_picture(trails),),
        notes=(NOTE,),
    )


def _behind(subject: Subject, trails: Trails) -> tuple[Interval, int]:
    """Gold gain of the chosen step less that of the best one, of the seeds whose steps are there, and how many these are."""
    known = [steps for steps in trails.steps if len(steps) > 1]
    if not known:
        return Interval(value=np.nan, ci_low=np.nan, ci_high=np.nan), 0
    best = [max(steps, key=lambda step: float(step.gold.mean())) for steps in known]
    behind = np.stack([steps[-1].gold - one.gold for steps, one in zip(known, best, strict=True)])
    return subject.draws.mean(behind, subject.cells.product[trails.rows]), len(known)


def _in_sd(values: Floats, start: Floats) -> float:
    return float((values.mean() - start.mean()) / max(float(start.std()), 1e-12))


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
                    x=(0.0, *(float(np.sqrt(max(kl, 0.0))) for kl, _ in line)),
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
