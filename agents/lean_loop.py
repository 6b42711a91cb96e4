"""TRL's loop, handed what it asks of logits in the place of logits.

TRL's `PPOTrainer.train` is one function without seams: it keeps the scores of every token of the vocabulary for the whole
batch, copies them twice, and reduces them to one number a token. For as long as `lean_loop` lasts, two functions that it
calls by name know `ChosenTokens`; whatever else they are given, they do what they did.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from copybandit.agents.policy_module import ChosenTokens, PolicyModule
from copybandit.agents.trl_guard import importing_trl

with importing_trl():
    from trl.experimental.ppo import ppo_trainer

LOOP: Any = ppo_trainer
"""The module whose names TRL's loop looks up."""


@contextmanager
def lean_loop() -> Iterator[None]:
    """Let TRL's loop roll out by `PolicyModule.rollout`, and take log probabilities that are there already."""
    theirs = LOOP.batch_generation, LOOP.selective_log_softmax
    log_softmax = LOOP.selective_log_softmax

    def chosen(logits: Tensor | ChosenTokens, index: Tensor) -> Tensor:
        found: Tensor = logits.log_prob if isinstance(logits, ChosenTokens) else log_softmax(logits, index)
        return found

    LOOP.batch_generation, LOOP.selective_log_softmax = _rolled_out, chosen
    try:
        yield
    finally:
        LOOP.batch_generation, LOOP.selective_log_softmax = theirs


def _rolled_out(
    model: PolicyModule, queries: Tensor, chunk: int, pad_id: int, generation_config: Any
) -> tuple[Tensor, ChosenTokens]:
    """What TRL's `batch_generation` returns, of the whole batch at once."""
    return model.rollout(queries, generation_config.max_new_tokens)
