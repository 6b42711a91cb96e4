"""MiniLM: pinned, the same whatever stands beside a text, and read from disk the second time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.generators.lm_files import quiet_transformers
from copybandit.sim.sentence import MINILM, PACKAGE, Sentence, has_minilm, model_folder
from copybandit.sim.store import load_record, save_record
from copybandit.sim.text_cache import LEAST, TextCache
from copybandit.sim.types import DataError

TEXTS = [
    "A warm lamp for long evenings.",
    "Light up the evening with a lamp.",
    "Our cat sat on the wall!",
    "",
    "word " * 300,
    "🎉🎉🎉",
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COPYBANDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def minilm(cache: Path) -> Sentence:
    if not has_minilm():
        pytest.skip(f"MINILM ABSENT: install torch, transformers and {PACKAGE}")
    return Sentence.load()


def test_neighbours_do_not_change_a_vector(minilm: Sentence, monkeypatch: pytest.MonkeyPatch) -> None:
    together = minilm.encode(TEXTS)
    assert together.shape == (len(TEXTS), minilm.dimension) and together.dtype == np.float64
    assert np.isfinite(together).all()
    alone = replace(minilm)  # a copy with an empty memory
    np.testing.assert_array_equal(
        np.concatenate([alone.encode([text]) for text in TEXTS[::-1]])[::-1], together
    )
    assert minilm.encode([]).shape == (0, minilm.dimension)


def test_it_is_the_sentence_vector_of_the_full_precision_model(minilm: Sentence) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    x = Sentence.load(layers=(6,), unit=True).encode(TEXTS[:3])
    folder = model_folder(MINILM)
    with quiet_transformers():
        model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for text, row in zip(TEXTS[:3], x, strict=True):
        with torch.inference_mode():
            mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
        assert mean @ row / np.linalg.norm(mean) > 0.9995
    assert x[0] @ x[1] > x[0] @ x[2] + 0.4


def test_files_bring_it_back_and_refuse_other_weights(minilm: Sentence, tmp_path: Path) -> None:
    save_record(tmp_path / "encoder", minilm)
    again = load_record(tmp_path / "encoder", Sentence)
    assert again == minilm
    np.testing.assert_array_equal(again.encode(TEXTS), minilm.encode(TEXTS))
    with pytest.raises(DataError, match="must be the model with hash 000000000000, got"):
        replace(minilm, digest="0" * 64).encode(["new text"])


def test_the_second_run_reads_from_disk(minilm: Sentence, cache: Path) -> None:
    texts = [f"A mug, number {i}." for i in range(LEAST)]
    first = minilm.encode(texts)
    (folder,) = (cache / "texts").iterdir()
    assert len(list(folder.iterdir())) == 1
    np.testing.assert_array_equal(replace(minilm).encode(texts), first)
    assert len(list(folder.iterdir())) == 1


def test_a_folder_serves_like_the_package(minilm: Sentence) -> None:
    named = Sentence.load(str(model_folder(MINILM)))
    assert named.digest == minilm.digest
    np.testing.assert_array_equal(named.encode(TEXTS[:2]), minilm.encode(TEXTS[:2]))
    with pytest.raises(DataError, match=r"layers must be in \[0, 6\], got \(7,\)"):
        Sentence.load(layers=(7,))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be minilm or a folder with config\.json"):
        Sentence.load(str(tmp_path))


def test_the_cache_forgets_broken_files(tmp_path: Path) -> None:
    texts, rows = [f"text {i}" for i in range(LEAST)], np.arange(2 * LEAST, dtype=np.float32).reshape(-1, 2)
    TextCache(tmp_path / "a").put(texts, rows)
    (path,) = (tmp_path / "a").iterdir()
    np.testing.assert_array_equal(np.array(TextCache(tmp_path / "a").get(texts)), rows)
    assert TextCache(tmp_path / "a").get(["another"]) == [None]
    path.write_bytes(path.read_bytes()[:40])
    assert TextCache(tmp_path / "a").get(texts) == [None] * LEAST


def test_few_texts_stay_in_memory(tmp_path: Path) -> None:
    cache = TextCache(tmp_path / "a")
    cache.put(["one"], np.ones((1, 2), np.float32))
    assert cache.get(["one"])[0] is not None and not (tmp_path / "a").exists()
