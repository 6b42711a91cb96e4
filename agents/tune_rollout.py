"""What all tuners but PPO share: a writer that writes, texts that are scored, how likely they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from copybandit.agents.constraints import Constraint, constraints_for
from copybandit.agents.ppo_parts import ADAM_EPSILON, snapshot, with_adapter
from copybandit.agents.reward_scale import RewardScale, reference_cells
from copybandit.agents.reward_seam import PromptIndex, Reward, evaluate_reward
from copybandit.agents.token_rows import draw_answers
from copybandit.agents.tune import Task
from copybandit.agents.tune_settings import TunerSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Bools, Floats, Ints

REFUSED = "refused"
"""Component of a reward that is above 0 where the text may not be shown."""
Answers = list[list[int]]
"""Tokens of answers, the end included where one was written."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """b answers and what they earned.

    Attributes:
        texts: of the answers, stripped; may be empty.
        score: shape (b,), standardised reward less what limits take from it, lowest for an empty text, less the penalty for
            one that did not end.
        approved: shape (b,), neither empty nor refused.
        reward: mean raw reward of the texts that are not empty.
        components, costs: means of the named parts.
        multipliers: of each limit, by name, as they were for these texts.
        length: mean tokens, the end included.
        ended: share of answers that ended by themselves.
    """

    texts: tuple[str, ...]
    score: Floats
    approved: Bools
    reward: float
    components: tuple[tuple[str, float], ...]
    costs: tuple[tuple[str, float], ...]
    multipliers: tuple[tuple[str, float], ...]
    length: float
    ended: float


class Bench:
    """The tuned copy of a writer, the untuned one, the task, and the only randomness there is."""

    def __init__(self, writer: CausalLM, task: Task, settings: TunerSettings, seed: int) -> None:
        """Copy `writer`; it stays as it is."""
        self.settings, self.task, self.untuned = settings, task, writer
        self.heads = writer.prompt_ids(task.prompts)
        PromptIndex(self.heads)  # refuses prompts that their tokens do not tell apart
        self.rng = np.random.default_rng(seed)
        self.draws = torch.Generator(writer.device).manual_seed(int(self.rng.integers(2**62)))
        self.tuned = writer.clone(settings.algorithm, lineage=writer.generator_id)
        self.tuned.model.requires_grad_(True)
        without_dropout(self.tuned.model)
        self.adapter = with_adapter(self.tuned.model, settings.lora_rank)
        self.scale: RewardScale | None = None
        self.constraints: tuple[Constraint, ...] = ()
        self._batches = 0
        self._waiting: list[int] = []
        if settings.reference_samples:
            cells = reference_cells(len(self.heads), settings.reference_samples, self.rng)
            self._fix_scale(self._asked(cells, self.tuned.decode(self.write(cells, 1))))

    def prompts(self, n: int) -> Ints:
        """The next `n` prompts, all different: every one has its turn before any comes again."""
        fresh = self.rng.permutation(len(self.heads)).tolist() if len(self._waiting) < n else []
        kept = self._waiting
        self._waiting = kept + [cell for cell in fresh if cell not in kept]
        taken, self._waiting = self._waiting[:n], self._waiting[n:]
        return np.array(taken, np.int64)

    def write(self, cells: Ints, copies: int) -> Answers:
        """`copies` answers of the tuned writer to each prompt, in its order, at the writer's temperature."""
        heads = [self.heads[cell] for cell in cells]
        return draw_answers(self.tuned, heads, self.tuned.temperature, self.draws, copies)

    def _asked(self, cells: Ints, texts: Sequence[str]) -> Reward:
        """What the texts that are not empty earn."""
        written = np.array([bool(text) for text in texts])
        place = f"batch {self._batches}"
        self._batches += 1
        return evaluate_reward(self.task.reward, cells[written], [text for text in texts if text], place)

    def _fix_scale(self, raw: Reward) -> RewardScale:
        """Take mean and sd of the reward, and the scales of limits, from texts of the untuned writer."""
        settings = self.settings
        self.scale = RewardScale.of(raw.total, settings.reward_clip, settings.missing_eos_penalty)
        self.constraints = constraints_for(settings.limits, raw.costs, len(raw.total))
        return self.scale

    def score(self, cells: Ints, answers: Answers) -> Scored:
        """Ask the reward about a batch, then let multipliers follow its costs."""
        texts = self.tuned.decode(answers)
        raw = self._asked(cells, texts)
        scale = self.scale or self._fix_scale(raw)
        written = np.array([bool(text) for text in texts])
        ended = np.array([answer[-1:] == [self.tuned.eos_id] for answer in answers])
        limits = self.constraints
        self.constraints = tuple(self._ascended(limit, dict(raw.costs)) for limit in limits)
        approved = written.copy()
        approved[written] = dict(raw.components).get(REFUSED, np.zeros(len(raw.total))) <= 0
        return Scored(
            texts=tuple(texts),
            score=scale.scores(raw.total, raw.costs, limits, written, ended),
            approved=approved,
            reward=_mean(raw.total),
            components=tuple((name, _mean(values)) for name, values in raw.components),
            costs=tuple((name, _mean(values)) for name, values in raw.costs),
            multipliers=tuple((limit.name, limit.multiplier) for limit in limits),
            length=float(np.mean([len(answer) for answer in answers])),
            ended=float(ended.mean()),
        )

    def _ascended(self, limit: Constraint, costs: Mapping[str, Floats]) -> Constraint:
        over = _mean(limit.excess(costs.get(limit.name, np.zeros(0))))
        return limit.ascended(over, self.settings.multiplier_rate, self.settings.multiplier_cap)

    def log_probs(self, cells: Ints, answers: Answers) -> tuple[Floats, Floats]:
        """Log probability of each answer under the tuned and the untuned writer, at their temperature, both (b,)."""
        heads = [self.heads[cell] for cell in cells]
        return answer_log_prob(self.tuned, heads, answers), answer_log_prob(self.untuned, heads, answers)

    def optimizer(self, steps: int) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.LambdaLR]:
        """Adam over what is trained, and its learning rate's way to 0 in `steps`."""
        trained = [weight for weight in self.tuned.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(
            trained, lr=self.settings.learning_rate, eps=ADAM_EPSILON, weight_decay=0.0, fused=True
        )
        return optimizer, torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: max(0.0, 1 - step / steps)
        )

    def snapshot(self) -> CausalLM:
        """The tuned writer as it is now, adapters merged, with weights of its own."""
        return snapshot(self.tuned, self.adapter)


@torch.no_grad()
def answer_log_prob(writer: CausalLM, heads: Sequence[Sequence[int]], answers: Answers) -> Floats:
    """Log probability of answers' tokens, shape (n,), at the writer's temperature."""
    total = np.zeros(len(answers))
    order = np.argsort(
        [len(head) + len(tail) for head, tail in zip(heads, answers, strict=True)], kind="stable"
    )
    for start in range(0, len(order), writer.batch_size):
        rows = order[start : start + writer.batch_size]
        logits, answer, mask = writer.answer_logits([heads[i] for i in rows], [answers[i] for i in rows])
        logits = logits / writer.temperature
        picked = logits.gather(-1, answer[..., None]).squeeze(-1) - logits.logsumexp(-1)
        total[rows] = (picked * mask).double().sum(1).cpu().numpy()
    return total


def without_dropout(model: Any) -> None:
    """Switch dropout off in place: in the steps but not in the writing it would bias every ratio."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
