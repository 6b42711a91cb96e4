"""The vocabulary of `tiny`: byte pairs of English copy, and behind them pairs of Chinese bytes.

The Chinese merges come last and hold no ASCII byte, so English text falls into the same tokens as before, with the same
numbers, and the embeddings learned for them stay good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from copybandit.generators.languages import HAN

_CHARACTER_WEIGHT = 2000
"""How often each common character is counted, so that it becomes one token before words of several do."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


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


def word_pieces(tokenizer: Tokenizer) -> list[str]:
    """Lower-case alphabetic pieces of a byte-level vocabulary, without their leading space, sorted."""
    pieces = {token.removeprefix("\u0120") for token in tokenizer.get_vocab()}
    return sorted(piece for piece in pieces if piece.isascii() and piece.isalpha() and piece.islower())


def characters(tokenizer: Tokenizer) -> list[str]:
    """Chinese characters that are one token, sorted."""
    decoder = decoders.ByteLevel()
    read = {decoder.decode([token]) for token in tokenizer.get_vocab()}
    return sorted(text for text in read if len(text) == 1 and HAN.match(text))


def with_chinese(tokenizer: Tokenizer, texts: Iterable[str], common: Sequence[str], more: int) -> Tokenizer:
    """Append `more` tokens for Chinese to a byte-level vocabulary; everything that is there keeps its number.

    Args:
        tokenizer: made by `train_tokenizer`.
        texts: Chinese copy and prompts; what is not Chinese in them is not read.
        common: characters that should each be one token.
        more: how many tokens are added.
    """
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + more,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    runs = [run for text in texts for run in _NOT_ASCII.findall(text)]
    learner.train_from_iterator(
        [*runs, *(letter for letter in common for _ in range(_CHARACTER_WEIGHT))], trainer
    )
    learned = json.loads(learner.to_str())["model"]["merges"]
    whole = json.loads(tokenizer.to_str())
    vocab, merges = whole["model"]["vocab"], whole["model"]["merges"]
    for left, right in learned[:more]:
        vocab.setdefault(left + right, len(vocab))
        merges.append([left, right])
    return Tokenizer.from_str(json.dumps(whole))
