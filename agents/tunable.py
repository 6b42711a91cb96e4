"""What every way of tuning asks of a writer, of its prompts and of the numbers it is told."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from copybandit.agents.adapters import check_plain
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM


def check_tunable(algorithm: str, writer: CausalLM, prompts: int, needed: int) -> None:
    """Refuse what cannot be tuned.

    Args:
        algorithm: named in the error.
        writer: that is to be tuned.
        prompts: how many there are.
        needed: how many different ones an update takes.

    Raises:
        DataError: a writer with an adapter, greedy or without a pad token of its own, or too few prompts.
    """
    check_plain(writer)
    if prompts < needed:
        raise DataError(
            f"{algorithm}: an update needs {needed} prompts, got {prompts}; add prompts or lower batch_size"
        )
    if not writer.temperature > 0:
        raise DataError(
            f"{algorithm}: temperature must be above 0, got {writer.temperature}; load the writer with 1.0"
        )
    if writer.tokenizer.pad_token_id in (None, writer.tokenizer.eos_token_id):
        raise DataError(
            f"{algorithm}: pad token must differ from eos token {writer.tokenizer.eos_token!r}, got "
            f"{writer.tokenizer.pad_token!r}; set tokenizer.pad_token to another token"
        )


def check_numbers(
    algorithm: str,
    learning_rates: tuple[float, ...],
    reward_clip: float,
    checkpoint_every: int | None,
    lora_rank: int | None,
) -> None:
    """Raise DataError for a learning rate below 0, a clip that lets nothing through, and counts below 1."""
    for rate in learning_rates:
        if not (rate >= 0 and math.isfinite(rate)):
            raise DataError(
                f"{algorithm}: learning rates must be >= 0 and finite, got {rate}; 0 learns nothing"
            )
    if not reward_clip > 0:
        raise DataError(f"{algorithm}: reward_clip must be above 0, got {reward_clip}; try 5")
    for name, value in (("checkpoint_every", checkpoint_every), ("lora_rank", lora_rank)):
        if value is not None and value < 1:
            raise DataError(f"{algorithm}: {name} must be >= 1, got {value}; leave it out to have none")
