"""Varied English for the token editor, drafted by SmolLM2-135M-Instruct: what it says may be silly, its grammar is sound.

The grammar of copy has a few hundred sentence patterns; a model that saw nothing else would take every other sentence
for an error. Drafts are about products of the lexicon, so that text and fields belong together as they do in use.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from copybandit.agents.token_corpus import CleanText
from copybandit.generators.lm import CausalLM
from copybandit.generators.normalising import normalise
from copybandit.sim.catalogue import draw_product, lexicon
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
    """Ask for `n` drafts and keep whole sentences, one or two to a text.

    Args:
        n: drafts asked for, rounded up to whole batches of `ROWS`; about 7 a second on one core.
        seed: of everything random.
        on_step: told how many drafts a batch held.

    Raises:
        DataError: SmolLM2 is not installed.
    """
    writer = CausalLM.load("smollm2", temperature=TEMPERATURE, max_new_tokens=TOKENS, batch_size=ROWS)
    writer.bf16 = True
    found: dict[str, CleanText] = {}
    for batch in range(-(-n // ROWS)):
        rng = np.random.default_rng([seed, batch])
        products = [draw_product("p", rng) for _ in range(ROWS)]
        drafts = writer.write([_prompt(product, rng) for product in products], 1, rng)
        for product, (draft,) in zip(products, drafts, strict=True):
            for text in _texts(draft, rng):
                found.setdefault(text, CleanText(brief=Brief(product=product), text=text, source="drafts"))
        if on_step is not None:
            on_step(ROWS)
    return list(found.values())


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
