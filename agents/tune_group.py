"""The update of tuners that compare texts of one prompt: a group of texts for each, scored, then learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from copybandit.agents.tune import Tuned
from copybandit.agents.tune_journal import Journal, Told, run_updates
from copybandit.agents.tune_rollout import Answers, Bench, Scored
from copybandit.agents.tune_settings import GroupSettings
from copybandit.sim.types import Floats, Ints

Learned = tuple[tuple[str, float], ...]
"""What an algorithm has to say of its steps, by name."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """b texts; those of a prompt stand side by side.

    Attributes:
        cells: shape (b,), index of each text's prompt.
        answers: their tokens.
        scored: what they earned.
        untuned: shape (b,), their log probability under the untuned writer.
    """

    cells: Ints
    answers: Answers
    scored: Scored
    untuned: Floats


def run_groups(
    bench: Bench, settings: GroupSettings, journal: Journal, learn: Callable[[Batch], Learned]
) -> Tuned:
    """Write groups of texts and let `learn` take its steps on them, batch after batch."""

    def update() -> Told:
        prompts = bench.prompts(settings.prompts_per_update)
        cells, answers = np.repeat(prompts, settings.group), bench.write(prompts, settings.group)
        scored = bench.score(cells, answers)
        own, untuned = bench.log_probs(cells, answers)
        more = learn(Batch(cells=cells, answers=answers, scored=scored, untuned=untuned))
        return Told(scored=scored, own=own, untuned=untuned, more=more)

    return run_updates(journal, update, bench.snapshot)
