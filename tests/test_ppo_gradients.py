"""Gradients that PPO works out by hand, against torch's own; rounding; the adapter on after the reference; memory kept."""

from __future__ import annotations

import platform
import resource

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.chosen_tokens import chosen, from_logits
from copybandit.agents.joined_linear import JoinedLinear
from copybandit.agents.packed_rows import PackedRows
from copybandit.agents.policy_module import Untuned
from copybandit.agents.readers import PlainReader, reader_for
from copybandit.agents.short_attention import looked
from copybandit.agents.trl_guard import kept_memory
from tests.test_ppo_speed import ANSWER, HALF, PAD, PROMPT, adapted_model, gradients, policy, rows_of


@pytest.mark.skipif(not HALF, reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("short", [0, 128])
def test_in_bfloat16_the_fast_reader_errs_no_more_than_torchs_autocast_does(
    rank: int | None, short: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against single precision; the bound is twice the error of the model's own forward pass, for rounding is chance."""
    monkeypatch.setattr("copybandit.agents.llama_reader.SHORT", short)
    model, adapter = adapted_model(rank, kv_heads=2)
    rows = PackedRows.of(*rows_of(4), PROMPT)
    fast, plain, exact = (
        gradients(model, reader, rows)
        for reader in (
            reader_for(model, "bfloat16", 0.8, adapter),
            PlainReader(model, "bfloat16", 0.8, adapter),
            reader_for(model, "float32", 0.8, adapter),
        )
    )
    assert (fast[0] - exact[0]).norm() < 2 * (plain[0] - exact[0]).norm()
    assert (fast[1] - exact[1]).norm() < 2 * (plain[1] - exact[1]).norm()
    of_fast, of_plain, of_exact = (
        torch.cat([slope.flatten() for slope in found[2].values()]) for found in (fast, plain, exact)
    )
    assert (of_fast - of_exact).norm() < 2 * (of_plain - of_exact).norm() < of_exact.norm()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from([(2, 1), (2, 2), (6, 2)]))
def test_short_rows_look_as_torchs_own_attention_does(seed: int, b: int, heads_of: tuple[int, int]) -> None:
    (queries, kv), size = heads_of, 8
    rows = PackedRows.of(*rows_of(seed, b), PROMPT)
    heads = torch.randn(
        len(rows.tokens), queries + 2 * kv, size, generator=torch.Generator().manual_seed(seed)
    )
    angle = torch.arange(rows.longest)[:, None] * torch.tensor([1.0, 0.5, 0.2, 0.1])
    turn = torch.polar(torch.ones_like(angle), angle)[:, None]
    ours, theirs = heads.clone().requires_grad_(), heads.clone().requires_grad_()
    found = looked(ours, turn, rows, queries)
    pairs = torch.view_as_complex(theirs[:, : queries + kv].reshape(len(heads), queries + kv, -1, 2))
    turned = torch.view_as_real(pairs * turn[rows.position]).flatten(-2)
    table = rows.apart(torch.cat([turned, theirs[:, queries + kv :]], 1)).transpose(1, 2)
    query, key, value = torch.split(table, [queries, kv, kv], 1)
    mixed = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, enable_gqa=True
    )
    plain = rows.together(mixed.transpose(1, 2)).flatten(1)
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
    slope = found.detach().cos()
    found.backward(slope)  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    plain.backward(slope)  # type: ignore[no-untyped-call]  # torch leaves it without annotations
    assert ours.grad is not None and theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.6, 1.0])
def test_chosen_tokens_have_the_gradient_of_their_log_softmax(temperature: float) -> None:
    torch.manual_seed(0)
    layer, answer = torch.nn.Linear(8, 50, bias=False), torch.randint(1, 50, (70,))
    hidden = torch.randn(70, 8, requires_grad=True)
    weight = torch.randn(70)
    log_prob, entropy = chosen(hidden, JoinedLinear([layer], torch.float32), answer, temperature, 0)
    ours = torch.autograd.grad((log_prob * weight).sum(), [hidden, layer.weight])
    logits = layer(hidden).index_fill(1, torch.tensor([0]), -1e4)
    plain = from_logits(logits, answer, temperature)
    theirs = torch.autograd.grad((plain[0] * weight).sum(), [hidden, layer.weight])
    for one, two in zip((log_prob, entropy, *ours), (*plain, *theirs), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_after_the_reference_has_read_the_policy_writes_with_its_adapter_on() -> None:
    """With one pass over a batch, that of the rollout, nothing is read between the reference and the next rollout."""
    queries = rows_of(1)[0][:, :PROMPT]
    tuned = policy(4, keep=True)
    state = tuned.generator.get_state()
    before, _ = tuned.rollout(queries, ANSWER)
    Untuned(tuned)(input_ids=before, attention_mask=before != PAD)
    tuned.generator.set_state(state)
    after, _ = tuned.rollout(queries, ANSWER)
    assert torch.equal(before, after)


def test_memory_that_tuning_frees_is_taken_again_without_asking_the_system() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("this C library has no way to be told")
    pages, turns = 2**14, 16  # 64 MB at a time
    with kept_memory():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(turns):
            torch.ones(pages * 1024)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < turns * pages / 2  # a heap in pieces may ask twice; one not kept asks in every turn
