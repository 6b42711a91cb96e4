"""Smaller writers: int8 layers and fewer layers, each with its loss measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from copybandit.agents.adapters import AdapterSettings, attach
from copybandit.agents.distil import DistilSettings, distil, smaller, token_kl
from copybandit.generators.check import check_generator
from copybandit.generators.int8 import Int8Linear, is_int8, quantise
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError
from tests.tiny_lm import brief, tiny_model, tiny_tokenizer

BRIEFS = [brief(i) for i in range(16)]
PAIRS = [(field_prompt(one), f"try the {one.product.name} now") for one in BRIEFS]


def teacher(layers: int = 3) -> CausalLM:
    card = WriterCard(generator_id="teacher", max_new_tokens=8)
    model = tiny_model(layers=layers, spread=0.1)
    return CausalLM(model=model, tokenizer=tiny_tokenizer(), card=card)


def test_an_int8_layer_is_the_layer_up_to_rounding() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(96, 50, bias=False), torch.randn(3, 7, 96)
    small = Int8Linear.of(layer)
    exact, rounded = layer(x), small(x)
    assert rounded.shape == exact.shape and small.weight.dtype == torch.int8
    # Rounding to 1 in 127 of the largest of 96 in both factors: about one per cent of what comes out.
    assert 1e-4 < (rounded - exact).norm() / exact.norm() < 0.02
    assert small(torch.zeros(1, 96)).abs().max() == 0


def test_an_int8_writer_is_small_close_and_saved_as_plain_tensors(tmp_path: Path) -> None:
    writer = CausalLM.load("tiny")
    small = quantise(writer, "tiny-int8")
    assert not is_int8(writer.model) and is_int8(small.model)
    gap = small.log_prob(BRIEFS, [text for _, text in PAIRS]) - writer.log_prob(
        BRIEFS, [text for _, text in PAIRS]
    )
    assert 0 < np.abs(gap).max() < 1.0
    folder = small.save(tmp_path / "int8")
    with safe_open(folder / "model.safetensors", "pt") as file:
        dtypes = {file.get_tensor(name).dtype for name in file.keys() if "_proj.weight" in name}
    assert dtypes == {torch.int8}
    again = CausalLM.load(str(folder))
    texts = [text for _, text in PAIRS]
    np.testing.assert_array_equal(again.log_prob(BRIEFS, texts), small.log_prob(BRIEFS, texts))
    check_generator(again, BRIEFS[:3], np.random.default_rng(0))
    plain = writer.save(tmp_path / "plain")
    assert (folder / "model.safetensors").stat().st_size < 0.45 * (plain / "model.safetensors").stat().st_size


def test_what_cannot_be_quantised_or_trained_says_so() -> None:
    adapted = attach(teacher(), AdapterSettings(kind="lora"), generator_id="s", seed=0, steps=9)
    with pytest.raises(DataError, match="must be plain and on a CPU"):
        quantise(adapted, "x")
    with pytest.raises(DataError, match="int8 weights cannot be trained"):
        attach(quantise(teacher(), "x"), AdapterSettings(), generator_id="s", seed=0, steps=9)


def test_a_student_with_all_layers_is_the_teacher() -> None:
    one = teacher()
    assert token_kl(one, smaller(one, 3, "s"), PAIRS).item() == pytest.approx(0, abs=1e-6)


def test_token_kl_is_the_mean_over_tokens_of_the_sum_over_words() -> None:
    one, two = teacher(), smaller(teacher(), 1, "s")
    total, tokens = 0.0, 0
    for prompt, text in PAIRS[:3]:
        head, tail = one.prompt_ids([prompt])[0], one.response_ids([text])[0]
        with torch.no_grad():
            p, q = (
                writer.model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1].log_softmax(-1)
                for writer in (one, two)
            )
        total += float((p.exp() * (p - q)).sum())
        tokens += len(tail)
    assert token_kl(one, two, PAIRS[:3]).item() == pytest.approx(total / tokens, rel=1e-3)


def test_a_student_comes_closer_and_is_saved_with_fewer_layers(tmp_path: Path) -> None:
    one = teacher()
    before = token_kl(one, smaller(one, 2, "s"), PAIRS).item()
    settings = DistilSettings(layers=2, steps=40, batch_size=8, learning_rate=5e-3)
    result = distil(one, PAIRS, settings, 0)
    assert token_kl(one, result.writer, PAIRS).item() < 0.5 * before and len(result.losses) == 40
    again = CausalLM.load(str(result.writer.save(tmp_path / "student")))
    assert len(again.model.model.layers) == 2
    check_generator(again, BRIEFS[:3], np.random.default_rng(0))
    assert distil(one, PAIRS, settings, 0).losses == result.losses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 9}, "at most the teacher's 3, got 9"),
        ({"steps": 0}, "steps and batch_size must be >= 1"),
        ({"written_share": 2.0}, r"written_share must be in \[0, 1\]"),
    ],
)
def test_senseless_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        distil(teacher(), PAIRS, DistilSettings(**{"layers": 2, **change}), 0)  # type: ignore[arg-type]  # wrong on purpose
