"""Train `tiny`, the generator that ships with the package, from nothing but the grammar of copy.

Three lessons. The first is English headlines (`copybandit.agents.corpus`). The second, shorter one dwells on what the first
leaves weak: sentences that need two words of one kind (neither may come twice) or that begin with a copied word; its share
of them falls to none, so that at the end all moves are even. The third is every kind of copy in English and Chinese
(`copybandit.agents.corpus_kinds`), with a vocabulary that has grown by Chinese, and two in five texts still plain English
headlines. Reproduce the shipped weights with `copybandit pretrain`.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from copybandit.agents.corpus import draw_corpus
from copybandit.agents.corpus_kinds import Strangers, common_characters, draw_chinese_texts
from copybandit.agents.kinds_source import KindsSource
from copybandit.agents.lesson import EOS, PAD, Lesson, OnStep, Texts, batches, teach
from copybandit.agents.tiny_tokens import characters, train_tokenizer, with_chinese, word_pieces

CONTEXT = 512
"""Tokens of a prompt and what follows it."""
DECAY_SHARE = 0.3
"""Last share of the third lesson, in which its learning rate falls."""


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How `tiny` is made.

    Attributes:
        steps: optimizer steps of the first lesson.
        batch_size: texts a step.
        learning_rate: peak of the first lesson; every lesson warms up and ends at 0.
        second_steps, second_learning_rate: of the second lesson; 0 steps leave it out.
        hard_share: share of texts with a hard move when the second lesson begins.
        third_steps, third_learning_rate: of the third lesson; 0 steps leave it out.
        third_tokens: tokens a batch of the third lesson, padding included.
        vocab_size: size of the byte-pair vocabulary of English copy.
        chinese_tokens: tokens added to it for the third lesson.
        tokenizer_texts: texts that each part of the vocabulary is fitted to.
        hidden, layers, heads: shape of the Llama.
    """

    steps: int = 4000
    batch_size: int = 64
    learning_rate: float = 1.5e-3
    second_steps: int = 3000
    second_learning_rate: float = 1e-3
    hard_share: float = 0.8
    third_steps: int = 7000
    third_learning_rate: float = 1e-3
    third_tokens: int = 12_288
    vocab_size: int = 2048
    chinese_tokens: int = 1536
    tokenizer_texts: int = 20_000
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    seed: int = 0


def pretrain(
    settings: PretrainSettings,
    out: Path,
    on_step: OnStep | None = None,
    device: str = "cpu",
    workers: int = 0,
) -> LlamaForCausalLM:
    """Train `tiny` and write `tiny.safetensors` (fp16), `tiny_config.json` and `tiny_tokenizer.json`.

    Args:
        settings: sizes, steps and seed; the same settings give the same weights on the same machine.
        out: folder that receives the three files, anew after each lesson.
        on_step: told step and loss.
        device: where to train.
        workers: processes that draw the texts of the third lesson; 0 draws them in this one.
    """
    rng = np.random.default_rng(settings.seed)
    tokenizer = train_tokenizer(draw_corpus(settings.tokenizer_texts, rng), settings.vocab_size)
    model = build_model(settings)
    torch.nn.Module.to(model, device)
    told = on_step or _say_nothing
    first_lesson(model, tokenizer, settings, rng, told)
    save_tiny(model, tokenizer, out)
    second_lesson(model, tokenizer, settings, partial(_told_from, told, settings.steps))
    save_tiny(model, tokenizer, out)
    if settings.third_steps:
        told_third = partial(_told_from, told, settings.steps + settings.second_steps)
        tokenizer = third_lesson(model, tokenizer, settings, told_third, workers)
        save_tiny(model, tokenizer, out)
    return model


def build_model(settings: PretrainSettings) -> LlamaForCausalLM:
    """Return a small Llama with fresh weights."""
    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=settings.vocab_size,
        hidden_size=settings.hidden,
        intermediate_size=int(settings.hidden * 2.75),
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config)


