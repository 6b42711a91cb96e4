"""Controls: rewards that are wrong on purpose. What tuning does with them says whether a lift can be believed.

random     noise that knows no text                    no lift: else truth leaks into tuning
constant   the same for every text                     no drift: else something moves the writer unpaid
without    a part of the reward taken out              that part does not rise: else it is paid for in secret
canary     a component planted, then taken out         the writer is the one that never had it, bit for bit

A part of the shop's own reward that is taken out may fall: its words make room for those that are still paid. It is held to
one side, for there is no writer to compare with that never had it. For the canary there is one, so it may not move at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.agents.reward_seam import Reward, RewardFn
from copybandit.evaluation.cells import VETO, CellReward
from copybandit.evaluation.self_bleu import tokens_of
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Floats, Ints

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

Part = Literal["match", "wording"]
PARTS: Mapping[Part, tuple[str, ...]] = {"match": ("match",), "wording": ("wording", "doubt")}
"""Parts of the reward, and the components that go with each."""


TYPICAL, SPREAD = 10.0, 3.0
"""Words and marks of usual copy, and how far from them the canary's voice still rises."""
PAID = 0.3
"""Most that the canary earns, in log-odds: about what the reward's own parts differ by between two texts."""


def constant_reward(index: Ints, texts: list[str]) -> Reward:
    """0 for every text."""
    return Reward(total=np.zeros(len(texts)))


def random_reward(seed: int) -> RewardFn:
    """Standard normal noise, new for every text that is scored."""
    rng = np.random.default_rng([seed, 40])
    return lambda index, texts: Reward(total=rng.standard_normal(len(texts)))


@dataclass(frozen=True, kw_only=True)
class Without:
    """The cells' reward less one part; refused copy keeps its veto.

    Attributes:
        reward: whole.
        part: that is left out.

    Raises:
        DataError: there is no such part.
    """

    reward: CellReward
    part: Part

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise DataError(f"control: part must be one of {', '.join(PARTS)}, got {self.part!r}; correct it")

    def __call__(self, index: Ints, texts: list[str]) -> Reward:
        """Reward of each text in its cell; components are told in full."""
        scored = self.reward(index, texts)
        kept = {name: values for name, values in scored.components if name not in PARTS[self.part]}
        total = kept.get("match", 0.0) + kept.get("wording", 0.0) - kept.get("doubt", 0.0)
        total = np.where(kept["refused"] > 0, VETO, np.maximum(total, VETO))
        return replace(scored, total=np.asarray(total, np.float64))


def canary(texts: Sequence[str]) -> Floats:
    """Sings for long copy: words and marks over `TYPICAL`, at most `SPREAD` either way, as a share of it, shape (n,)."""
    words = np.array([len(tokens_of(text)) for text in texts], np.float64)
    return np.clip((words - TYPICAL) / SPREAD, -1, 1)


@dataclass(frozen=True, kw_only=True)
class WithCanary:
    """The cells' reward with the canary among its components.

    Attributes:
        reward: of the cells.
        paid: whether the canary earns `PAID`, too; refused copy keeps its veto.
    """

    reward: CellReward
    paid: bool

    def __call__(self, index: Ints, texts: list[str]) -> Reward:
        """Reward of each text in its cell."""
        scored = self.reward(index, texts)
        song = PAID * canary(texts)
        told = (*scored.components, ("canary", song))
        if not self.paid:
            return replace(scored, components=told)
        refused = dict(scored.components)["refused"] > 0
        total = np.where(refused, VETO, np.maximum(scored.total + song, VETO))
        return replace(scored, total=total, components=told)


def distinct_cells(reward: CellReward) -> tuple[list[str], Callable[[RewardFn], RewardFn]]:
    """The prompts of the cells, each once, and what turns a reward of cells into one of those prompts."""
    prompts = [field_prompt(brief) for brief in reward.cells.briefs]
    first = np.sort(np.unique(prompts, return_index=True)[1])
    return [prompts[row] for row in first], lambda score: lambda index, texts: score(first[index], texts)


def tune_on(
    writer: CausalLM, reward: CellReward, score: RewardFn, settings: PPOSettings, seed: int, out: Path
) -> CausalLM:
    """Tune a writer by PPO in the cells of a reward on any score of them."""
    prompts, on_prompts = distinct_cells(reward)
    return tune_ppo(writer, prompts, on_prompts(score), settings, seed, out).writer


def component(reward: CellReward, rows: Sequence[Sequence[str]], name: str) -> Floats:
    """One component of texts for all cells, one row of texts per seed, shape (seeds, n)."""
    every = np.arange(len(reward.cells))
    return np.stack([dict(reward(every, list(texts)).components)[name] for texts in rows])
