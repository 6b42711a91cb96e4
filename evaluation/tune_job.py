"""One algorithm on every tuning seed: the stage `tune` of `copybandit run`, and each stage of `copybandit tune`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.agents.tune import TuneUpdate
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.copy_costs import CopyCosts
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.settings import TuneSettings
from copybandit.evaluation.stage_tune import Chosen, Real, SelectRow, row_of, tune_seed
from copybandit.evaluation.storage import save_json
from copybandit.evaluation.tune_log import Nobody, Reporter, scalars
from copybandit.evaluation.tune_options import total_episodes
from copybandit.evaluation.tune_real import real_copy
from copybandit.generators.lm import CausalLM


@dataclass(frozen=True, kw_only=True)
class Told:
    """Whom tuning tells what.

    Attributes:
        progress: shows the live line.
        log: receives a plain row for each update.
        forget: asked to drop the rows of a seed's run from an update on: they are about to be told again.
        reporter: receives its numbers.
    """

    progress: Progress
    log: Callable[[Mapping[str, Any]], None]
    forget: Callable[[int, int, int], None]
    reporter: Reporter = field(default_factory=Nobody)


def told_to(folder: RunFolder[Any], stage: str, progress: Progress, reporter: Reporter) -> Told:
    """Tell a stage's rows to the metrics of a run folder."""

    def forget(seed: int, restart: int, update: int) -> None:
        def again(row: Mapping[str, Any]) -> bool:
            return bool(row["seed"] == seed and row["restart"] == restart and row["update"] >= update)

        folder.forget(stage, again)

    return Told(progress=progress, log=lambda row: folder.log(stage, row), forget=forget, reporter=reporter)


def with_costs(reward: CellReward, writer: CausalLM, settings: TuneSettings, seed: int) -> CellReward:
    """The same reward, telling the costs that the settings limit, against copy of the untuned writer."""
    rng = np.random.default_rng([seed, 12])
    costs = CopyCosts.of(writer, reward.cells.briefs, settings.limits, settings.reference_samples, rng)
    return CellReward(reward.world, reward.cells, reward.editor, costs)


def tune_algorithm(
    pipeline: Pipeline, options: TuneSettings, name: str, stage: Path, curves: Reporter
) -> None:
    """Tune the SFT writer of a pipeline on its shop.

    Args:
        pipeline: whose sft stage is done.
        options: algorithm, budget, seeds.
        name: of the stage.
        stage: its folder, see `tune_stage`.
        curves: receives the numbers; closed at the end, also of one that was interrupted.
    """
    seed, writer = pipeline.settings.seed, pipeline.untuned()
    pipeline.progress.stage(name, total=total_episodes(options))
    fit = with_costs(pipeline.reward("fit"), writer, options, seed)
    real = real_copy(pipeline.shop(), fit, options, seed)
    try:
        told = told_to(pipeline.folder, name, pipeline.progress, curves)
        tune_stage(writer, fit, pipeline.reward("select"), options, stage, told, real)
    finally:
        curves.close()


def tune_stage(
    writer: CausalLM,
    fit: CellReward,
    select: CellReward,
    settings: TuneSettings,
    stage: Path,
    told: Told,
    real: Real = (),
) -> dict[str, Any]:
    """Tune on every seed and save each chosen writer under `seed-SEED/writer`.

    Args:
        writer: the SFT writer; it stays as it is.
        fit: reward that is tuned on.
        select: reward that chooses.
        settings: algorithm, budget, seeds.
        stage: folder of the stage; receives `report.json`. What an interrupted attempt left in it is gone on with.
        told: whom to tell.
        real: copy that people wrote for cells of `fit`; only the GAN reads it.
    """
    resume = any(stage.iterdir())
    found: dict[int, Chosen] = {}
    for seed in settings.seeds:
        line = _Line(settings=settings, seed=seed, told=told)
        found[seed] = tune_seed(
            writer,
            fit,
            select,
            settings,
            seed,
            stage / f"seed-{seed}",
            line.updated,
            line.selected,
            real,
            resume,
        )
        line.skip(found[seed])
    report = report_of(list(found.values()))
    save_json(stage / "report.json", report)
    return report


def report_of(found: Sequence[Chosen]) -> dict[str, Any]:
    """What the stage's report.json holds."""
    return {
        "tuning": [row for one in found for row in one.updates],
        "select": [asdict(row) for one in found for row in one.select],
        "calls": sum(one.calls for one in found),
        "seconds": sum(one.seconds for one in found),
        "stopped": [reason for one in found for reason in one.stopped],
    }


@dataclass(kw_only=True)
class _Line:
    """Turns what one seed's runs tell into rows, numbers and the live line."""

    settings: TuneSettings
    seed: int
    told: Told

    def __post_init__(self) -> None:
        self._select: float | None = None
        self._seen = 0
        self._restart = -1

    def updated(self, restart: int, update: TuneUpdate) -> bool:
        """An update is done."""
        row = row_of(update) | {"seed": self.seed, "restart": restart}
        per_s = self.settings.batch_size / max(update.seconds, 1e-9)
        if restart != self._restart:
            self._restart = restart
            self.told.forget(self.seed, restart, update.update)
        self.told.log({**row, "seconds": update.seconds})
        self.told.reporter.record(
            self._run(restart), update.update, {**scalars(row), "episodes_per_s": per_s}
        )
        self.told.progress.advance(self.settings.batch_size)
        self._seen += 1
        self.told.progress.show(live_line(update, self._select, per_s))
        return True

    def selected(self, row: SelectRow) -> None:
        """The select split has spoken."""
        self._select = row.reward
        self.told.reporter.record(self._run(row.restart), row.update, {"select_reward": row.reward})

    def skip(self, found: Chosen) -> None:
        """Runs that had been done before count as done now."""
        self.told.progress.advance(self.settings.batch_size * (len(found.updates) - self._seen))

    def _run(self, restart: int) -> str:
        return f"{self.settings.algorithm}-seed-{self.seed}-run-{restart}"


def live_line(update: TuneUpdate, select: float | None, per_s: float) -> str:
    """What somebody who watches wants to know, in one line.

    >>> live_line(TuneUpdate(update=1, episodes=64, reward=.1, components=(), costs=(), kl=2, entropy=9, length=14,
    ...     ended=1, seconds=2), None, 32)
    'reward +0.100, KL 2.00, entropy 9.0, 14.0 tokens, 32/s'
    """
    chosen = [] if select is None else [f"select {select:+.3f}"]
    parts = [
        f"reward {update.reward:+.3f}",
        *chosen,
        f"KL {update.kl:.2f}",
        f"entropy {update.entropy:.1f}",
        f"{update.length:.1f} tokens",
        f"{per_s:.0f}/s",
    ]
    return ", ".join(parts)
