"""Weights that a writer holds between calls: never those of another model, nor of yesterday."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from copybandit.agents.adapters import AdapterSettings, attach
from copybandit.generators.adapters import merge_adapter, quiet_peft
from copybandit.generators.held import HeldDecoder
from copybandit.generators.int8 import quantise
from copybandit.generators.lm import CausalLM
from tests.tiny_lm import tiny_model, tiny_writer

PROMPTS = ["garden | mug | blue | 8.50 >", "- | chair | oak | 80.00 >"]


def texts(writer: CausalLM) -> list[list[str]]:
    return writer.write(PROMPTS, 3, np.random.default_rng(0))


def laid_out(writer: CausalLM) -> Any:
    """What is held; the same object for as long as it is not made anew."""
    return writer._held._decoder


def step(kind: Callable[..., torch.optim.Optimizer], **options: Any) -> Callable[[Any], None]:
    def train(model: Any) -> None:
        optimizer = kind(model.parameters(), lr=0.1, **options)
        model(torch.tensor([[5, 6, 7]]), labels=torch.tensor([[5, 6, 7]])).loss.backward()
        optimizer.step()

    return train


def merge(model: Any) -> None:
    """Weights that peft folds into the very model that is held."""
    from peft import LoraConfig, get_peft_model

    with quiet_peft():
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        adapted.merge_and_unload()


def through_data(model: Any) -> None:
    for weight in model.parameters():
        weight.data.mul_(1.5)


@pytest.mark.parametrize(
    "change",
    [
        step(torch.optim.SGD),
        step(torch.optim.AdamW, fused=True),
        step(torch.optim.AdamW, foreach=True),
        lambda model: model.load_state_dict(tiny_model(layers=1, spread=0.5).state_dict()),
        merge,
        through_data,
    ],
    ids=["sgd", "fused", "foreach", "load", "merge", "data"],
)
def test_changed_weights_are_read_anew(change: Callable[[Any], Any]) -> None:
    writer = tiny_writer(max_new_tokens=6)
    texts(writer)
    held = laid_out(writer)
    texts(writer)
    assert laid_out(writer) is held
    change(writer.model)
    written = texts(writer)
    assert laid_out(writer) is not held
    writer._held = HeldDecoder()
    assert texts(writer) == written


def test_copies_of_a_writer_write_from_their_own_weights() -> None:
    writer = tiny_writer(max_new_tokens=6)
    before = texts(writer)
    tuned = attach(writer, AdapterSettings(kind="lora", rank=2), generator_id="a", seed=0, steps=10)
    with torch.no_grad():
        for name, weight in tuned.model.named_parameters():
            if "lora_" in name:
                weight.fill_(1.0)
    changed = texts(tuned)
    assert changed != before and texts(merge_adapter(tuned)) == changed
    with torch.no_grad():
        for name, weight in tuned.model.named_parameters():
            if "lora_" in name:
                weight.zero_()
    assert texts(tuned) == before == texts(writer)
    texts(quantise(writer, "q"))
    assert texts(writer) == before


def test_either_precision_is_held_for_itself() -> None:
    writer = CausalLM.load("tiny", max_new_tokens=4)
    texts(writer)
    held = laid_out(writer)
    writer.bf16 = True
    texts(writer)
    assert laid_out(writer) is not held


def test_two_who_write_at_once_do_not_meet() -> None:
    """What is lent shares weights alone."""
    writer = tiny_writer(max_new_tokens=6)
    first, second = (writer._held.of(writer.model, bf16=False) for _ in range(2))
    ids, mask = torch.tensor([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.long)
    for decoder in (first, second):
        decoder.start(1, 1, 3, 4)
    with torch.no_grad():
        alone = first.add(ids, mask)
        second.add(ids.flip(1), mask)
        expected = writer.model(torch.tensor([[5, 6, 7, 8]])).logits[:, -1]
        torch.testing.assert_close(first.step(torch.tensor([8])), expected, atol=1e-4, rtol=1e-4)
    assert alone.shape == expected.shape
