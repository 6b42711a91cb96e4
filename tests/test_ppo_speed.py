"""What makes tuning fast changes no number: packed rows, joined products, chosen tokens, the kept pass, the adapter off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from copybandit.agents.chosen_tokens import from_logits
from copybandit.agents.llama_reader import LlamaReader, readable
from copybandit.agents.packed_rows import PackedRows, same_rows
from copybandit.agents.policy_module import ChosenTokens, PolicyModule, PromptWidth, Untuned
from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.agents.ppo_parts import ClippedAdamW, with_adapter
from copybandit.agents.readers import PlainReader, Reader, check_precision, reader_for
from copybandit.agents.reward_seam import Reward
from copybandit.generators.decoding import multiplies_bf16
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.generators.lm_tokens import forbid_token
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_model, tiny_tokenizer, tiny_writer

PROMPT, ANSWER, PAD = 6, 5, 0
PROMPTS = [field_prompt(brief(i)) for i in range(24)]
HALF = multiplies_bf16(torch.device("cpu"))


def letters(cells: Ints, texts: list[str]) -> Reward:
    return Reward(total=np.array([text.count("a") / len(text) for text in texts]))


def rows_of(seed: int, b: int = 5) -> tuple[Tensor, Tensor]:
    """Left-padded prompts and right-padded answers of all lengths, the longest at least once."""
    rng = np.random.default_rng(seed)
    ids = torch.tensor(rng.integers(2, 200, (b, PROMPT + ANSWER)))
    mask = torch.ones_like(ids)
    for row in range(b):
        mask[row, : rng.integers(PROMPT)] = 0
        mask[row, PROMPT + rng.integers(1, ANSWER + 1) :] = 0
    mask[0], mask[1, -1] = 1, 0
    return ids, mask


def adapted_model(rank: int | None, *, kv_heads: int = 1) -> tuple[Any, Any]:
    model = tiny_model(layers=3, hidden=64, spread=0.3, kv_heads=kv_heads)
    forbid_token(model, PAD)
    adapter = with_adapter(model, rank)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model.eval(), adapter


def gradients(model: Any, reader: Reader, rows: PackedRows) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    model.zero_grad()
    log_prob, entropy = reader.read(rows)
    (log_prob * torch.arange(len(log_prob)).cos()).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    found = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None
    }
    return log_prob.detach(), entropy, found


@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize(("kv_heads", "temperature"), [(1, 0.7), (2, 1.0)])
def test_the_fast_reader_gives_the_numbers_and_gradients_of_the_models_own_forward_pass(
    rank: int | None, kv_heads: int, temperature: float
) -> None:
    model, adapter = adapted_model(rank, kv_heads=kv_heads)
    fast, plain = (
        reader_for(model, "float32", temperature, adapter),
        PlainReader(model, "float32", temperature, adapter),
    )
    assert isinstance(fast, LlamaReader)
    ids, mask = rows_of(0)
    rows = PackedRows.of(ids, mask, PROMPT)
    ours, theirs = gradients(model, fast, rows), gradients(model, plain, rows)
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours[1], theirs[1], atol=1e-4, rtol=1e-4)
    assert ours[2].keys() == theirs[2].keys() and len(ours[2]) == (29 if rank is None else 42)
    for name, slope in theirs[2].items():
        assert (ours[2][name] - slope).norm() < 1e-4 * slope.norm() + 1e-6, name
    with torch.no_grad():
        bare = fast.read(rows, adapted=False)[0], plain.read(rows, adapted=False)[0]
    torch.testing.assert_close(*bare, atol=1e-4, rtol=1e-4)
    assert rank is None or (bare[0] - ours[0]).abs().max() > 0.1


def test_long_rows_take_the_fused_attention_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = adapted_model(None)
    rows = PackedRows.of(*rows_of(3), PROMPT)
    reader = reader_for(model, "float32", 1.0)
    short = gradients(model, reader, rows)
    monkeypatch.setattr("copybandit.agents.llama_reader.SHORT", 0)
    fused = gradients(model, reader, rows)
    torch.testing.assert_close(short[0], fused[0], atol=1e-5, rtol=1e-5)
    for name, slope in short[2].items():
        torch.testing.assert_close(fused[2][name], slope, atol=1e-4, rtol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 7))
def test_packing_loses_nothing_and_moves_nothing(seed: int, b: int) -> None:
    ids, mask = rows_of(seed, b)
    rows = PackedRows.of(ids, mask, PROMPT)
    assert rows.tokens.tolist() == ids[mask.bool()].tolist()
    answered = mask[:, PROMPT:].bool()
    assert rows.answer.tolist() == ids[:, PROMPT:][answered].tolist()
    assert torch.equal(rows.table(rows.answer), ids[:, PROMPT:] * answered)
    assert torch.equal(rows.tokens[rows.asked + 1], rows.answer)
    assert torch.equal(rows.together(rows.apart(rows.tokens)), rows.tokens)
    assert rows.apart(rows.tokens[:, None]).shape == (b, int(mask.sum(1).max()), 1)


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=8), st.randoms())
def test_the_same_rows_in_another_order_are_found(rows: list[list[int]], random: Any) -> None:
    kept = torch.tensor(rows)
    given_rows = torch.tensor(random.sample(rows, len(rows)))
    place = same_rows(kept, given_rows)
    assert place is not None and torch.equal(kept[place], given_rows)
    assert sorted(place.tolist()) == list(range(len(rows)))
    other = given_rows.clone()
    other[0, 0] += 7
    assert same_rows(kept, other) is None and same_rows(kept, given_rows[:, :2]) is None


def test_a_model_of_another_family_or_with_other_hooks_is_read_by_its_own_forward_pass() -> None:
    config = GPT2Config(
        vocab_size=200, n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1
    )
    other: Any = GPT2LMHeadModel(config).eval()  # type: ignore[no-untyped-call]  # transformers leaves it so
    forbid_token(other, PAD)
    assert isinstance(reader_for(other, "float32", 1.0), PlainReader)
    log_prob, entropy = reader_for(other, "float32", 1.0).read(PackedRows.of(*rows_of(0), PROMPT))
    assert (log_prob < 0).all() and (entropy > 0).all()
    model, _ = adapted_model(None)
    assert readable(model)
    model.lm_head.register_forward_hook(lambda _module, _args, out: out + 1)
    assert not readable(model)


def test_chosen_tokens_stand_for_logits_wherever_trls_loop_looks() -> None:
    logits = torch.randn(3, 4, 11, generator=torch.Generator().manual_seed(0))
    answer = torch.randint(11, (3, 4))
    log_prob, entropy = (part.view(3, 4) for part in from_logits(logits.flatten(0, 1), answer.flatten(), 0.5))
    tokens: Any = ChosenTokens(log_prob=log_prob, entropy=entropy, prompt=6, temperature=0.5)
    part = tokens[:, 5:-1]
    part /= 0.5 + 1e-7
    assert torch.equal(part.log_prob, log_prob)
    plain = (logits / 0.5).log_softmax(-1).gather(-1, answer[..., None])[..., 0]
    torch.testing.assert_close(plain, log_prob)
    share = torch.nn.functional.softmax(part, dim=-1)
    found = torch.logsumexp(part, dim=-1) - torch.sum(share * part, dim=-1)
    assert torch.equal(found, entropy)
    assert torch.equal(tokens[1:2].log_prob, log_prob[1:2])
    with pytest.raises(IndexError, match=r"\[:, 5:-1\]"):
        tokens[:, 4:-1]
    with pytest.raises(ValueError, match=r"temperature 0.5, got 1.0"):
        tokens /= 1.0


def policy(rank: int | None, **options: Any) -> PolicyModule:
    model, adapter = adapted_model(rank)
    given_options: dict[str, Any] = {"pad_id": PAD, "eos_id": 1, "seed": 0, "width": PromptWidth(), **options}
    return PolicyModule(model, adapter=adapter, **given_options)


@pytest.mark.parametrize("rank", [None, 4])
def test_the_kept_pass_is_the_first_epochs_and_only_that(rank: int | None) -> None:
    queries = rows_of(1)[0][:, :PROMPT]
    tuned = policy(rank, keep=True)
    written, old = tuned.rollout(queries, ANSWER)
    assert not old.log_prob.requires_grad
    order = torch.tensor([3, 1, 4, 0, 2])
    seen = written != PAD
    given_rows: dict[str, Tensor] = {
        "input_ids": written.masked_fill(~seen, 0)[order],
        "attention_mask": seen[order],
    }
    first = tuned(**given_rows).logits
    assert torch.equal(first.log_prob, old.log_prob[order])
    first.log_prob.sum().backward()
    slopes = [weight.grad.clone() for weight in tuned.parameters() if weight.grad is not None]
    tuned.zero_grad()
    again = tuned(**given_rows).logits
    assert again.log_prob.grad_fn is not first.log_prob.grad_fn
    again.log_prob.sum().backward()
    repeated = [weight.grad for weight in tuned.parameters() if weight.grad is not None]
    for one, two in zip(slopes, repeated, strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-3)
    tuned.rollout(queries, ANSWER)
    other = tuned(
        input_ids=given_rows["input_ids"][:2], attention_mask=given_rows["attention_mask"][:2]
    ).logits
    torch.testing.assert_close(other.log_prob, first.log_prob[:2], atol=1e-5, rtol=1e-5)


def test_what_the_sampler_says_of_its_tokens_is_what_the_reader_says() -> None:
    queries = rows_of(1)[0][:, :PROMPT]
    said, read = policy(4).rollout(queries, ANSWER)[1], policy(4, keep=True).rollout(queries, ANSWER)[1]
    torch.testing.assert_close(said.log_prob, read.log_prob, atol=1e-4, rtol=1e-4)


def test_without_its_adapter_the_policy_is_the_reference_and_owns_no_weights() -> None:
    tuned, ids = policy(4), rows_of(2)
    base, _ = adapted_model(None)
    tuned.rollout(ids[0][:, :PROMPT], ANSWER)
    bare = Untuned(tuned)
    rows = PackedRows.of(*ids, PROMPT)
    with torch.no_grad():
        expected = rows.table(reader_for(base, "float32", 1.0).read(rows)[0])
    found = bare(input_ids=ids[0], attention_mask=ids[1].bool()).logits.log_prob
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not list(bare.parameters())
    assert (tuned(input_ids=ids[0], attention_mask=ids[1].bool()).logits.log_prob - found).abs().max() > 0.1


@pytest.mark.parametrize("rank", [None, 4])
def test_weights_that_a_step_changed_are_noticed(rank: int | None) -> None:
    model, adapter = adapted_model(rank)
    reader, rows = reader_for(model, "float32", 1.0, adapter), PackedRows.of(*rows_of(0), PROMPT)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    before = reader.read(rows)[0]
    before.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    ClippedAdamW([{"params": weights, "lr": 1e-2}], 1.0, lambda: False).step()
    with torch.no_grad():
        after = reader.read(rows)[0]
        plain = PlainReader(model, "float32", 1.0, adapter).read(rows)[0]
    assert (after - before).abs().max() > 1e-2
    torch.testing.assert_close(after, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(not HALF, reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("minibatches", [1, 2])
def test_in_bfloat16_ratio_is_1_at_learning_rate_0(
    rank: int | None, minibatches: int, tmp_path: Path
) -> None:
    """Old and new log-probs come from one forward pass; only which rows share a product may differ."""
    still = PPOSettings(
        episodes=24, batch_size=8, reference_samples=16, critic_hidden=8, learning_rate=0.0,
        minibatches=minibatches, lora_rank=rank, precision="bfloat16",
    )  # fmt: skip
    for update in tune_ppo(tiny_writer(spread=0.3), PROMPTS, letters, still, 0, tmp_path).updates:
        assert update.ratio == pytest.approx(1, abs=1e-5 if minibatches == 1 else 1e-2)
        assert update.kl == pytest.approx(0, abs=1e-4) and update.clip_fraction == 0


@pytest.mark.skipif(not HALF, reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("rank", [None, 4])
def test_bfloat16_earns_what_single_precision_earns(rank: int | None, tmp_path: Path) -> None:
    """On average over seeds and updates: rounding makes another run of each seed, lucky or not."""
    rate, spread = (3e-3, 0.02) if rank is None else (2e-2, 0.2)
    exact = PPOSettings(
        episodes=640, batch_size=16, minibatches=1, reference_samples=32, critic_hidden=16, learning_rate=rate,
        kl_coef=0.02, lora_rank=rank,
    )  # fmt: skip

    def earned(precision: Literal["float32", "bfloat16"]) -> float:
        rounded = replace(exact, precision=precision)
        runs = [
            [
                u.reward
                for u in tune_ppo(
                    tiny_writer(spread=spread), PROMPTS, letters, rounded, seed, tmp_path
                ).updates
            ]
            for seed in range(4)
        ]
        return float(np.mean([np.mean(run[-8:]) - np.mean(run[:4]) for run in runs]))

    half, single = earned("bfloat16"), earned("float32")
    assert half > 0.05 and half > 0.6 * single


def test_bfloat16_is_refused_where_it_would_be_emulated() -> None:
    if HALF:
        check_precision("bfloat16", tiny_writer())
    elsewhere: Any = SimpleNamespace(generator_id="w", device=torch.device("meta"))
    with pytest.raises(
        DataError, match="needs a processor that multiplies it in hardware, got meta; choose float32"
    ):
        check_precision("bfloat16", elsewhere)
    check_precision("float32", elsewhere)
    with pytest.raises(DataError, match="precision must be float32 or bfloat16, got 'half'"):
        PPOSettings(precision="half")  # type: ignore[arg-type]  # what a caller without types may pass


def test_another_family_is_tuned_too(tmp_path: Path) -> None:
    config = GPT2Config(
        vocab_size=200, n_embd=32, n_layer=1, n_head=2, n_positions=64, bos_token_id=1, eos_token_id=1
    )
    writer = CausalLM(
        model=GPT2LMHeadModel(config),
        tokenizer=tiny_tokenizer(),
        card=WriterCard(generator_id="g", max_new_tokens=6),
    )
    still = PPOSettings(episodes=16, batch_size=8, reference_samples=16, critic_hidden=8, learning_rate=0.0)
    for update in tune_ppo(writer, PROMPTS, letters, still, 0, tmp_path).updates:
        assert update.ratio == pytest.approx(1, abs=1e-5) and update.kl == pytest.approx(0, abs=1e-4)
