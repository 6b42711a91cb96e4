"""Supervised fine-tuning through TRL: the right tokens carry the loss, and the loss falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from copybandit.agents.sft import SFTSettings, response_loss, sft, split_by_prompt
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError
from tests.tiny_lm import brief, smollm2_writer, tiny_writer


def examples(n: int) -> list[tuple[str, str]]:
    return [(field_prompt(brief(i)), f"try the {brief(i).product.name} now") for i in range(n)]


def test_the_loss_falls_on_prompts_never_trained_on(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    settings = SFTSettings(epochs=8, batch_size=16, learning_rate=1e-2)
    result = sft(
        tiny_writer(), examples(60), settings, 0, tmp_path, lambda step, of: steps.append((step, of))
    )
    assert result.loss_after < 0.5 * result.loss_before
    assert result.train_losses[-1] < result.train_losses[0]
    assert steps[-1] == (len(result.train_losses), len(result.train_losses))
    assert result.n_train + result.n_held_out == 60


def test_the_given_writer_stays_and_the_trained_one_samples_like_it_was_trained(tmp_path: Path) -> None:
    writer = tiny_writer(max_new_tokens=16)
    writer.temperature = 0.0
    before = {name: weight.clone() for name, weight in writer.model.state_dict().items()}
    settings = SFTSettings(epochs=20, batch_size=16, learning_rate=1e-2)
    result = sft(writer, [(p, "try it now") for p, _ in examples(40)], settings, 0, tmp_path)
    assert all(torch.equal(weight, before[name]) for name, weight in writer.model.state_dict().items())
    assert result.writer.generator_id == "sft" and result.writer.lineage == "test"
    texts = result.writer.write([examples(50)[45][0]], 4, np.random.default_rng(0))
    assert texts == [["try it now"] * 4]


def test_same_seed_same_weights_and_global_random_state_stays(tmp_path: Path) -> None:
    settings = SFTSettings(epochs=1, batch_size=16, learning_rate=1e-2)
    torch.manual_seed(7)
    state = torch.get_rng_state()
    one = sft(tiny_writer(), examples(40), settings, 3, tmp_path).writer.model.state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(8)
    two = sft(tiny_writer(), examples(40), settings, 3, tmp_path).writer.model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_training_reads_the_tokens_that_sampling_sees() -> None:
    from copybandit.agents.sft_trainer import IGNORED, encode_examples

    writer = tiny_writer()
    pairs = examples(5)
    rows = encode_examples(writer, pairs)
    for row, (prompt, response) in zip(rows, pairs, strict=True):
        carried = [token for token in row["labels"] if token != IGNORED]
        assert carried == writer.response_ids([response])[0] and carried[-1] == writer.eos_id
        assert row["input_ids"] == writer.prompt_ids([prompt])[0] + carried
        assert writer.decode([carried]) == [response]


def test_trl_s_loss_is_the_writer_s_own(tmp_path: Path) -> None:
    pairs = examples(9)
    train, _ = split_by_prompt(pairs, 0.1, 0)
    result = sft(tiny_writer(), pairs, SFTSettings(batch_size=len(train), learning_rate=1e-9), 0, tmp_path)
    assert result.train_losses[0] == pytest.approx(response_loss(tiny_writer(), train), rel=1e-3)


def test_no_prompt_is_on_both_sides() -> None:
    pairs = [(f"p{i % 7} >", f"text {i}") for i in range(50)]
    train, held_out = split_by_prompt(pairs, 0.3, 1)
    assert not {p for p, _ in train} & {p for p, _ in held_out}
    assert sorted(train + held_out) == sorted(pairs)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [([("a >", "x"), ("b >", " ")], "sft example 1"), ([("a >", "x")] * 5, "at least 2 different prompts")],
)
def test_unusable_examples_are_refused(pairs: list[tuple[str, str]], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        sft(tiny_writer(), pairs, SFTSettings(), 0, tmp_path)


@pytest.mark.slow
def test_smollm2_learns(tmp_path: Path) -> None:
    writer = smollm2_writer()
    settings = SFTSettings(max_steps=6, batch_size=8, learning_rate=3e-4, held_out_share=0.2)
    result = sft(writer, examples(40), settings, 0, tmp_path)
    assert result.loss_after < 0.8 * result.loss_before
