"""What a language model makes of a text: measured right, the same whatever stands beside it, pinned to its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.generators.lm import CausalLM
from copybandit.sim.pretrained import network
from copybandit.sim.reader import MEASURES, Reader, surprises
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import DataError

TEXTS = ["A warm lamp for long evenings.", "lamp evenings warm A long for.", "", "word " * 300, "🎉🎉🎉"]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Of the small writer that comes with the package, in a folder of its own."""
    monkeypatch.setenv("COPYBANDIT_CACHE", str(tmp_path / "cache"))
    CausalLM.load("tiny").save(tmp_path / "tiny")
    return Reader.load(tmp_path / "tiny")


def test_neighbours_do_not_change_a_vector(reader: Reader) -> None:
    together = reader.encode(TEXTS)
    assert together.shape == (len(TEXTS), reader.dimension) and np.isfinite(together).all()
    alone = replace(reader)  # a copy with an empty memory
    found = np.concatenate([alone.encode([text]) for text in TEXTS[::-1]])[::-1]
    np.testing.assert_array_equal(found, together)
    assert reader.encode([]).shape == (0, reader.dimension)


def test_surprisal_is_the_models_own(reader: Reader) -> None:
    import torch

    model, tokenizer = network(Path(reader.name), "AutoModelForCausalLM")
    text, end = TEXTS[0], tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    ids = torch.tensor([[start, *tokenizer(text, add_special_tokens=False)["input_ids"], end]])
    with torch.inference_mode():
        log_prob = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float(), -1)
    nats = -log_prob.gather(1, ids[0, 1:, None])[:, 0].numpy()
    found = dict(zip(MEASURES, reader.encode([text])[0], strict=False))
    assert found["mean"] == pytest.approx(nats[:-1].mean(), rel=0.05)
    assert found["worst"] == pytest.approx(nats[:-1].max(), rel=0.05)
    assert found["end"] == pytest.approx(nats[-1], rel=0.2, abs=0.1)
    assert found["length"] == pytest.approx(np.log(len(nats)))


def test_files_bring_it_back_and_refuse_other_weights(reader: Reader, tmp_path: Path) -> None:
    save_record(tmp_path / "reader", reader)
    again = load_record(tmp_path / "reader", Reader)
    assert again == reader
    np.testing.assert_array_equal(again.encode(TEXTS), reader.encode(TEXTS))
    with pytest.raises(DataError, match="must be the model with hash 000000000000, got"):
        replace(reader, digest="0" * 64).encode(["new text"])
    with pytest.raises(DataError, match=r"must be a folder with config\.json"):
        replace(reader, name="nowhere").encode(["new text"])


@given(st.lists(st.lists(st.floats(0, 20), min_size=1, max_size=9), min_size=1, max_size=5))
def test_measures_are_those_of_each_text_alone(texts: list[list[float]]) -> None:
    longest = max(map(len, texts))
    nats = np.array([[*text, *[99.0] * (longest - len(text))] for text in texts])
    seen = np.array([[i < len(text) for i in range(longest)] for text in texts])
    for row, text in zip(surprises(nats, seen), texts, strict=True):
        own = text[:-1] or text  # an empty text has its end alone
        found = dict(zip(MEASURES, row, strict=True))
        runs = [np.mean(own[i : i + 3]) for i in range(len(own) - 2)]
        assert found["mean"] == pytest.approx(np.mean(own))
        assert found["mean_after_first"] == pytest.approx(np.mean(own[1:] or own))
        assert found["worst"] == pytest.approx(max(own))
        assert found["three_worst"] == pytest.approx(np.mean(sorted(own)[-3:]))
        assert found["worst_run"] == pytest.approx(max([*runs, np.mean(own)]))
        assert found["end"] == text[-1] and found["length"] == pytest.approx(np.log1p(len(own)))
        assert found["over_6"] == pytest.approx(np.mean(np.array(own) > 6))
