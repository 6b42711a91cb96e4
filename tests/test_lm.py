"""The causal-LM writer: deterministic, honest about likelihood, whole on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.generators.lm_files import load_pretrained, tiny_from_bytes
from copybandit.generators.prompts import field_prompt
from copybandit.generators.sampling import SamplingSettings, left_pad, sample_tokens
from copybandit.sim.types import DataError
from tests.tiny_lm import brief, tiny_model, tiny_tokenizer, tiny_writer

BRIEFS = [brief(i, segment=i % 3 > 0) for i in range(13)]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_same_generator_state_same_variants_whatever_the_global_state() -> None:
    writer = tiny_writer()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = writer.propose(BRIEFS, 3, rng())
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert writer.propose(BRIEFS, 3, rng()) == one
    assert writer.propose(BRIEFS, 3, rng(1)) != one


def test_variants_say_for_whom_and_by_whom() -> None:
    variants = tiny_writer().propose(BRIEFS, 2, rng())
    assert [len(row) for row in variants] == [2] * len(BRIEFS)
    for given_brief, row in zip(BRIEFS, variants, strict=True):
        for variant in row:
            assert variant.product_id == given_brief.product.product_id
            assert variant.segment_id == (given_brief.segment.segment_id if given_brief.segment else -1)
            assert variant.generator_id == "test" and variant.text == variant.text.strip() != ""


def test_temperature_zero_takes_the_likeliest_and_ignores_the_seed() -> None:
    writer = tiny_writer()
    writer.temperature = 0.0
    assert writer.propose(BRIEFS, 2, rng()) == writer.propose(BRIEFS, 2, rng(9))


def test_log_prob_is_the_sum_over_answer_tokens_of_the_full_forward_pass() -> None:
    writer = tiny_writer()
    writer.temperature = 0.7
    texts = [f"new {b.product.name} for you"[: 6 + 2 * i] for i, b in enumerate(BRIEFS)]
    ours = writer.log_prob(BRIEFS, texts)
    for i, (one, text) in enumerate(zip(BRIEFS, texts, strict=True)):
        head, tail = writer.prompt_ids([field_prompt(one)])[0], writer.response_ids([text])[0]
        with torch.no_grad():
            logits = writer.model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1] / 0.7
        expected = logits.log_softmax(-1)[range(len(tail)), tail].sum().item()
        assert ours[i] == pytest.approx(expected, rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), batch_size=st.integers(1, 20))
def test_log_prob_does_not_depend_on_batching(seed: int, batch_size: int) -> None:
    writer = tiny_writer(seed=seed)
    texts = [brief(seed + i).product.name for i in range(len(BRIEFS))]
    whole = writer.log_prob(BRIEFS, texts)
    writer.batch_size = batch_size
    np.testing.assert_allclose(writer.log_prob(BRIEFS, texts), whole, rtol=1e-4)
    assert (whole < 0).all()


def test_answers_of_one_token_have_probabilities_that_sum_to_one() -> None:
    writer = tiny_writer(max_new_tokens=1)
    ids, mask = left_pad(writer.prompt_ids([field_prompt(BRIEFS[0])]), writer.pad_id, writer.device)
    drawing = SamplingSettings(max_new_tokens=1, temperature=1.0, eos_id=1, pad_id=0)
    drawn = sample_tokens(writer.model, ids, mask, drawing, torch.Generator(), copies=3000, keep_scores=True)
    assert drawn.scores is not None
    pmf = drawn.scores[0, 0].softmax(-1).double().numpy()
    assert pmf.sum() == pytest.approx(1) and pmf[writer.pad_id] == 0
    share = np.bincount(drawn.tokens[:, 0].numpy(), minlength=len(pmf)) / 3000
    assert np.abs(share - pmf).max() < 5 * np.sqrt(pmf.max() / 3000)


def test_rows_that_end_leave_the_batch_without_changing_the_others() -> None:
    """Scores kept while sampling equal those of one full forward pass over the finished rows."""
    writer = tiny_writer(max_new_tokens=20)
    eager = torch.nn.functional.one_hot(torch.tensor(writer.eos_id), 200) * 3.0
    writer.model.get_output_embeddings().register_forward_hook(lambda _module, _args, out: out + eager)
    ids, mask = left_pad(writer.prompt_ids([field_prompt(b) for b in BRIEFS]), 0, writer.device)
    drawing = SamplingSettings(max_new_tokens=20, temperature=1.3, eos_id=1, pad_id=0)
    drawn = sample_tokens(writer.model, ids, mask, drawing, torch.Generator(), copies=4, keep_scores=True)
    assert drawn.scores is not None
    ids, mask = ids.repeat_interleave(4, 0), mask.repeat_interleave(4, 0)
    alive = (drawn.tokens != 0).long()
    assert 0.1 < alive.float().mean() < 0.9
    full_mask = torch.cat([mask, alive], 1)
    with torch.no_grad():
        logits = writer.model(
            torch.cat([ids, drawn.tokens], 1),
            attention_mask=full_mask,
            position_ids=(full_mask.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=alive.shape[1] + 1,
        ).logits[:, :-1]
    torch.testing.assert_close(drawn.scores[alive.bool()], (logits / 1.3)[alive.bool()], atol=1e-4, rtol=1e-4)


def test_an_empty_text_is_impossible_and_unequal_lengths_are_refused() -> None:
    writer = tiny_writer()
    assert writer.log_prob(BRIEFS[:2], ["", "mug"])[0] == -np.inf
    with pytest.raises(DataError, match="2 prompts, 1 texts"):
        writer.log_prob(BRIEFS[:2], ["mug"])


def test_a_writer_that_only_ends_falls_back_to_the_product_name() -> None:
    writer = tiny_writer()
    head = writer.model.get_output_embeddings()
    head.register_forward_hook(lambda _module, _args, out: out.index_fill(-1, torch.tensor([1]), 1e4))
    assert [row[0].text for row in writer.propose(BRIEFS, 1, rng())] == [b.product.name for b in BRIEFS]


def test_nothing_asked_nothing_written() -> None:
    assert tiny_writer().propose([], 3, rng()) == []
    assert len(tiny_writer().log_prob([], [])) == 0


def test_pad_equal_to_eos_is_refused_in_one_line() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "<eos>"
    with pytest.raises(DataError, match="pad token must differ from eos token '<eos>'") as caught:
        CausalLM(model=tiny_model(), tokenizer=tokenizer, card=WriterCard(generator_id="x"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_senseless_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(DataError, match="temperature"):
        WriterCard(generator_id="x", temperature=temperature)


def test_a_saved_writer_comes_back_whole(tmp_path: Path) -> None:
    writer = tiny_writer()
    writer.temperature = 0.8
    folder = writer.save(tmp_path / "deep" / "writer")
    again = CausalLM.load(str(folder))
    assert again.card == writer.card
    assert again.propose(BRIEFS, 2, rng()) == writer.propose(BRIEFS, 2, rng())
    np.testing.assert_allclose(again.log_prob(BRIEFS, ["mug"] * 13), writer.log_prob(BRIEFS, ["mug"] * 13))
    assert CausalLM.load(str(folder), generator_id="b", temperature=0.0).card.temperature == 0.0
    with pytest.raises(DataError, match="not empty"):
        writer.save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["writer"]


@pytest.mark.parametrize("spec", ["no-such-folder", "hf:", "."])
def test_unloadable_specs_are_refused_in_one_line(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        CausalLM.load(spec)
    assert "\n" not in str(caught.value)


def test_the_shipped_format_loads_half_weights_as_single(tmp_path: Path) -> None:
    model = tiny_model()
    state = {name: weight.half() for name, weight in model.state_dict().items() if name != "lm_head.weight"}
    save_file(state, tmp_path / "tiny.safetensors")
    config = json.dumps(model.config.to_dict()).encode()
    tokenizer = tiny_tokenizer().backend_tokenizer.to_str().encode()
    weights = (tmp_path / "tiny.safetensors").read_bytes()
    loaded, fast = tiny_from_bytes(weights, config, tokenizer)
    assert all(weight.dtype == torch.float32 for weight in loaded.state_dict().values())
    writer = CausalLM(model=loaded, tokenizer=fast, card=WriterCard(generator_id="tiny"))
    expected = tiny_writer().log_prob(BRIEFS, ["new mug"] * 13)
    np.testing.assert_allclose(writer.log_prob(BRIEFS, ["new mug"] * 13), expected, rtol=1e-2)
    wrong = json.dumps({**model.config.to_dict(), "num_hidden_layers": 2}).encode()
    with pytest.raises(DataError, match="do not fit"):
        tiny_from_bytes(weights, wrong, tokenizer)


def test_the_shipped_writer_is_small_and_writes() -> None:
    writer = CausalLM.load("tiny", temperature=0.9)
    assert 3e6 < sum(weight.numel() for weight in writer.model.parameters()) < 6e6
    assert (writer.generator_id, writer.pad_id, writer.eos_id) == ("tiny", 0, 1)
    variants = writer.propose(BRIEFS, 4, rng())
    texts = {variant.text for row in variants for variant in row}
    assert len(texts) > 2 * len(BRIEFS)
    assert writer.propose(BRIEFS, 4, rng()) == variants


def test_leftover_sampling_defaults_are_dropped() -> None:
    model = tiny_model()
    model.generation_config.repetition_penalty = 1.3
    writer = CausalLM(model=model, tokenizer=tiny_tokenizer(), card=WriterCard(generator_id="x"))
    assert writer.model.generation_config.repetition_penalty in (None, 1.0)
    assert (writer.eos_id, writer.pad_id, writer.tokenizer.padding_side) == (1, 0, "left")


def test_a_clone_has_weights_of_its_own() -> None:
    writer = tiny_writer()
    twin = writer.clone("twin")
    with torch.no_grad():
        twin.model.get_output_embeddings().weight.zero_()
    assert writer.model.get_output_embeddings().weight.abs().sum() > 0
    assert (twin.generator_id, twin.lineage, writer.generator_id) == ("twin", "test", "test")


def test_only_safetensors_are_read(tmp_path: Path) -> None:
    folder = tiny_writer().save(tmp_path / "w")
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot load"):
        load_pretrained(str(folder))
