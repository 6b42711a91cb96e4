"""The writer before tuning: loaded, and taught this shop's products by supervised fine-tuning where asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from copybandit.agents.sft import SFTSettings, sft
from copybandit.evaluation.settings import TuneSettings
from copybandit.evaluation.shop_data import ShopData
from copybandit.generators.grammar import write
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.catalogue import lexicon
from copybandit.sim.types import Brief, Segment


def prepare(settings: TuneSettings, shop: ShopData, seed: int, stage: Path) -> CausalLM:
    """Load the writer, fine-tune it on `sft_examples` texts about products of the fit split, and save it.

    Args:
        settings: of the run; 0 examples leave the writer as it was loaded.
        shop: whose products are written about.
        seed: draws the examples and orders them.
        stage: receives the writer under `writer`.
    """
    writer = CausalLM.load(
        settings.model,
        generator_id="sft",
        temperature=settings.temperature,
        max_new_tokens=settings.max_new_tokens,
    )
    if settings.sft_examples:
        rng = np.random.default_rng([seed, 8])
        result = sft(writer, examples(shop, settings.sft_examples, rng), SFTSettings(), seed, stage / "sft")
        writer = result.writer
    writer.save(stage / "writer")
    return writer


def examples(shop: ShopData, n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Field prompts and grammar texts of fit products; interests are drawn independently of product and style."""
    products = np.flatnonzero(shop.catalogue.fit)
    words = sorted({*shop.words, *lexicon().interest_words, *(product.category for product in shop.products)})
    pairs = []
    for row in rng.choice(products, size=n):
        picked = tuple(str(word) for word in rng.choice(words, size=int(rng.integers(1, 4)), replace=False))
        segment = Segment(segment_id=0, interests=picked, size=1)
        brief = Brief(product=shop.products[row], segment=segment if rng.random() < 0.85 else None)
        pairs.append((field_prompt(brief), write(brief, rng)))
    return pairs
