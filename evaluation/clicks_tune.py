"""A writer of news headlines: it learns to write as people did, then PPO tunes it, and the select part picks the step.

SFT reads all headlines of the fit part, whatever their clicks, so the writer that PPO starts from knows of none. The step is
the one whose preference agrees best with the clicks of the select part: real clicks, which neither reward nor PPO saw.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.agents.sft import SFTResult, SFTSettings, sft
from copybandit.evaluation.clicks_data import HEADLINE_TOKENS, News
from copybandit.evaluation.clicks_judge import agreement, log_probs, preference
from copybandit.evaluation.clicks_reward import HeadlineReward
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError, Floats

CHECKPOINTS = 4
"""Steps of a run among which the select part chooses."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of one run of PPO and how its preference agrees with the clicks of the select part.

    Attributes:
        update: of the run.
        total, per_token: agreement of the preference as it is, and over the tokens.
    """

    update: int
    total: float
    per_token: float


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """One seed's run.

    Attributes:
        seed: of the run.
        writer: at the chosen step.
        chosen: that step.
        steps: all that there were to choose from.
        updates: records of PPO.
        stopped: whether time ended the run early.
    """

    seed: int
    writer: CausalLM
    chosen: Step
    steps: tuple[Step, ...]
    updates: tuple[PPOUpdate, ...]
    stopped: bool


def load_writer(spec: str, device: str, batch_size: int, tokens: int = HEADLINE_TOKENS) -> CausalLM:
    """A writer of headlines of at most so many tokens, at temperature 1."""
    return CausalLM.load(spec, temperature=1.0, max_new_tokens=tokens, batch_size=batch_size, device=device)


def teach(
    writer: CausalLM,
    fit: News,
    settings: SFTSettings,
    seed: int,
    out: Path,
    on_step: Callable[[int, int], None] | None = None,
) -> SFTResult:
    """Teach a copy of `writer` all headlines of the fit part that it has the tokens for.

    Raises:
        DataError: there are none.
    """
    tokens = writer.response_ids(fit.tests.text)
    examples = [
        (prompt, text)
        for prompt, text, row in zip(fit.asked(), fit.tests.text, tokens, strict=True)
        if len(row) <= writer.max_new_tokens
    ]
    if not examples:
        raise DataError(
            f"news: a headline of at most {writer.max_new_tokens} tokens is needed, got none; give headlines"
        )
    return sft(writer, examples, settings, seed, out, on_step)


def tune(
    writer: CausalLM,
    fit: News,
    select: News,
    reward: HeadlineReward,
    settings: PPOSettings,
    seed: int,
    out: Path,
    on_update: Callable[[PPOUpdate], bool],
) -> Tuned:
    """Run PPO once and choose its step.

    Args:
        writer: after SFT; it stays as it is.
        fit: its prompts are written for.
        select: its clicks choose the step.
        reward: in the fit part.
        settings: of PPO; `checkpoint_every` says how many steps there are to choose from.
        seed: of PPO.
        out: scratch folder; the steps in it are deleted once they are measured.
        on_update: told each update; returning False ends the run.
    """
    result = tune_ppo(writer, fit.prompts, reward, settings, seed, out, on_update)
    last = len(result.updates)
    before = log_probs(writer, select)
    steps, best = [], None
    for update, path in (*((u, p) for u, p in result.checkpoints if u != last), (last, None)):
        candidate = result.writer if path is None else reload(writer, path)
        steps.append(step := measured(update, before, candidate, select))
        if best is None or _agreed(step) >= _agreed(best[0]):
            best = step, candidate
    shutil.rmtree(out, ignore_errors=True)
    assert best is not None
    return Tuned(
        seed=seed,
        writer=best[1],
        chosen=best[0],
        steps=tuple(steps),
        updates=result.updates,
        stopped=result.stopped,
    )


def reload(writer: CausalLM, path: Path) -> CausalLM:
    """A saved step of a tuned copy of `writer`, where `writer` is."""
    return CausalLM.load(str(path), batch_size=writer.batch_size, device=str(writer.device))


def measured(update: int, before: Floats, candidate: CausalLM, select: News) -> Step:
    """How a step agrees with the clicks of the select part; `before` is the log probability under the untuned writer."""
    found = preference(before, log_probs(candidate, select)[None], candidate, select)
    return Step(
        update=update,
        total=agreement(found.total[0], select),
        per_token=agreement(found.per_token[0], select),
    )


def _agreed(step: Step) -> float:
    return max(step.total, step.per_token)


def prefers_per_token(tuned: list[Tuned]) -> bool:
    """Whether the preference over tokens agrees better with the select part, on average over seeds."""
    return sum(one.chosen.per_token - one.chosen.total for one in tuned) > 0
