"""Adapters: they start at the base, learn, leave it alone, survive the disk, and fold in where they can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from copybandit.agents.adapters import CHOICES, AdapterSettings, Choice, attach, ranks
from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.agents.reward_seam import Reward
from copybandit.agents.sft import SFTResult, SFTSettings, sft
from copybandit.generators.adapters import merge_adapter, weights_hash
from copybandit.generators.check import check_generator
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_model, tiny_tokenizer

ADAPTERS: tuple[Choice, ...] = CHOICES[1:]
BRIEFS = [brief(i) for i in range(40)]
PROMPTS = [field_prompt(one) for one in BRIEFS]
TEXTS = [f"try the {one.product.name} now" for one in BRIEFS]
RATES: dict[Choice, float] = {"none": 3e-3, "lora": 3e-2, "adalora": 5e-2, "prefix": 5e-2}


def writer_on_disk(folder: Path) -> CausalLM:
    """A writer of two layers whose texts depend on the whole prompt, with its weights in a folder."""
    card = WriterCard(generator_id="base", max_new_tokens=8)
    writer = CausalLM(model=tiny_model(layers=2, spread=0.3), tokenizer=tiny_tokenizer(), card=card)
    writer.save(folder)
    return writer


def trained(writer: CausalLM, kind: Choice, folder: Path, epochs: int = 12) -> SFTResult:
    adapter = AdapterSettings(kind=kind, rank=2, prefix_tokens=4)
    settings = SFTSettings(epochs=epochs, batch_size=12, learning_rate=RATES[kind], adapter=adapter)
    return sft(writer, list(zip(PROMPTS, TEXTS, strict=True)), settings, 0, folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> CausalLM:
    return writer_on_disk(tmp_path_factory.mktemp("base") / "writer")


@pytest.fixture(scope="module")
def results(base: CausalLM, tmp_path_factory: pytest.TempPathFactory) -> dict[Choice, SFTResult]:
    return {kind: trained(base, kind, tmp_path_factory.mktemp(kind)) for kind in ADAPTERS}


@pytest.mark.parametrize("kind", CHOICES)
def test_before_training_every_kind_is_the_base(kind: Choice, base: CausalLM) -> None:
    state = torch.get_rng_state()
    student = attach(base, AdapterSettings(kind=kind), generator_id="s", seed=0, steps=40)
    assert torch.equal(state, torch.get_rng_state())
    # Zero KL: not small, but the very same number for every text.
    np.testing.assert_array_equal(student.log_prob(BRIEFS, TEXTS), base.log_prob(BRIEFS, TEXTS))
    rng = np.random.default_rng
    assert student.write(PROMPTS, 2, rng(0)) == base.write(PROMPTS, 2, rng(0))


@pytest.mark.parametrize("kind", ADAPTERS)
def test_only_the_adapter_learns_and_it_does(
    kind: Choice, base: CausalLM, results: dict[Choice, SFTResult]
) -> None:
    result = results[kind]
    assert result.loss_after < 0.7 * result.loss_before
    before = weights_hash(base.model)
    theirs = {name.replace(".base_layer", ""): w for name, w in result.writer.model.state_dict().items()}
    assert all(torch.equal(weight, theirs[name]) for name, weight in base.model.state_dict().items())
    assert weights_hash(base.model) == before and base.adapter is None
    frozen = sum(w.numel() for w in base.model.parameters())
    everything = sum(w.numel() for w in result.writer.model.parameters())
    assert 0 < everything - frozen < 0.5 * frozen


@pytest.mark.parametrize("kind", ADAPTERS)
def test_saved_alone_and_loaded_onto_the_base(
    kind: Choice, results: dict[Choice, SFTResult], tmp_path: Path
) -> None:
    writer = results[kind].writer
    writer.temperature = 0.8
    folder = writer.save(tmp_path / "adapter")
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        assert not any("embed_tokens" in name or "base_layer" in name for name in file.keys())
    assert not list(folder.glob("model*.safetensors"))
    again = CausalLM.load(str(folder))
    assert again.card == writer.card and again.adapter is not None and again.adapter.card.kind == kind
    np.testing.assert_allclose(again.log_prob(BRIEFS, TEXTS), writer.log_prob(BRIEFS, TEXTS), rtol=1e-6)
    check_generator(again, BRIEFS[:4], np.random.default_rng(0))
    twin = again.clone("twin")
    np.testing.assert_allclose(twin.log_prob(BRIEFS, TEXTS), writer.log_prob(BRIEFS, TEXTS), rtol=1e-6)


@pytest.mark.parametrize("kind", ["lora", "adalora"])
def test_merged_it_is_a_plain_writer_that_finds_texts_as_likely(
    kind: Choice, base: CausalLM, results: dict[Choice, SFTResult], tmp_path: Path
) -> None:
    writer = results[kind].writer
    before = writer.log_prob(BRIEFS, TEXTS)
    merged = merge_adapter(writer)
    np.testing.assert_allclose(merged.log_prob(BRIEFS, TEXTS), before, rtol=1e-4)
    np.testing.assert_array_equal(writer.log_prob(BRIEFS, TEXTS), before)
    assert merged.adapter is None and set(merged.model.state_dict()) == set(base.model.state_dict())
    plain = CausalLM.load(str(merged.save(tmp_path / "merged")))
    np.testing.assert_allclose(plain.log_prob(BRIEFS, TEXTS), before, rtol=1e-4)


def test_what_cannot_be_merged_says_so(base: CausalLM, results: dict[Choice, SFTResult]) -> None:
    with pytest.raises(DataError, match="a prefix cannot be merged"):
        merge_adapter(results["prefix"].writer)
    with pytest.raises(DataError, match="carries no adapter to merge"):
        merge_adapter(base)


def test_adalora_shares_ranks_out_unequally_and_within_its_budget(results: dict[Choice, SFTResult]) -> None:
    kept = ranks(results["adalora"].writer)
    assert len(kept) == 14 and sum(kept.values()) == 2 * 14
    assert len(set(kept.values())) > 1 and max(kept.values()) == 3
    assert set(ranks(results["lora"].writer).values()) == {2} and not ranks(results["prefix"].writer)


def test_adalora_s_loss_holds_its_orthogonality_term(results: dict[Choice, SFTResult]) -> None:
    """Half the mean distance of P^T P from I, which is near sqrt(rank) before the first step; both texts are the same."""
    term = results["adalora"].train_losses[0] - results["lora"].train_losses[0]
    assert term == pytest.approx(0.5 * np.sqrt(3), rel=0.05)


def test_another_base_is_refused(base: CausalLM, results: dict[Choice, SFTResult], tmp_path: Path) -> None:
    folder = results["lora"].writer.save(tmp_path / "adapter")
    other = CausalLM(model=tiny_model(layers=2, seed=5), tokenizer=tiny_tokenizer(), card=base.card)
    other.save(tmp_path / "other")
    card = folder / "adapter.json"
    card.write_text(card.read_text().replace(str(base.source), str(tmp_path / "other")))
    with pytest.raises(DataError, match=r"base must have hash \w+, got \w+ from .*other") as caught:
        CausalLM.load(str(folder))
    assert "\n" not in str(caught.value)


def test_an_adapter_of_a_base_that_is_nowhere_is_not_saved(tmp_path: Path) -> None:
    card = WriterCard(generator_id="base")
    unsaved = CausalLM(model=tiny_model(), tokenizer=tiny_tokenizer(), card=card)
    student = attach(unsaved, AdapterSettings(kind="lora"), generator_id="s", seed=0, steps=9)
    with pytest.raises(DataError, match="must be on disk, got one that was never saved"):
        student.save(tmp_path / "adapter")
    assert not list(tmp_path.iterdir())


def test_an_adapted_writer_is_not_trained_again(results: dict[Choice, SFTResult], tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"must carry no adapter to be trained, got lora; train merge_adapter"
    ):
        trained(results["lora"].writer, "none", tmp_path)
    with pytest.raises(DataError, match="must carry no adapter to be trained, got prefix"):
        tune_ppo(results["prefix"].writer, PROMPTS, _nothing, PPOSettings(batch_size=8), 0, tmp_path)


def _nothing(cells: Ints, texts: list[str]) -> Reward:
    return Reward(total=np.zeros(len(texts)))


def test_too_few_steps_for_adalora_are_refused(base: CausalLM, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least 10 optimizer steps to share out ranks, got 3"):
        trained(base, "adalora", tmp_path, epochs=1)


@pytest.mark.parametrize("wrong", [{"kind": "ia3"}, {"rank": 0}, {"prefix_tokens": 0}])
def test_senseless_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError, match="adapter: "):
        AdapterSettings(**wrong)  # type: ignore[arg-type]  # what a config file might say
