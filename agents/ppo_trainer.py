"""One run of PPO from a writer to a tuned one: what it is made of, and TRL's options for it.

Habits of TRL 1.12 behind these choices: `max_grad_norm` is never used; `num_mini_batches` is inert unless
gradient accumulation is 1; without `stop_token` every answer runs to full length; a batch of equal rewards is whitened into
noise; one learning rate serves policy and critic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.agents.critic import Critic, warm_up
from copybandit.agents.policy_module import PolicyModule, PromptWidth, Untuned
from copybandit.agents.ppo import PPOSettings, TuneResult
from copybandit.agents.ppo_parts import (
    Parts,
    ReferenceSample,
    make_optimizer,
    reference_sample,
    with_adapter,
)
from copybandit.agents.ppo_processes import processes, rows_of
from copybandit.agents.ppo_quiet import QuietPPOTrainer, Reporting
from copybandit.agents.ppo_state import Progress, StateFolder, identity, restore
from copybandit.agents.readers import check_precision
from copybandit.agents.reward_seam import ProgrammaticReward, PromptIndex, RewardFn
from copybandit.agents.trl_guard import (
    cheap_collection,
    importing_trl,
    isolated_randomness,
    kept_memory,
    own_precision,
    quiet_arguments,
)
from copybandit.generators.lm import CausalLM

with importing_trl():
    from trl.experimental.ppo import PPOConfig


def _args(settings: PPOSettings, writer: CausalLM, seed: int, out_dir: Path) -> PPOConfig:
    with quiet_arguments():
        return PPOConfig(
            output_dir=str(out_dir),
            total_episodes=settings.episodes,
            per_device_train_batch_size=settings.batch_size // processes()[1],
            gradient_accumulation_steps=1,
            num_mini_batches=settings.minibatches,
            num_ppo_epochs=settings.ppo_epochs,
            local_rollout_forward_batch_size=settings.batch_size,
            response_length=writer.max_new_tokens,
            temperature=writer.temperature,
            stop_token="eos",
            missing_eos_penalty=None,  # the reward seam takes it, in units of the standardised reward
            kl_coef=settings.price().at(1),
            lam=settings.gae_lambda,
            num_sample_generations=0,
            learning_rate=settings.learning_rate,
            bf16=False,
            use_cpu=writer.device.type == "cpu",
            seed=seed,
            save_strategy="no",
            eval_strategy="no",
            disable_tqdm=True,
            report_to=["tensorboard"] if settings.tensorboard else [],
            **settings.trl,
        )


def _assemble(
    writer: CausalLM,
    index: PromptIndex,
    reward: RewardFn,
    begun: Progress,
    settings: PPOSettings,
    seed: int,
) -> Parts:
    """Copy the writer, to tune, and again as the reference where no adapter can be switched off; build all around them."""
    tuned = writer.clone("ppo")
    tuned.model.requires_grad_(True)
    adapter = with_adapter(tuned.model, settings.lora_rank)
    options: dict[str, Any] = {
        "pad_id": writer.pad_id,
        "eos_id": writer.eos_id,
        "seed": seed,
        "width": PromptWidth(),
        "temperature": writer.temperature,
        "precision": settings.precision,
    }
    policy = PolicyModule(tuned.model, adapter=adapter, keep=settings.minibatches == 1, **options)
    frozen = tuned.model if adapter is not None else writer.clone("reference").model.requires_grad_(False)
    reference = Untuned(policy) if adapter is not None else PolicyModule(frozen, **options)
    critic = Critic(frozen.get_input_embeddings().weight, settings.critic_hidden).to(writer.device)
    scored = ProgrammaticReward(reward, index, writer.decode, writer.eos_id, begun.scale, begun.constraints)
    return Parts(
        settings=settings,
        tuned=tuned,
        adapter=adapter,
        policy=policy,
        reference=reference,
        critic=critic,
        reward=scored,
        scale=begun.scale,
        optimizer=make_optimizer(policy, critic, scored, settings),
    )


def _warm_up(
    parts: Parts, prompt_ids: list[list[int]], sample: ReferenceSample, rng: np.random.Generator
) -> None:
    """Let the critic learn from the untuned writer's answers before the first update."""
    warm_up(
        parts.critic,
        [prompt_ids[cell] for cell in sample.prompt],
        parts.tuned.response_ids(sample.texts),
        sample.scores,
        epochs=parts.settings.critic_epochs if sample.texts else 0,
        learning_rate=parts.settings.critic_learning_rate,
        pad_id=parts.tuned.pad_id,
        rng=rng,
    )


def _not_begun(sample: ReferenceSample, settings: PPOSettings) -> Progress:
    return Progress(
        updates=(),
        checkpoints=(),
        price=settings.price(),
        scale=sample.scale,
        constraints=sample.constraints,
    )


def run_ppo(
    writer: CausalLM,
    prompts: Sequence[str],
    reward: RewardFn,
    settings: PPOSettings,
    seed: int,
    report: Reporting,
    *,
    resume: bool,
) -> TuneResult:
    """Run TRL's loop; `copybandit.agents.ppo.tune_ppo` says what each argument means."""
    check_precision(settings.precision, writer)
    prompt_ids = writer.prompt_ids(prompts)
    index = PromptIndex(prompt_ids)
    rows_of(
        settings.batch_size, settings.minibatches
    )  # refuses what cannot be split, before anything is written
    states = StateFolder(report.out_dir, lambda: identity(writer, prompts, settings, seed))
    saved = states.load() if resume else None
    rng = np.random.default_rng(seed)
    if saved is None:
        sample = reference_sample(writer, prompts, reward, settings, rng)
        begun = _not_begun(sample, settings)
    else:
        begun, tensors = saved
    with isolated_randomness(seed), cheap_collection(), kept_memory(), own_precision():
        parts = _assemble(writer, index, reward, begun, settings, int(rng.integers(2**62)))
        args = _args(settings, writer, seed, report.out_dir)
        args.kl_coef = begun.price.at(len(begun.updates) + 1)
        if saved is None:
            _warm_up(parts, prompt_ids, sample, rng)
        trainer = QuietPPOTrainer(parts, report, prompt_ids, args, states, begun)
        if saved is not None:
            restore(tensors, parts.policy, parts.critic, parts.optimizer, parts.policy.generator)
            for update in begun.updates:
                report.on_update(update)
        trainer.tune()
        return trainer.result()
