"""The bench of the controls: a shop, how its writer is tuned on any reward, and how what it then writes is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from copybandit.agents.ppo import PPOSettings
from copybandit.agents.reward_seam import RewardFn
from copybandit.evaluation.card_controls import canary, component, tune_on
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_subject import Drafts, write_drafts
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.pipeline import Pipeline
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Ints
from copybandit.sim.world import World

if TYPE_CHECKING:
    from copybandit.evaluation.settings import TuneSettings


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a writer that was tuned on a reward writes for the cells that are read.

    Attributes:
        ours, theirs: its copy, and that of the writer before tuning by the same random numbers, a row per seed.
        kl: nats per text that tuning moved it.
    """

    ours: Drafts
    theirs: Drafts
    kl: float


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A shop, and how its writer is tuned and read.

    Attributes:
        writer: before tuning.
        fit, read: reward in the cells that tuning sees, and in those that are read.
        gold: the truth.
        references: reference copy of each product.
        settings: of every tuning run.
        seeds: of tuning.
        scratch: folder for what tuning leaves.
        tell: told what is under way.
        draws: of the intervals.
    """

    writer: CausalLM
    fit: CellReward
    read: CellReward
    gold: World
    references: tuple[str, ...]
    settings: PPOSettings
    seeds: tuple[int, ...]
    scratch: Path
    tell: Callable[[str], None]
    draws: Draws = field(default_factory=lambda: Draws(replicates=4000))

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        episodes: int,
        seeds: Sequence[int],
        scratch: Path,
        tell: Callable[[str], None],
    ) -> Bench:
        """The bench of a fitted shop: tuned on its fit cells, read on its select cells."""
        return cls(
            writer=CausalLM.load(str(pipeline.folder.output("sft") / "writer")),
            fit=pipeline.reward("fit"),
            read=pipeline.reward("select"),
            gold=pipeline.gold(),
            references=pipeline.shop().references,
            settings=ppo_settings(pipeline.settings.tune, episodes),
            seeds=tuple(seeds),
            scratch=scratch,
            tell=tell,
        )

    @property
    def product(self) -> Ints:
        """Product of each cell that is read."""
        return self.read.cells.product

    def tuned(self, name: str, score: Callable[[int], RewardFn]) -> Written:
        """Tune on a score, one run per seed, and let all write."""
        self.tell(f"{name}: tuning {len(self.seeds)} seeds")
        writers = [
            tune_on(self.writer, self.fit, score(seed), self.settings, seed, self.scratch / name / str(seed))
            for seed in self.seeds
        ]
        cells, editor = self.read.cells, self.read.editor
        ours, theirs = (
            write_drafts(group, cells, self.references, editor, 0, 0)
            for group in (writers, [self.writer] * len(writers))
        )
        ratios = [
            float((w.log_prob(cells.briefs, row) - self.writer.log_prob(cells.briefs, row)).mean())
            for w, row in zip(writers, ours.first, strict=True)
        ]
        return Written(ours=ours, theirs=theirs, kl=float(np.mean(ratios)))

    def lift(self, found: Written) -> Interval:
        """Relative lift of gold clicks of shown copy."""
        ours, theirs = (self.read.cells.rates(self.gold, each.shown) for each in (found.ours, found.theirs))
        return self.draws.lift(ours, theirs, self.product)

    def moved(self, found: Written, part: str) -> Interval:
        """Change of a component of first proposals, in log-odds."""
        ours, theirs = (component(self.read, each.first, part) for each in (found.ours, found.theirs))
        return self.draws.mean(ours - theirs, self.product)

    def sung(self, found: Written) -> Interval:
        """Change of the canary in first proposals, as a share of its loudest."""
        ours, theirs = (np.stack(list(map(canary, each.first))) for each in (found.ours, found.theirs))
        return self.draws.mean(ours - theirs, self.product)


def ppo_settings(tune: TuneSettings, episodes: int) -> PPOSettings:
    """PPO as a run's config has it, with a budget of its own."""
    return PPOSettings(
        episodes=episodes,
        batch_size=tune.batch_size,
        minibatches=tune.minibatches,
        ppo_epochs=tune.ppo_epochs,
        learning_rate=tune.learning_rate,
        critic_learning_rate=tune.critic_learning_rate,
        reference_samples=min(tune.reference_samples, episodes),
        target_kl=tune.kl_target,
        kl_coef=tune.kl_coef,
        kl_anneal=tune.kl_anneal,
    )
