"""The vocabulary: Chinese comes behind English and changes nothing of it."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from copybandit.agents.corpus import draw_corpus
from copybandit.agents.corpus_kinds import common_characters, draw_chinese_texts
from copybandit.agents.tiny_tokens import characters, train_tokenizer, with_chinese, word_pieces
from copybandit.generators.lm import CausalLM

OLD = train_tokenizer(draw_corpus(300, np.random.default_rng(0)), 500)
TEXTS = draw_chinese_texts(200, np.random.default_rng(1))
NEW = with_chinese(OLD, TEXTS, common_characters()[:100], 400)
SHIPPED = CausalLM.load("tiny").tokenizer.backend_tokenizer
ENGLISH = 2048
"""Tokens of the shipped vocabulary that were learned from English copy."""


@given(st.text(st.characters(max_codepoint=127)))
@settings(max_examples=200, deadline=None)
def test_english_falls_into_the_same_tokens(text: str) -> None:
    assert NEW.encode(text).ids == OLD.encode(text).ids
    assert NEW.decode(NEW.encode(text).ids) == text
    assert all(token < ENGLISH for token in SHIPPED.encode(text).ids)


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_every_text_comes_back(text: str) -> None:
    clean = text.encode("utf-8", "ignore").decode()
    assert NEW.decode(NEW.encode(clean).ids) == clean


def test_common_characters_become_one_token_and_old_numbers_stay() -> None:
    assert NEW.get_vocab_size() == OLD.get_vocab_size() + 400
    assert OLD.get_vocab().items() <= NEW.get_vocab().items()
    assert set(common_characters()[:100]) <= set(characters(NEW))
    assert word_pieces(NEW) == word_pieces(OLD)
    before, after = (sum(len(made.encode(text).ids) for text in TEXTS) for made in (OLD, NEW))
    assert after < 0.65 * before


def test_the_shipped_vocabulary_knows_chinese_and_its_merges_hold_no_english() -> None:
    merges = json.loads(SHIPPED.to_str())["model"]["merges"]
    ascii_bytes = {chr(code) for code in range(33, 127)} | {"\u0120"}
    added = [pair for pair in merges if SHIPPED.get_vocab()["".join(pair)] >= ENGLISH]
    assert len(added) >= 1500
    assert all(not ascii_bytes & set("".join(pair)) for pair in added)
    assert set(common_characters()) <= set(characters(SHIPPED))
    assert isinstance(SHIPPED, Tokenizer)
