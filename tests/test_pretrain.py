"""How the small writer is made, and what the shipped one can do on products it has never met."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.corpus import draw_brief, draw_corpus, hard_moves
from copybandit.agents.pretrain import PretrainSettings, pretrain
from copybandit.generators.editor import check, names_product
from copybandit.generators.grammar import moves, write
from copybandit.generators.lm import CausalLM
from copybandit.sim.catalogue import draw_product
from copybandit.sim.types import Brief

SMALL = PretrainSettings(
    steps=3,
    batch_size=4,
    vocab_size=400,
    tokenizer_texts=500,
    hidden=32,
    layers=1,
    heads=2,
    second_steps=2,
    third_steps=2,
    third_tokens=300,
    chinese_tokens=200,
    seed=5,
)


def test_the_same_settings_make_the_same_writer(tmp_path: Path) -> None:
    told: list[int] = []
    for name in ("one", "two"):
        pretrain(SMALL, tmp_path / name, lambda step, loss: told.append(step))
    assert told == [1, 2, 3, 4, 5, 6, 7] * 2
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["tiny.safetensors", "tiny_config.json", "tiny_tokenizer.json"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_hard_moves_take_two_words_of_a_kind_or_begin_with_one() -> None:
    names = {move.move_id for move in hard_moves()}
    assert {"int-two", "int-two-love", "int-fans", "q-two", "plain-list"} <= names
    assert len(names) < len(moves()) / 3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_corpus_repeats_and_hard_texts_are_as_honest_as_others(seed: int) -> None:
    corpus = draw_corpus(8, np.random.default_rng(seed), hard_share=1.0)
    assert corpus == draw_corpus(8, np.random.default_rng(seed), hard_share=1.0)
    rng = np.random.default_rng(seed)
    brief = draw_brief(rng)
    for move in hard_moves():
        assert "repeats" not in {row.rule for row in check(brief, write(brief, rng, move))}


def test_the_shipped_writer_keeps_to_products_it_has_never_met() -> None:
    rng = np.random.default_rng(11)
    briefs = [Brief(product=draw_product("p", rng), segment=draw_brief(rng).segment) for _ in range(300)]
    writer = CausalLM.load("tiny", temperature=0.8)
    texts = [variants[0].text for variants in writer.propose(briefs, 1, rng)]
    rules = [{row.rule for row in check(brief, text)} for brief, text in zip(briefs, texts, strict=True)]
    named = np.mean([names_product(brief, text) for brief, text in zip(briefs, texts, strict=True)])
    assert named >= 0.95
    assert np.mean(["number" in broken for broken in rules]) <= 0.02
    assert np.mean(["repeats" in broken for broken in rules]) <= 0.04
    assert np.mean([bool(broken) for broken in rules]) <= 0.15


def test_the_shipped_writer_can_say_every_move() -> None:
    rng = np.random.default_rng(12)
    briefs = [
        row for row in (draw_brief(rng) for _ in range(400)) if row.segment and len(row.segment.interests) > 2
    ]
    writer = CausalLM.load("tiny", temperature=0.8)
    likely = {}
    for move in moves():
        texts = [write(brief, rng, move) for brief in briefs[:12]]
        likely[move.move_id] = float(np.median(writer.log_prob(briefs[:12], texts)))
    # Evenly drawn, a move is worth log(1/76) = -4.3 nats, and the order of three interests at most -1.8 more.
    rare = {name: value for name, value in likely.items() if value < -12}
    assert not rare
