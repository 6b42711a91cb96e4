"""Tune the writer on the fitted world, one seed; the select split picks the run and its step."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from copybandit.agents.tune import Task, Tuned, TuneUpdate, tune
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.select_step import Selection, SelectRow, best_step
from copybandit.evaluation.settings import TuneSettings
from copybandit.evaluation.storage import load_json, save_json
from copybandit.evaluation.tune_options import CHECKPOINTS, tuner_settings
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import Ints

if TYPE_CHECKING:
    from copybandit.agents.reward_seam import RewardFn

__all__ = ["CHECKPOINTS", "Chosen", "SelectRow", "tune_seed"]

RESTART_STRIDE = 10_000
"""Between the seeds of the runs that stand behind one tuning seed."""
Real = Sequence[tuple[int, str]]
"""Approved copy that people wrote: index of a cell, and a text."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What the runs of one seed came to.

    Attributes:
        select: select-split reward of every step there was to choose from, the untuned writer first.
        updates: a plain row for each update of each run, in order.
        calls: texts that the fitted reward was asked about while tuning.
        seconds: that the updates took.
        stopped: why runs ended early, for those that did.
    """

    select: tuple[SelectRow, ...]
    updates: tuple[Mapping[str, Any], ...]
    calls: int
    seconds: float
    stopped: tuple[str, ...]

    @property
    def best(self) -> SelectRow:
        """The step that was kept."""
        return best_step(self.select[1:])


def tune_seed(
    writer: CausalLM,
    fit: CellReward,
    select: CellReward,
    settings: TuneSettings,
    seed: int,
    out: Path,
    on_update: Callable[[int, TuneUpdate], bool],
    on_select: Callable[[SelectRow], None] | None = None,
    real: Real = (),
    resume: bool = False,
) -> Chosen:
    """Tune one seed, by as many runs as there are restarts, and save the step that the select split likes best.

    Args:
        writer: the SFT writer; it stays as it is.
        fit: the fitted world's reward in the cells that tuning sees.
        select: the same in the cells that choose the run and the step.
        settings: of the run.
        seed: of this tuning; the runs' own seeds follow from it.
        out: receives the chosen writer under `writer`, and each run's under `ALGORITHM-RESTART`.
        on_update: told the restart and every update of it; False stops.
        on_select: told what the select split says of a step, as soon as it is known.
        real: copy that people wrote for cells of `fit`; only the GAN reads it.
        resume: use the runs that are done in `out`, and go on inside the one that was interrupted where it can; the states
            that this needs are there until the writer is chosen.
    """
    tell = on_select or _ignore
    judge = Selection(untuned=writer, reward=select, costs=fit.costs, max_kl=settings.kl_target, seed=seed)
    start = judge(writer, 0, 0)
    tell(start)
    rows, done = [start], []
    for restart in range(settings.restarts):
        run = _Run(settings=settings, judge=judge, seed=seed, restart=restart, out=out, tell=tell)
        if not (resume and run.marker.is_file()):
            run.tune(writer, fit, real, partial(on_update, restart), resume)
        record = load_json(run.marker)
        done.append(record)
        rows += [SelectRow.read(row) for row in record["select"]]
    chosen = Chosen(
        select=tuple(rows),
        updates=tuple(row for record in done for row in record["updates"]),
        calls=sum(record["calls"] for record in done),
        seconds=sum(record["seconds"] for record in done),
        stopped=tuple(record["stopped"] for record in done if record["stopped"]),
    )
    shutil.rmtree(out / "writer", ignore_errors=True)
    best = chosen.best
    shutil.copytree(out / f"{settings.algorithm}-{best.restart}" / _step(best.update), out / "writer")
    _clear(out)
    return chosen


def _clear(out: Path) -> None:
    """Drop the states of the runs: their writer is chosen, so nothing goes on from them."""
    from copybandit.agents.ppo_state import remove_states

    for run in filter(Path.is_dir, out.iterdir()):
        remove_states(run)


@dataclass(kw_only=True)
class _Run:
    """One run of a tuner and the steps that it leaves to choose from."""

    settings: TuneSettings
    judge: Selection
    seed: int
    restart: int
    out: Path
    tell: Callable[[SelectRow], None]

    def __post_init__(self) -> None:
        self.rows: dict[int, SelectRow] = {}

    @property
    def folder(self) -> Path:
        """Where its writers lie."""
        return self.out / f"{self.settings.algorithm}-{self.restart}"

    @property
    def marker(self) -> Path:
        """Its record, written when it is done."""
        return self.out / f"run-{self.restart}.json"

    def tune(
        self,
        writer: CausalLM,
        fit: CellReward,
        real: Real,
        on_update: Callable[[TuneUpdate], bool],
        resume: bool,
    ) -> None:
        """Run it, and keep its record."""
        task = distinct_task(fit, real)
        settings = tuner_settings(self.settings, fit.caps)

        def told(update: TuneUpdate) -> bool:
            if (self.folder / _step(update.update)).is_dir() and update.update < settings.updates:
                self._judge(update.update)
            return on_update(update)

        seed = self.seed + RESTART_STRIDE * self.restart
        found = tune(writer, task, settings, seed, self.folder, told, resume=resume)
        last = found.updates[-1].update
        if not (self.folder / _step(last)).is_dir():
            found.writer.save(self.folder / _step(last))
        for step in [*(step for step, _ in found.checkpoints), last]:
            if step not in self.rows:
                self._judge(step)
        self._keep(found)

    def _judge(self, step: int) -> None:
        """Ask the select split about the writer that was saved at a step."""
        from copybandit.agents.trl_guard import isolated_randomness

        with isolated_randomness(0):  # a tuner that is under way must not feel it
            candidate = CausalLM.load(str(self.folder / _step(step)))
            self.rows[step] = self.judge(candidate, self.restart, step)
        self.tell(self.rows[step])

    def _keep(self, found: Tuned) -> None:
        updates = [row_of(update) | {"seed": self.seed, "restart": self.restart} for update in found.updates]
        record = {
            "select": [asdict(self.rows[step]) for step in sorted(self.rows)],
            "updates": updates,
            "calls": found.calls,
            "seconds": sum(update.seconds for update in found.updates),
            "stopped": found.stopped,
        }
        save_json(self.marker, record)


def row_of(update: TuneUpdate) -> dict[str, Any]:
    """An update as a flat row; how long it took is left out, so that equal runs have equal rows."""
    row = asdict(update) | {"components": dict(update.components)} | dict(update.more)
    del row["more"], row["seconds"]
    row["costs"] = dict(update.costs)
    return row if update.costs else {name: value for name, value in row.items() if name != "costs"}


def _step(update: int) -> str:
    return f"update-{update:04d}"


def _ignore(row: SelectRow) -> None:
    """Tell nobody."""


def distinct_task(fit: CellReward, real: Real = ()) -> Task:
    """The first cell of each prompt, and the reward of those: cells of one prompt would be told apart by nothing."""
    prompts = [field_prompt(brief) for brief in fit.cells.briefs]
    _, first, place = np.unique(prompts, return_index=True, return_inverse=True)
    order = np.argsort(first)  # prompts in the order of their cells
    rows: Ints = first[order]
    index_of = np.argsort(order)[place]  # of each cell, its prompt's place
    reward: RewardFn = lambda index, texts: fit(rows[index], texts)  # noqa: E731
    return Task(
        prompts=[prompts[row] for row in rows],
        reward=reward,
        real=[(int(index_of[cell]), text) for cell, text in real],
    )
