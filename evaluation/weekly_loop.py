"""The weekly loop: copy goes on show, the week's log refits the world, the writer is tuned on it for the week to come.

    week k: truth_k drifts from truth_(k-1)  ->  writers write  ->  a policy shows, the log comes in  ->  refit  ->  tune

Two writers run side by side, tuned alike before the first week: one is tuned again each week on the refitted world, always
from the SFT writer, so that changes do not add up to strange copy; the frozen one never again. Both write for judge products
and segments, whose copy is never on show; the truth of the week says what it is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from copybandit.agents.tune import tune
from copybandit.evaluation.approve import SLOTS, approve
from copybandit.evaluation.cells import CellReward, Cells, write_cells
from copybandit.evaluation.feedback_refit import FeedbackFit, refit_rounds
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import ShopData
from copybandit.evaluation.stage_bandit import assortment, play_season, season_policy
from copybandit.evaluation.stage_fit import FittedShop
from copybandit.evaluation.stage_tune import distinct_task
from copybandit.evaluation.tune_job import with_costs
from copybandit.evaluation.tune_options import ppo_settings
from copybandit.generators.editor import Editor
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.generators.template import REFERENCE
from copybandit.sim.oracle import Sample
from copybandit.sim.refit import RefitSettings
from copybandit.sim.synthetic import Rounds
from copybandit.sim.truth_drift import drifted
from copybandit.sim.types import Floats
from copybandit.sim.world import World

SHIFT = 1_000
"""Between the seeds of the weeks of one path."""
LEAST_MATCH_SD = 0.05
"""Prior standard deviation of b_match in the refit where the truth's stands still: what was believed may be wrong."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the weeks are played with.

    Attributes:
        settings: of the run.
        shop: data.
        fitted: what is believed at first.
        gold: the truth at first.
        sft: the writer before any tuning.
        show: cells that copy is put on show and tuned for.
        judge: cells that writers are judged on.
        editor: reads all copy.
    """

    settings: RunSettings
    shop: ShopData
    fitted: FittedShop
    gold: World
    sft: CausalLM
    show: Cells
    judge: Cells
    editor: Editor


@dataclass(frozen=True, kw_only=True)
class Week:
    """One week of one path.

    Attributes:
        week: 1 is the first.
        sft, frozen, tuned: true click rate of each writer's copy in every judge cell, shape (n,).
        agreement, agreement_frozen: correlation over earlier copy, within products, of the true wording with what is
            believed this week, and with what was believed at first.
        refit: what this week's log said.
    """

    week: int
    sft: Floats
    frozen: Floats
    tuned: Floats
    agreement: float
    agreement_frozen: float
    refit: FeedbackFit


def play_weeks(scene: Scene, seed: int, scratch: Path, on_week: Callable[[Week], None]) -> list[Week]:
    """Play one path of the truth.

    Args:
        scene: what it is played with.
        seed: of drift, shoppers, writing and tuning.
        scratch: folder for the tuner.
        on_week: told each week when it is over.
    """
    options, rng = scene.settings.weekly, np.random.default_rng([seed, 30])
    truth, believed = scene.gold, scene.fitted
    frozen = tuned = _tune(scene, believed.world, seed, scratch / "week-0")
    weeks = []
    for week in range(1, options.weeks + 1):
        truth = drifted(truth, options.rho, options.match_sd, rng)
        rates = [_rates(scene, truth, writer, [seed, week, 31]) for writer in (scene.sft, frozen, tuned)]
        log = _show(scene, truth, believed.world, tuned, seed + SHIFT * week)
        found = refit_rounds(believed, log, _refit_settings(scene.settings), rng)
        weeks.append(
            Week(
                week=week,
                sft=rates[0],
                frozen=rates[1],
                tuned=rates[2],
                agreement=agreement(believed.world, truth, scene.shop.sample),
                agreement_frozen=agreement(scene.fitted.world, truth, scene.shop.sample),
                refit=found,
            )
        )
        on_week(weeks[-1])
        believed = found.shop
        if week < options.weeks:
            tuned = _tune(scene, believed.world, seed + SHIFT * week, scratch / f"week-{week}")
    return weeks


def _refit_settings(settings: RunSettings) -> RefitSettings:
    weekly = settings.weekly
    return RefitSettings(
        discount=weekly.discount, max_weight=weekly.max_weight, match_sd=max(weekly.match_sd, LEAST_MATCH_SD)
    )


def _rates(scene: Scene, truth: World, writer: CausalLM, seed: list[int]) -> Floats:
    """True click rate of a writer's copy in every judge cell, shape (n,)."""
    rng = np.random.default_rng(seed)
    written = write_cells(writer, scene.judge, scene.shop.references, scene.editor, rng)
    return scene.judge.ctr(truth, written.texts)


def _show(scene: Scene, truth: World, believed: World, tuned: CausalLM, seed: int) -> Rounds:
    """A week on show: template, SFT and tuned copy under the run's policy; its log."""
    rng = np.random.default_rng([seed, 32])
    writers: dict[str, Generator] = dict(
        zip((name for name, _ in SLOTS), (REFERENCE, scene.sft, tuned), strict=True)
    )
    texts = {
        name: [write_cells(writer, scene.show, scene.shop.references, scene.editor, rng).texts]
        for name, writer in writers.items()
    }
    bandit = msgspec.structs.replace(scene.settings.bandit, n_impressions=scene.settings.weekly.n_impressions)
    approved = approve(scene.show, texts, believed, scene.editor, bandit)
    goods = assortment(approved, truth, believed)
    policy = season_policy(bandit.policy, goods, believed, scene.shop.products, bandit)
    done = play_season(policy, goods, truth, believed, scene.shop.products, bandit, seed)
    return Rounds(feedback=done.log, texts=approved.texts, product=approved.product)


def _tune(scene: Scene, world: World, seed: int, scratch: Path) -> CausalLM:
    """The SFT writer after a short run of PPO on a world, within the limits of the run; its last step is taken."""
    run = scene.settings
    options = msgspec.structs.replace(run.tune, episodes=run.weekly.episodes)
    reward = with_costs(CellReward(world, scene.show, scene.editor), scene.sft, options, run.seed)
    settings = replace(ppo_settings(options, reward.caps), checkpoint_every=None)
    return tune(scene.sft, distinct_task(reward), settings, seed, scratch).writer


def agreement(world: World, truth: World, sample: Sample) -> float:
    """Correlation of two worlds' wording of earlier copy, within products."""
    scores = [one.encode(sample.texts, sample.product).wording.mean(axis=0) for one in (world, truth)]
    count = np.bincount(sample.product)
    within = [
        score - (np.bincount(sample.product, score) / np.maximum(count, 1))[sample.product]
        for score in scores
    ]
    return float(np.corrcoef(*within)[0, 1])
