"""The sampler: every token is drawn from what the model itself expects there, whoever is written at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from torch import Tensor

from copybandit.agents.adapters import AdapterSettings, attach
from copybandit.generators.adapters import quiet_peft
from copybandit.generators.decoding import CacheDecoder, Decoder, decoder_for
from copybandit.generators.int8 import quantise
from copybandit.generators.llama import LlamaDecoder, fits
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.generators.prompts import field_prompt
from copybandit.generators.sampling import SamplingSettings, draw, invert, left_pad, sample_with
from tests.tiny_lm import brief, tiny_model, tiny_tokenizer, tiny_writer

PAD, END = 0, 1
CPU = torch.device("cpu")
PROMPTS = [[5 + (i * j) % 90 for j in range(1, 3 + (i * 5) % 11)] for i in range(1, 12)]
BRIEFS = [brief(i, segment=i % 3 > 0) for i in range(13)]


def model_of(kind: str) -> Any:
    """A random model of two layers whose rows end at all ages; adapters hold weights as if they had been trained."""
    model = tiny_model(layers=2, spread=0.3, kv_heads=1 if kind == "grouped" else 2)
    card = WriterCard(generator_id="w", max_new_tokens=8)
    writer = CausalLM(model=model, tokenizer=tiny_tokenizer(), card=card)
    if kind in ("lora", "adalora"):
        options = AdapterSettings(kind="lora" if kind == "lora" else "adalora", rank=2)
        writer = attach(writer, options, generator_id="a", seed=0, steps=40)
        gen = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, weight in writer.model.named_parameters():
                if "lora_" in name:
                    weight.copy_(0.3 * torch.randn(weight.shape, generator=gen))
    if kind == "int8":
        writer = quantise(writer, "q")
    model = writer.model.eval()
    eager = 4.0 * torch.nn.functional.one_hot(torch.tensor(END), 200)
    model.get_output_embeddings().register_forward_hook(lambda _module, _args, out: out + eager)
    return model


def own_logits(model: Any, ids: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
    """What the model's own forward pass over finished rows expects at each token, shape (b, t, v)."""
    whole = torch.cat([mask, (tokens != PAD).long()], 1)
    with torch.no_grad():
        out = model(
            torch.cat([ids, tokens], 1),
            attention_mask=whole,
            position_ids=(whole.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=tokens.shape[1] + 1,
        )
    logits: Tensor = out.logits[:, :-1]
    return logits


@pytest.mark.parametrize("reader", [LlamaDecoder, CacheDecoder])
@pytest.mark.parametrize(("copies", "at_once"), [(1, 3), (3, 7), (6, 13), (9, 4), (2, None)])
def test_every_token_is_drawn_from_the_models_own_logits(
    reader: Callable[[Any], Decoder], copies: int, at_once: int | None
) -> None:
    """Prompts of unlike length, copies that share a slot or do not, rows that end and are replaced."""
    model, drawing = (
        model_of("grouped"),
        SamplingSettings(max_new_tokens=9, temperature=1.3, eos_id=1, pad_id=0),
    )
    ids, mask = left_pad(PROMPTS, PAD, CPU)
    drawn = sample_with(
        reader(model), ids, mask, drawing, torch.Generator(), copies=copies, keep_scores=True, at_once=at_once
    )
    assert drawn.scores is not None and drawn.tokens.shape == (11 * copies, drawn.scores.shape[1])
    ids, mask = ids.repeat_interleave(copies, 0), mask.repeat_interleave(copies, 0)
    alive = drawn.tokens != PAD
    assert 0.2 < alive.float().mean() < 0.9
    logits = own_logits(model, ids, mask, drawn.tokens) / 1.3
    torch.testing.assert_close(drawn.scores[alive], logits[alive], atol=1e-4, rtol=1e-4)
    # Rows hold tokens until the end and nothing after it, and nothing was drawn for places that stay empty.
    lengths = alive.sum(1)
    assert all(alive[row, : lengths[row]].all() for row in range(len(alive)))
    stopped = drawn.tokens[torch.arange(len(alive)), lengths - 1] == END
    assert (stopped | (lengths == 9)).all() and not drawn.scores[~alive].any()


@pytest.mark.parametrize("kind", ["lora", "adalora", "int8"])
def test_adapted_and_int8_models_are_read_exactly(kind: str) -> None:
    model = model_of(kind)
    decoder = decoder_for(model)
    assert isinstance(decoder, LlamaDecoder)
    drawing = SamplingSettings(max_new_tokens=9, temperature=1.0, eos_id=1, pad_id=0)
    ids, mask = left_pad(PROMPTS, PAD, CPU)
    drawn = sample_with(decoder, ids, mask, drawing, torch.Generator(), keep_scores=True, at_once=5)
    assert drawn.scores is not None
    alive = drawn.tokens != PAD
    logits = own_logits(model, ids, mask, drawn.tokens)
    # A number on the edge between two of 255 steps may round the other way in a batch of another shape.
    close = 1e-4 if kind != "int8" else 0.05
    torch.testing.assert_close(drawn.scores[alive], logits[alive], atol=close, rtol=close)


def test_who_is_written_at_the_same_time_changes_no_draw() -> None:
    model, drawing = (
        model_of("plain"),
        SamplingSettings(max_new_tokens=9, temperature=1.0, eos_id=1, pad_id=0),
    )
    ids, mask = left_pad(PROMPTS, PAD, CPU)
    whole, *others = (
        sample_with(
            reader(model), ids, mask, drawing, torch.Generator().manual_seed(3), copies=3, at_once=n
        ).tokens
        for reader, n in ((LlamaDecoder, None), (LlamaDecoder, 3), (LlamaDecoder, 10), (CacheDecoder, 10))
    )
    assert len({tuple(row) for row in whole.tolist()}) > 25
    for other in others:
        assert torch.equal(other, whole)


def test_whole_texts_come_as_often_as_they_are_likely() -> None:
    """All answers of at most two tokens of a model of seven words, by chi-square, in a batch that is refilled."""
    model, n = tiny_model(7, layers=2, spread=0.2), 8_000
    drawing = SamplingSettings(max_new_tokens=2, temperature=1.0, eos_id=END, pad_id=PAD)
    heads = [[2, 3, 4, 5], [6, 2]]
    ids, mask = left_pad(heads, PAD, CPU)
    decoder, gen = LlamaDecoder(model), torch.Generator().manual_seed(1)
    rows = torch.arange(2).repeat(n // 4)
    drawn = sample_with(decoder, ids[rows], mask[rows], drawing, gen, copies=4, at_once=480).tokens.view(
        -1, 4, 2
    )
    for i, head in enumerate(heads):
        pairs = drawn[rows == i].flatten(0, 1)
        pairs = torch.where(pairs[:, :1] == END, END, pairs)
        count = np.bincount((7 * pairs[:, 0] + pairs[:, 1]).numpy(), minlength=49)
        with torch.no_grad():
            first = model(torch.tensor([head])).logits[0, -1].softmax(-1).double()
            second = (
                model(torch.tensor([[*head, word] for word in range(7)])).logits[:, -1].softmax(-1).double()
            )
        second[END] = torch.nn.functional.one_hot(torch.tensor(END), 7)
        expected = n * (first[:, None] * second).flatten().numpy()
        assert count.sum() == n and (count[expected == 0] == 0).all()
        seen = expected > 0
        squares = float(((count - expected) ** 2)[seen] @ (1 / expected[seen]))
        assert expected[seen].min() > 5 and chi2.sf(squares, seen.sum() - 1) > 1e-4


def test_a_call_takes_one_draw_and_leaves_global_randomness_alone() -> None:
    writer = tiny_writer(max_new_tokens=6)
    prompts = [field_prompt(one) for one in BRIEFS]
    for asked, n in ((prompts, 3), (prompts[:1], 1), (prompts[:1], 70), ([], 2)):
        rng, twin, state = np.random.default_rng(5), np.random.default_rng(5), torch.get_rng_state()
        texts = writer.write(asked, n, rng)
        assert [len(row) for row in texts] == [n] * len(asked)
        twin.integers(2**62)
        assert rng.integers(2**62) == twin.integers(2**62) and torch.equal(state, torch.get_rng_state())
        assert writer.write(asked, n, np.random.default_rng(5)) == texts


def test_texts_stand_at_their_prompts_whatever_the_batch() -> None:
    """The likeliest answers do not depend on the batch, so each prompt's must be the one it gets alone."""
    writer = CausalLM.load("tiny", temperature=0.0)
    prompts = [field_prompt(one) for one in BRIEFS]
    writer.batch_size = 5
    texts = writer.write(prompts, 2, np.random.default_rng(0))
    assert [row[0] for row in texts] == [row[1] for row in texts]
    assert texts == [writer.write([one], 2, np.random.default_rng(0))[0] for one in prompts]
    assert len({row[0] for row in texts}) > 5


@pytest.mark.parametrize("reader", [LlamaDecoder, CacheDecoder])
def test_rows_that_all_end_at_once_leave_nothing_behind(reader: Callable[[Any], Decoder]) -> None:
    model = tiny_model()
    model.get_output_embeddings().register_forward_hook(
        lambda _m, _a, out: out.index_fill(-1, torch.tensor([1]), 1e4)
    )
    drawing = SamplingSettings(max_new_tokens=9, temperature=1.0, eos_id=END, pad_id=PAD)
    ids, mask = left_pad(PROMPTS, PAD, CPU)
    drawn = sample_with(reader(model), ids, mask, drawing, torch.Generator(), copies=2, at_once=6)
    assert drawn.tokens.tolist() == [[END]] * 22 and drawn.scores is None


def test_other_models_are_read_through_their_own_forward() -> None:
    biased = tiny_model()
    biased.model.layers[0].mlp.up_proj.bias = torch.nn.Parameter(torch.zeros(64))
    doubtful = with_lora(use_dora=True), with_lora(lora_dropout=0.5).train()
    prefixed = attach(tiny_writer(), AdapterSettings(kind="prefix"), generator_id="p", seed=0, steps=9).model
    for model in (biased, *doubtful, prefixed):
        assert not fits(model) and isinstance(decoder_for(model), CacheDecoder)


def with_lora(**options: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    model = tiny_model()
    with quiet_peft():
        get_peft_model(model, LoraConfig(r=1, target_modules=["q_proj"], **options))
    return model


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), tokens=st.sampled_from([7, 64, 200, 300]))
def test_tokens_are_drawn_as_often_as_they_are_likely(seed: int, tokens: int) -> None:
    """Pearson's chi-square against the softmax, at one in a hundred thousand; what cannot be is never drawn."""
    gen = torch.Generator().manual_seed(seed)
    scores = 2 * torch.randn(tokens, generator=gen)
    scores[[0, tokens - 1]] = -torch.inf
    n = 20_000
    drawn = draw(scores.expand(n, -1), 1.0, torch.rand(n, generator=gen, dtype=torch.float64))
    count = np.bincount(drawn.numpy(), minlength=tokens)
    expected = n * scores.double().softmax(-1).numpy()
    assert count.shape == (tokens,) and (count[expected == 0] == 0).all()
    seen = expected > 5
    rare = expected[~seen].sum()
    squares = float((((count - expected) ** 2)[seen] / expected[seen]).sum())
    squares += float((count[~seen].sum() - rare) ** 2 / max(rare, 1e-9))
    assert chi2.sf(squares, seen.sum()) > 1e-5


def test_draws_at_the_edges_stay_inside() -> None:
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    weights = scores.softmax(-1)
    for share, place in ((0.0, 1), (0.499999, 1), (0.500001, 3), (1.0, 3)):
        found, inside = invert(weights, torch.tensor([[share]], dtype=torch.float64))
        assert found.item() == place and 0 <= inside.item() <= 1
