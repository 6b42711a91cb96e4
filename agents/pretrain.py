"""Train `tiny`, the generator that ships with the package, from nothing but the grammar of copy.

Two products in three have names, facts or interests made of invented words and of pieces of the vocabulary, so that
the model learns to copy what the prompt says rather than to remember the lexicon. Shopper interests are drawn
independently of product and style: the pretrained model knows no taste. Reproduce the shipped weights with
`copybandit pretrain`.

A second, shorter lesson dwells on what the first leaves weak: sentences that need two words of one kind (neither may
come twice) or that begin with a copied word. Its share of them falls to none, so that at the end all moves are even.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from copybandit.generators.grammar import Move, moves, slot_values, write
from copybandit.generators.prompts import MAX_FACTS, field_prompt
from copybandit.sim.catalogue import draw_product, lexicon
from copybandit.sim.types import Brief, Product, Segment

PAD, EOS = 0, 1
OnStep = Callable[[int, float], None]
"""Told step and loss."""
_ONSETS = "b c d f g h j k l m n p r s t v w br ch cl dr fl gr pl sh st th tr".split()
_VOWELS = "a e i o u ea oo ai ou".split()
_CODAS = ["", "", "n", "r", "l", "t", "s", "ck", "nd", "m", "st", "p"]


@dataclass(frozen=True, kw_only=True)
class PretrainSettings:
    """How `tiny` is made.

    Attributes:
        steps: optimizer steps.
        batch_size: texts a step.
        learning_rate: peak, warmed up over 2% of the steps, then annealed to 0 by a cosine.
        vocab_size: size of the byte-pair vocabulary.
        tokenizer_texts: texts that the vocabulary is fitted to.
        hidden, layers, heads: shape of the Llama.
        second_steps, second_learning_rate: of the second lesson; 0 steps leave it out.
        hard_share: share of texts with a hard move when the second lesson begins.
    """

    steps: int = 4000
    batch_size: int = 64
    learning_rate: float = 1.5e-3
    second_steps: int = 3000
    second_learning_rate: float = 1e-3
    hard_share: float = 0.8
    vocab_size: int = 2048
    tokenizer_texts: int = 20_000
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    seed: int = 0


def invented_word(rng: np.random.Generator) -> str:
    """Return a pronounceable word of one to three syllables."""
    syllables = rng.integers(1, 4)
    return "".join(
        f"{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}{rng.choice(_CODAS)}" for _ in range(syllables)
    )


def _strange(product: Product, words: Callable[[], str], rng: np.random.Generator) -> Product:
    """Give a product an unheard-of name, and unheard-of facts here and there."""
    name = [words() for _ in range(rng.integers(1, 6))]
    if rng.random() < 0.1:
        name.insert(int(rng.integers(len(name) + 1)), str(rng.integers(2, 100)))
    facts = [words() if rng.random() < 0.5 else fact for fact in product.facts]
    if rng.random() < 0.2:
        facts.insert(0, f"{rng.integers(2, 100)} {words()}")
    return replace(product, name=" ".join(name), facts=tuple(facts[:MAX_FACTS]))


def draw_brief(rng: np.random.Generator, pieces: Sequence[str] = ()) -> Brief:
    """Draw a product and, four times in five, a segment whose interests are independent of it.

    Args:
        rng: the only source of randomness.
        pieces: word pieces of a vocabulary; unheard-of words are made of them, so that every piece is met.
    """
    known = lexicon().interest_words

    def word() -> str:
        kind = rng.random()
        if kind < 0.2:
            return str(rng.choice(known))
        if kind < 0.5 or not len(pieces):
            return invented_word(rng)
        return "".join(str(piece) for piece in rng.choice(pieces, size=rng.integers(1, 4)))[:14]

    product = draw_product("p", rng)
    if rng.random() < 0.65:
        product = _strange(product, word, rng)
    if rng.random() < 0.2:
        return Brief(product=product)
    drawn = rng.choice(known, size=rng.integers(1, 4), replace=False)
    interests = tuple(word() if rng.random() < 0.4 else str(picked) for picked in drawn)
    return Brief(product=product, segment=Segment(segment_id=0, interests=interests, size=1))


def word_pieces(tokenizer: Tokenizer) -> list[str]:
    """Lower-case alphabetic pieces of a byte-level vocabulary, without their leading space, sorted."""
    pieces = {token.removeprefix("\u0120") for token in tokenizer.get_vocab()}
    return sorted(piece for piece in pieces if piece.isascii() and piece.isalpha() and piece.islower())


@cache
def hard_moves() -> tuple[Move, ...]:
    """Moves that take two words of one kind, or that begin with a word of the prompt."""
    return tuple(m for m in moves() if m.slots & {"adj2", "interest2"} or m.text.startswith(("{int", "{adj")))


def draw_corpus(
    n: int, rng: np.random.Generator, pieces: Sequence[str] = (), hard_share: float = 0.0
) -> list[tuple[str, str]]:
    """Draw `n` pairs of field prompt and text; `hard_share` of the texts have one of `hard_moves`, where the brief fits."""
    briefs = (draw_brief(rng, pieces) for _ in range(n))
    return [(field_prompt(brief), _write(brief, rng, hard_share)) for brief in briefs]


def _write(brief: Brief, rng: np.random.Generator, hard_share: float) -> str:
    if not hard_share or rng.random() >= hard_share:
        return write(brief, rng)
    fitting = [move for move in hard_moves() if move.slots <= slot_values(brief).keys()]
    return write(brief, rng, fitting[rng.integers(len(fitting))] if fitting else None)


def train_tokenizer(corpus: list[tuple[str, str]], vocab_size: int) -> Tokenizer:
    """Fit byte-level BPE whose digits stay single, so that no number is ever one unseen token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((f"{prompt} {text}" for prompt, text in corpus), trainer)
    return tokenizer


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


