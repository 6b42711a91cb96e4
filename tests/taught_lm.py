"""A small language model taught by maximum likelihood to end its copy one way, and now and then another."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from copybandit.agents.token_rows import TokenRows, answer_log_pmf, log_prob_of
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from tests.tiny_lm import brief, tiny_writer

BRIEFS = [brief(i) for i in range(16)]
USUAL, SELDOM = "blue", "red"


def copy_ending(word: str) -> list[str]:
    """One text per brief: the product's name and a word."""
    return [f"{one.product.name} {word}" for one in BRIEFS]


@cache
def taught_writer(*, seldom: float = 0.05, steps: int = 80) -> CausalLM:
    """Writes the product's name and `USUAL`, but `SELDOM` in a share of its copy; always the same object."""
    writer = tiny_writer(max_new_tokens=6)
    rng = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(writer.model.parameters(), lr=1e-2)
    heads = writer.prompt_ids([field_prompt(one) for one in BRIEFS])
    usual, rare = (writer.response_ids(copy_ending(word)) for word in (USUAL, SELDOM))
    for _ in range(steps):
        tails = [b if rng.random() < seldom else a for a, b in zip(usual, rare, strict=True)]
        rows = TokenRows.of(heads, tails, writer.pad_id, writer.device)
        loss = -rows.mean(log_prob_of(answer_log_pmf(writer.model, rows), rows))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        optimizer.step()
    return writer
