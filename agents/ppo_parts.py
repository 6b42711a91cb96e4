"""What a PPO run is made of besides TRL's loop: optimizer, reward scale, KL control, adapters."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from copybandit.agents.constraints import Constraint, constraints_for
from copybandit.agents.critic import Critic
from copybandit.agents.policy_module import PolicyModule, Untuned
from copybandit.agents.ppo import PPOSettings
from copybandit.agents.reward_scale import RewardScale, reference_cells
from copybandit.agents.reward_seam import ProgrammaticReward, RewardFn, evaluate_reward
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Floats, Ints

ADAM_EPSILON = 1e-5
"""PyTorch's 1e-8 makes the first steps of RLHF too large (arXiv 2403.17031)."""


class ClippedAdamW(torch.optim.AdamW):
    """AdamW that clips each parameter group to its own norm and skips steps that would follow noise."""

    def __init__(self, groups: list[dict[str, Any]], max_norm: float, is_noise: Callable[[], bool]) -> None:
        """Clip to `max_norm`; a step does nothing while `is_noise()`."""
        super().__init__(groups, eps=ADAM_EPSILON, weight_decay=0.0, fused=True)
        self._max_norm, self._is_noise = max_norm, is_noise

    def step(self, closure: Any = None) -> Any:
        """Clip and step, or do nothing."""
        if self._is_noise():
            return None
        for group in self.param_groups:
            nn.utils.clip_grad_norm_(group["params"], self._max_norm)
        result = super().step(closure)
        for group in self.param_groups:
            # The fused step does not count what it writes, and laid-out copies of weights would not notice.
            torch.autograd.graph.increment_version(group["params"])
        return result


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The networks and the optimizer of one run."""

    settings: PPOSettings
    tuned: CausalLM
    adapter: Any | None
    policy: PolicyModule
    reference: PolicyModule | Untuned
    critic: Critic
    reward: ProgrammaticReward
    scale: RewardScale
    optimizer: ClippedAdamW


@dataclass(frozen=True, kw_only=True)
class ReferenceSample:
    """What the untuned writer wrote before tuning, and what it earned.

    Attributes:
        scale: the reward's mean and sd on it.
        constraints: the limits of the settings, each with its cost's sd on it.
        prompt: shape (n,), index of each text's prompt.
        texts: n texts, none empty.
        scores: shape (n,), their standardised rewards.
    """

    scale: RewardScale
    constraints: tuple[Constraint, ...]
    prompt: Ints
    texts: tuple[str, ...]
    scores: Floats


def reference_sample(
    writer: CausalLM,
    prompts: Sequence[str],
    reward: RewardFn,
    settings: PPOSettings,
    rng: np.random.Generator,
) -> ReferenceSample:
    """Let the untuned writer write, and measure the raw reward."""
    cells = reference_cells(len(prompts), settings.reference_samples, rng)
    texts = [text for (text,) in writer.write([prompts[cell] for cell in cells], 1, rng)]
    kept = np.array([bool(text) for text in texts])
    written = tuple(text for text in texts if text)
    raw = evaluate_reward(reward, cells[kept], list(written), "the reference sample")
    total = raw.total
    scale = RewardScale.of(total, settings.reward_clip, settings.missing_eos_penalty)
    return ReferenceSample(
        scale=scale,
        constraints=constraints_for(settings.limits, raw.costs, len(written)),
        prompt=cells[kept],
        texts=written,
        scores=scale.standardised(total),
    )


def with_adapter(model: Any, rank: int | None) -> Any | None:
    """Put low-rank adapters into `model`, in place; returns what can merge them."""
    if rank is None:
        return None
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear")
    with warnings.catch_warnings():
        # peft asks transformers 5.23 for an attribute by its old name.
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        return get_peft_model(model, config).eval()


def snapshot(tuned: CausalLM, adapter: Any | None) -> CausalLM:
    """Return a writer as it is now, its adapter merged, with weights of its own."""
    if adapter is None:
        return tuned.clone(tuned.generator_id, lineage=tuned.lineage)
    writer = copy.copy(tuned)
    writer.model = copy.deepcopy(adapter).merge_and_unload().requires_grad_(True).eval()
    return writer


def make_optimizer(
    policy: nn.Module, critic: nn.Module, reward: ProgrammaticReward, settings: PPOSettings
) -> ClippedAdamW:
    """Give policy and critic a learning rate each; equal rewards in a batch make its advantages noise."""

    def trained(module: nn.Module) -> list[Tensor]:
        return [weight for weight in module.parameters() if weight.requires_grad]

    groups = [
        {"params": trained(policy), "lr": settings.learning_rate},
        {"params": trained(critic), "lr": settings.critic_learning_rate},
    ]
    return ClippedAdamW(groups, settings.max_grad_norm, lambda: reward.last.constant)
