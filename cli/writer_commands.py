"""`copybandit pretrain` and `copybandit generate`: make the small writer, and let a writer write."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from copybandit.cli.errors import one_line
from copybandit.cli.progress import progress


def pretrain_tiny(out: Path, steps: int, seed: int) -> None:
    """Train `tiny` and write its three files; the shipped ones were made with the default options."""
    with one_line("copybandit pretrain"):
        from copybandit.agents.pretrain import PretrainSettings, pretrain

        with progress(Console(stderr=True)) as display:
            settings = PretrainSettings(steps=steps, seed=seed)
            display.stage("pretrain", total=steps + settings.second_steps)
            pretrain(settings, out, lambda step, loss: display.advance(1))
    print(f"tiny: {out}")


def generate_copy(
    products: Path, model: str, interests: str, n: int, temperature: float, seed: int, bf16: bool = False
) -> None:
    """Write copy for every product of a file to standard output as CSV; refused proposals are left out."""
    with one_line("copybandit generate"):
        from copybandit.generators.editor import check
        from copybandit.generators.lm import CausalLM
        from copybandit.sim.logs import read_products
        from copybandit.sim.types import Brief, Segment

        words = tuple(word.strip() for word in interests.split(",") if word.strip())
        segment = Segment(segment_id=0, interests=words, size=0) if words else None
        briefs = [Brief(product=product, segment=segment) for product in read_products(products)]
        writer = CausalLM.load(model, temperature=temperature)
        writer.bf16 = bf16
        proposals = writer.propose(briefs, n, np.random.default_rng(seed))
        table = csv.writer(sys.stdout)
        table.writerow(["product_id", "text", "generator_id", "content_hash"])
        for brief, variants in zip(briefs, proposals, strict=True):
            for variant in variants:
                if not check(brief, variant.text):
                    table.writerow(
                        [variant.product_id, variant.text, variant.generator_id, variant.content_hash]
                    )
