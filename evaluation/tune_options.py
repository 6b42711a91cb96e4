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
        return ppo_settings(options, caps)
    rate = RATES[options.algorithm] * options.learning_rate
    if options.algorithm == "grpo":
        return GRPOSettings(
            **_priced(options, caps),
            group=options.group,
            epochs=options.ppo_epochs,
            learning_rate=rate,
            beta=options.kl_coef,
        )
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


def ppo_settings(options: TuneSettings, caps: Caps = ()) -> PPOSettings:
    """PPO's settings, whatever algorithm the options name."""
    return PPOSettings(
        **_priced(options, caps),
        ppo_epochs=options.ppo_epochs,
        learning_rate=options.learning_rate,
        critic_learning_rate=options.critic_learning_rate,
        kl_coef=options.kl_coef,
    )


def _priced(options: TuneSettings, caps: Caps) -> dict[str, Any]:
    """What PPO and GRPO share: the budget, and a price of KL that is annealed and steered."""
    return {
        "episodes": options.episodes,
        "batch_size": options.batch_size,
        "minibatches": options.minibatches,
        "reference_samples": options.reference_samples,
        "target_kl": options.kl_target,
        "kl_anneal": options.kl_anneal,
        "checkpoint_every": _every(-(-options.episodes // options.batch_size)),
        "limits": caps,
    }


def _every(updates: int) -> int:
    return max(1, updates // CHECKPOINTS)
