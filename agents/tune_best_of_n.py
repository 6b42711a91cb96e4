"""Best-of-n distillation: write n texts a prompt, keep the best that may be shown, learn it, and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from copybandit.agents.token_rows import TokenRows, answer_log_pmf, log_prob_of
from copybandit.agents.trl_guard import isolated_randomness
from copybandit.agents.tune import Task, Tuned, TuneUpdate
from copybandit.agents.tune_group import Batch, Learned, run_groups
from copybandit.agents.tune_journal import Journal
from copybandit.agents.tune_rollout import Answers, Bench, Scored
from copybandit.agents.tune_settings import BestOfNSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Ints


def best_rows(scored: Scored, group: int) -> Ints:
    """Row of the best text of each prompt, of those whose best may be shown; texts of a prompt stand side by side."""
    worth = np.where(scored.approved, scored.score, -np.inf).reshape(-1, group)
    best: Ints = worth.argmax(1) + np.arange(len(worth)) * group
    return np.asarray(best[np.isfinite(worth.max(1))])


def run_best_of_n(
    writer: CausalLM,
    task: Task,
    settings: BestOfNSettings,
    seed: int,
    out_dir: Path,
    on_update: Callable[[TuneUpdate], bool],
    clock: Callable[[], float],
) -> Tuned:
    """Run the loop; `copybandit.agents.tune.tune` says what each argument means."""
    with isolated_randomness(seed):
        bench = Bench(writer, task, settings, seed)
        optimizer, decay = bench.optimizer(settings.updates)

        def keep(batch: Batch) -> Learned:
            best = best_rows(batch.scored, settings.group)
            loss = learn(bench, batch.cells[best], [batch.answers[row] for row in best], settings, optimizer)
            decay.step()
            return ("kept", len(best) / settings.prompts_per_update), ("loss", loss)

        return run_groups(bench, settings, Journal(settings, out_dir, on_update, clock), keep)


def learn(
    bench: Bench,
    cells: Ints,
    answers: Answers,
    settings: BestOfNSettings,
    optimizer: torch.optim.Optimizer,
) -> float:
    """Steps of maximum likelihood at the writer's temperature; returns the mean loss, nats a token."""
    losses = [0.0]
    for _ in range(settings.epochs if len(cells) else 0):
        for rows in np.array_split(bench.rng.permutation(len(cells)), min(settings.minibatches, len(cells))):
            losses.append(
                _step(bench, [bench.heads[i] for i in cells[rows]], [answers[i] for i in rows], optimizer)
            )
    return float(np.mean(losses[1:] or losses))


def _step(
    bench: Bench, heads: Sequence[Sequence[int]], answers: Answers, optimizer: torch.optim.Optimizer
) -> float:
    writer = bench.tuned
    rows = TokenRows.of(heads, answers, writer.pad_id, writer.device)
    log_pmf = (answer_log_pmf(writer.model, rows) / writer.temperature).log_softmax(-1)
    loss = -rows.mean(log_prob_of(log_pmf, rows))
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], bench.settings.max_grad_norm)
    optimizer.step()
    return loss.item()