def _batches(
    corpus: list[tuple[list[int], list[int]]], size: int, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids, labels) of similar length for one pass; the loss falls on the response and its end only."""
    chunk = size * 20
    order = rng.permutation(len(corpus))
    for start in range(0, len(order) - chunk + 1, chunk):
        rows = sorted(order[start : start + chunk], key=lambda row: sum(map(len, corpus[row])))
        for batch in rng.permutation(len(rows) // size):
            picked = [corpus[row] for row in rows[batch * size : (batch + 1) * size]]
            width = max(len(prompt) + len(response) for prompt, response in picked)
            ids = torch.full((size, width), PAD)
            labels = torch.full((size, width), -100)
            for row, (prompt, response) in enumerate(picked):
                end = len(prompt) + len(response)
                ids[row, :end] = torch.tensor(prompt + response)
                labels[row, len(prompt) : end] = torch.tensor(response)
            yield ids, labels


def _rate(step: int, steps: int) -> float:
    warm = max(1, steps // 50)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def _loss(model: LlamaForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the response tokens; logits are made only where a label is."""
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    mask = wanted != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[mask]).float(), wanted[mask])


def pretrain(settings: PretrainSettings, out: Path, on_step: OnStep | None = None) -> LlamaForCausalLM:
    """Train `tiny` and write `tiny.safetensors` (fp16), `tiny_config.json` and `tiny_tokenizer.json`.

    Args:
        settings: sizes, steps and seed; the same settings give the same weights on the same machine.
        out: folder that receives the three files.
        on_step: told step and loss.
    """
    rng = np.random.default_rng(settings.seed)
    tokenizer = train_tokenizer(draw_corpus(settings.tokenizer_texts, rng), settings.vocab_size)
    model = build_model(settings)
    told = on_step or _say_nothing
    first = Lesson(steps=settings.steps, learning_rate=settings.learning_rate)
    teach(model, tokenizer, first, settings.batch_size, rng, told)
    save_tiny(model, tokenizer, out)
    second_lesson(model, tokenizer, settings, lambda step, loss: told(settings.steps + step, loss))
    save_tiny(model, tokenizer, out)
    return model


def second_lesson(
    model: LlamaForCausalLM, tokenizer: Tokenizer, settings: PretrainSettings, on_step: OnStep
) -> None:
    """Go on from the saved, half-precision weights of the first lesson."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half())
    rng = np.random.default_rng([settings.seed, 2])
    lesson = Lesson(
        steps=settings.second_steps,
        learning_rate=settings.second_learning_rate,
        hard_share=settings.hard_share,
    )
    teach(model, tokenizer, lesson, settings.batch_size, rng, on_step)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One run of the optimizer: steps, peak learning rate, and the share of hard moves, which falls to 0."""

    steps: int
    learning_rate: float
    hard_share: float = 0.0


def teach(
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    lesson: Lesson,
    batch_size: int,
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    """Train the model in place."""
    pieces = word_pieces(tokenizer)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lesson.learning_rate, betas=(0.9, 0.95), weight_decay=0.05
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, lesson.steps))
    step = 0
    model.train()
    while step < lesson.steps:
        hard_share = lesson.hard_share * (1 - step / lesson.steps)
        drawn = draw_corpus(batch_size * 100, rng, pieces, hard_share)
        for ids, labels in _batches([_encode(tokenizer, *pair) for pair in drawn], batch_size, rng):
            with torch.autocast("cpu", torch.bfloat16):
                loss = _loss(model, ids, labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            on_step(step, loss.item())
            if step == lesson.steps:
                break


def _say_nothing(step: int, loss: float) -> None:
    """Stand in for a progress bar."""


def _encode(tokenizer: Tokenizer, prompt: str, text: str) -> tuple[list[int], list[int]]:
    return tokenizer.encode(prompt).ids, [*tokenizer.encode(" " + text).ids, EOS]


def save_tiny(model: LlamaForCausalLM, tokenizer: Tokenizer, out: Path) -> None:
    """Write the three files that `CausalLM.load("tiny")` reads."""
    out.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.to(torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(state, out / "tiny.safetensors")
    config = {key: value for key, value in model.config.to_diff_dict().items() if not key.startswith("_")}
    (out / "tiny_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", "utf-8")
    tokenizer.save(str(out / "tiny_tokenizer.json"))
