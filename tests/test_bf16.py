"""bfloat16: what it changes in a writer, where it is recorded, and where it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from copybandit.generators.decoding import decoder_for, multiplies_bf16
from copybandit.generators.int8 import quantise
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.sampling import SamplingSettings, left_pad, sample_with
from tests.test_generate import MUG, catalogue, command, table
from tests.tiny_lm import brief

CPU = torch.device("cpu")
BRIEFS = [brief(i, segment=i % 3 > 0) for i in range(13)]


def test_bfloat16_writes_almost_what_single_precision_would() -> None:
    """KL to single precision on copies that bfloat16 wrote, nats a token; how likely a text is stays exact."""
    if not multiplies_bf16(CPU):
        pytest.skip("this processor does not multiply bfloat16")
    writer = CausalLM.load("tiny")
    ids, mask = left_pad(writer.prompt_ids([field_prompt(b) for b in BRIEFS]), writer.pad_id, CPU)
    drawing = SamplingSettings(max_new_tokens=24, temperature=1.0, eos_id=1, pad_id=0)
    rounded, exact = (
        sample_with(reader, ids, mask, drawing, torch.Generator().manual_seed(0), keep_scores=True)
        for reader in (decoder_for(writer.model, bf16=True), decoder_for(writer.model))
    )
    assert rounded.scores is not None and exact.scores is not None
    one, two = (scores[:, 0].log_softmax(-1) for scores in (rounded.scores, exact.scores))
    assert 0 < (one.exp() * (one - two)).sum(-1).mean() < 1e-3
    before = writer.log_prob(BRIEFS, ["new mug"] * 13)
    writer.bf16 = True
    np.testing.assert_array_equal(writer.log_prob(BRIEFS, ["new mug"] * 13), before)
    again = np.random.default_rng
    assert writer.propose(BRIEFS, 2, again(0)) == writer.propose(BRIEFS, 2, again(0))


def test_bf16_is_recorded_or_refused(tmp_path: Path) -> None:
    path = catalogue(tmp_path, MUG)
    options = (path, "--bf16", "--n", "8", "--out", tmp_path / "run")
    if multiplies_bf16(torch.device("cpu")):
        done = command(*options)
        assert done.returncode == 0, done.stderr
        assert "bf16: true" in (tmp_path / "run" / "config.yaml").read_text()
        written = [row for row in table(tmp_path / "run" / "copy.csv") if row["fallback"] == "false"]
        assert written and all(row["lineage"] == "bf16" for row in written)
    else:
        done = command(*options)
        assert done.returncode == 2 and "does not multiply bfloat16" in done.stderr
    small = quantise(CausalLM.load("tiny"), "small").save(tmp_path / "int8")
    for writer, reason in (("template", "a writer that is a model"), (small, "its layers are int8")):
        refused = command(path, "--bf16", "--writer", writer)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert reason in refused.stderr.strip().splitlines()[-1]
