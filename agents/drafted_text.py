"""Varied English for the token editor, drafted by SmolLM2-135M-Instruct: what it says may be silly, its grammar is sound.

The grammar of copy has a few hundred sentence patterns; a model that saw nothing else would take every other sentence
for an error. Drafts are about products of the lexicon, so that text and fields belong together as they do in use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from uuid import uuid4
from zlib import crc32

import numpy as np

from copybandit.agents.token_corpus import CleanText
from copybandit.generators.lm import CausalLM
from copybandit.generators.normalising import normalise
from copybandit.generators.smollm2 import find_gguf
from copybandit.sim.catalogue import draw_product, lexicon
from copybandit.sim.text_cache import cache_root
from copybandit.sim.types import Brief, Product

ASKS = (
    "Write two short sentences for an online shop that sells a {name}.",
    "Write one catchy headline and one sentence about a {name}.",
    "Describe this product in two plain sentences: {name}, {facts}.",
    "Write a short review by somebody who bought a {name}.",
    "Why would someone who loves {interest} want a {name}? Answer in two sentences.",
    "Write two sentences about {interest}.",
    "Write a short, surprising news headline about {interest}.",
)
ROWS = 64
"""Drafts at a time."""
TOKENS = 56
TEMPERATURE = 0.8
MOST_WORDS = 45
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)")


def drafted_texts(n: int, seed: int, on_step: Callable[[int], None] | None = None) -> list[CleanText]:
    """Ask for `n` drafts and keep whole sentences, one or two to a text; what was drafted before is read from the cache.

    Args:
        n: drafts asked for, rounded up to whole batches of `ROWS`; about 7 a second on one core.
        seed: of everything random.
        on_step: told how many drafts a batch held.

    Raises:
        DataError: SmolLM2 is not installed.
    """
    found: dict[str, CleanText] = {}
    for batch in range(-(-n // ROWS)):
        rng = np.random.default_rng([seed, batch])
        products = [draw_product("p", rng) for _ in range(ROWS)]
        for row, text in _batch(seed, batch, products, rng):
            clean = CleanText(brief=Brief(product=products[row]), text=text, source="drafts")
            found.setdefault(text, clean)
        if on_step is not None:
            on_step(ROWS)
    return list(found.values())


def _batch(
    seed: int, batch: int, products: Sequence[Product], rng: np.random.Generator
) -> list[tuple[int, str]]:
    """Rows and texts of one batch, from the cache or drafted and put there."""
    asked = repr((find_gguf()[1], ASKS, ROWS, TOKENS, TEMPERATURE, MOST_WORDS))
    path = cache_root() / "drafts" / f"{crc32(asked.encode()):08x}-{seed}-{batch}.json"
    if path.is_file():
        return [(int(row), str(text)) for row, text in json.loads(path.read_text("utf-8"))]
    drafts = _writer().write([_prompt(product, rng) for product in products], 1, rng)
    texts = [(row, text) for row, (draft,) in enumerate(drafts) for text in _texts(draft, rng)]
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.{uuid4().hex}")
    half.write_text(json.dumps(texts, ensure_ascii=False), "utf-8")
    half.replace(path)
    return texts


@cache
def _writer() -> CausalLM:
    writer = CausalLM.load("smollm2", temperature=TEMPERATURE, max_new_tokens=TOKENS, batch_size=ROWS)
    writer.bf16 = True
    return writer


def _prompt(product: Product, rng: np.random.Generator) -> str:
    ask = ASKS[rng.integers(len(ASKS))].format(
        name=product.name, facts=", ".join(product.facts), interest=rng.choice(lexicon().interest_words)
    )
    return f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n"


def _texts(draft: str, rng: np.random.Generator) -> list[str]:
    """Whole sentences of a draft, parted at random into texts of one or two; a sentence that was cut off goes."""
    sentences = [found for line in draft.splitlines() for found in _SENTENCE.findall(normalise(line))]
    texts: list[str] = []
    for sentence in sentences:
        if not sentence.isascii() or len(sentence.split()) > MOST_WORDS or "*" in sentence:
            continue
        if texts and rng.random() < 0.4 and len(texts[-1].split()) < MOST_WORDS // 2:
            texts[-1] += f" {sentence.strip()}"
        else:
            texts.append(sentence.strip())
    return texts