def first_lesson(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    settings: PretrainSettings,
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    """English headlines, every move as often as it fits."""
    lesson = Lesson(
        steps=settings.steps, learning_rate=settings.learning_rate, batch_size=settings.batch_size
    )
    _teach_headlines(model, tokenizer, lesson, 0.0, rng, on_step)


def second_lesson(
    model: LlamaForCausalLM, tokenizer: Tokenizer, settings: PretrainSettings, on_step: OnStep
) -> None:
    """Go on from the saved, half-precision weights of the first lesson; hard moves first."""
    _halve(model)
    lesson = Lesson(
        steps=settings.second_steps,
        learning_rate=settings.second_learning_rate,
        batch_size=settings.batch_size,
    )
    rng = np.random.default_rng([settings.seed, 2])
    _teach_headlines(model, tokenizer, lesson, settings.hard_share, rng, on_step)


def _teach_headlines(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    lesson: Lesson,
    hard_share: float,
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    pieces, texts = word_pieces(tokenizer), lesson.batch_size * 100

    def draw(over: float) -> Texts:
        corpus = draw_corpus(texts, rng, pieces, hard_share * (1 - over))
        return [(prompt, (text,)) for prompt, text in corpus]

    teach(model, lesson, batches(tokenizer, lesson, draw, rng), on_step)


def third_lesson(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    settings: PretrainSettings,
    on_step: OnStep,
    workers: int = 0,
) -> Tokenizer:
    """Go on from the saved weights of the second lesson with every kind of copy; returns the grown vocabulary.

    Args:
        model: trained in place, on the device it lies on.
        tokenizer: of English copy.
        settings: sizes, steps and seed.
        on_step: told step and loss.
        workers: processes that draw texts, whatever their number the same ones; 0 draws them in this one.
    """
    _halve(model)
    rng = np.random.default_rng([settings.seed, 3])
    common = common_characters()
    texts = draw_chinese_texts(settings.tokenizer_texts, rng)
    grown = with_chinese(tokenizer, texts, common, settings.chinese_tokens)
    enlarge(model, grown.get_vocab_size(), settings.seed)
    strangers = Strangers(pieces=word_pieces(tokenizer), letters=characters(grown) or common)
    lesson = Lesson(
        steps=settings.third_steps,
        learning_rate=settings.third_learning_rate,
        batch_tokens=settings.third_tokens,
        decay_share=DECAY_SHARE,
    )
    source = KindsSource(
        vocabulary=grown.to_str(), lesson=lesson, strangers=strangers, seed=(settings.seed, 3)
    )
    with closing(source.batches(workers)) as stream:
        teach(model, lesson, stream, on_step)
    return grown


def enlarge(model: LlamaForCausalLM, vocab_size: int, seed: int) -> None:
    """Add rows for new tokens, half as wide as those that are there, and room for longer texts; old rows stay."""
    old = model.model.embed_tokens.weight.detach().clone()
    model.resize_token_embeddings(vocab_size, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    new = torch.randn(vocab_size - len(old), old.shape[1], generator=generator)
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.cat([old, new.to(old.device) * (0.5 * old.std())]))
    model.tie_weights()
    model.config.max_position_embeddings = CONTEXT


def _halve(model: LlamaForCausalLM) -> None:
    """Round the weights to what was saved."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half())


def _told_from(told: OnStep, before: int, step: int, loss: float) -> None:
    """Tell a step of a lesson that begins behind `before` others."""
    told(before + step, loss)


def _say_nothing(step: int, loss: float) -> None:
    """Stand in for a progress bar."""


def save_tiny(model: LlamaForCausalLM, tokenizer: Tokenizer, out: Path) -> None:
    """Write the three files that `CausalLM.load("tiny")` reads."""
    out.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.to("cpu", torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(state, out / "tiny.safetensors")
    config = {key: value for key, value in model.config.to_diff_dict().items() if not key.startswith("_")}
    (out / "tiny_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")
    tokenizer.save(str(out / "tiny_tokenizer.json"))
