"""From the section `tune` of a config to the settings of each way of tuning, all with one budget of reward calls."""

from __future__ import annotations

from typing import Any

from copybandit.agents.ppo import PPOSettings
from copybandit.agents.tune import Settings
from copybandit.agents.tune_settings import (
    BestOfNSettings,
    DPOSettings,
    GANTuneSettings,
    GRPOSettings,
)
from copybandit.evaluation.settings import TuneSettings

CHECKPOINTS = 8
"""Steps of a run among which the select split chooses."""
RATES = {"grpo": 1.0, "dpo": 0.5, "best-of-n": 1.0, "gan": 0.5}
"""Learning rate of each over that of PPO: set by hand, never searched, so a comparison is of these defaults."""

Caps = tuple[tuple[str, float], ...]
"""Most that the mean of each constraint cost may be, by name."""


def budget(options: TuneSettings) -> int:
    """Texts that one run may ask the reward about."""
    return options.episodes + options.reference_samples


def total_episodes(options: TuneSettings) -> int:
    """Texts that all runs of all seeds write, those before the first update not counted."""
    settings = tuner_settings(options)
    return settings.updates * settings.batch_size * options.restarts * len(options.seeds)


def tuner_settings(options: TuneSettings, caps: Caps = ()) -> Settings:
    """Settings of the algorithm that the options name.

    Those that need no reference samples write so many more episodes instead. Reference samples, updates and checkpoints
    follow from the options, and what they do not name is the algorithm's own default.

    Raises:
        DataError: settings that do not fit together.
    """
    if options.algorithm == "ppo":
        return _ppo(options, caps)
    rate = RATES[options.algorithm] * options.learning_rate
    if options.algorithm == "grpo":
        return _grpo(options, rate, caps)
    batch = options.batch_size
    updates = max(1, budget(options) // batch)
    shared: dict[str, Any] = {
        "episodes": updates * batch,
        "batch_size": batch,
        "learning_rate": rate,
        "checkpoint_every": _every(updates),
        "limits": caps,
    }
    if options.algorithm == "gan":
        return GANTuneSettings(**shared)
    shared |= {"group": options.group, "minibatches": 1, "epochs": options.ppo_epochs}
    if options.algorithm == "dpo":
        return DPOSettings(**shared, beta=options.kl_coef)
    return BestOfNSettings(**shared)


def _ppo(options: TuneSettings, caps: Caps) -> PPOSettings:
    updates = -(-options.episodes // options.batch_size)
    return PPOSettings(
        episodes=options.episodes,
        batch_size=options.batch_size,
        minibatches=options.minibatches,
        ppo_epochs=options.ppo_epochs,
        learning_rate=options.learning_rate,
        critic_learning_rate=options.critic_learning_rate,
        reference_samples=options.reference_samples,
        target_kl=options.kl_target,
        kl_coef=options.kl_coef,
        kl_anneal=options.kl_anneal,
        checkpoint_every=_every(updates),
        limits=caps,
    )


def _grpo(options: TuneSettings, rate: float, caps: Caps) -> GRPOSettings:
    updates = -(-options.episodes // options.batch_size)
    return GRPOSettings(
        episodes=options.episodes,
        batch_size=options.batch_size,
        group=options.group,
        minibatches=options.minibatches,
        epochs=options.ppo_epochs,
        learning_rate=rate,
        reference_samples=options.reference_samples,
        beta=options.kl_coef,
        kl_anneal=options.kl_anneal,
        target_kl=options.kl_target,
        checkpoint_every=_every(updates),
        limits=caps,
    )


def _every(updates: int) -> int:
    return max(1, updates // CHECKPOINTS)
