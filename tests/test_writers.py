"""Every writer of the project obeys one protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.gan import DiscriminatorSettings, GANSettings, train_gan
from copybandit.generators.best_of_n import BestOfN
from copybandit.generators.check import check_generator
from copybandit.generators.grammar import write
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.generators.retrieval import RetrievalWriter, ShownCopy
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE
from copybandit.sim.catalogue import draw_catalogue
from copybandit.sim.types import Brief, Floats, Segment
from tests.tiny_lm import tiny_writer

SEGMENTS = (None, Segment(segment_id=4, interests=("garden", "tea"), size=30))
PRODUCTS = draw_catalogue(8, np.random.default_rng(0))
SEEN = [Brief(product=product, segment=segment) for product in PRODUCTS[:5] for segment in SEGMENTS]
BRIEFS = [Brief(product=product, segment=segment) for product in PRODUCTS[3:] for segment in SEGMENTS]
SHORT = GANSettings(rounds=1, batch_size=8, discriminator=DiscriminatorSettings(warm_up=1, steps=1))


@cache
def tiny() -> CausalLM:
    return CausalLM.load("tiny", temperature=0.8, max_new_tokens=24)


def real_copy() -> list[str]:
    rng = np.random.default_rng(1)
    return [write(brief, rng) for brief in SEEN]


def gan(folder: Path) -> CausalLM:
    """Trained, saved and loaded."""
    trained = train_gan(tiny(), SEEN, real_copy(), SHORT, 0).writer
    return CausalLM.load(str(trained.save(folder / "gan")))


def retrieval(temperature: float = 0.0) -> RetrievalWriter:
    texts = tuple(real_copy())
    shown = ShownCopy(
        briefs=tuple(SEEN),
        texts=texts,
        clicks=np.arange(len(texts)),
        impressions=np.full(len(texts), 200),
    )
    return RetrievalWriter(shown=shown, temperature=temperature)


def brevity(briefs: Sequence[Brief], texts: Sequence[str]) -> Floats:
    return -np.array([len(text) for text in texts], dtype=np.float64)


WRITERS: dict[str, Callable[[Path], Generator]] = {
    "template": lambda _: REFERENCE,
    "template+interest": lambda _: INTEREST_TEMPLATE,
    "tiny": lambda _: tiny(),
    "gan": gan,
    "retrieval": lambda _: retrieval(),
    "retrieval, warm": lambda _: retrieval(temperature=1.0),
    "best of n": lambda _: BestOfN(base=tiny_writer(), score=brevity, n=3, calibration=8),
    "best of n, retrieved": lambda _: BestOfN(base=retrieval(temperature=1.0), score=brevity, n=3),
    "best of n, template": lambda _: BestOfN(base=REFERENCE, score=brevity, n=2, calibration=4),
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_writer_conforms(name: str, tmp_path: Path) -> None:
    writer = WRITERS[name](tmp_path)
    proposals = check_generator(writer, BRIEFS, np.random.default_rng(1))
    scores = writer.log_prob(BRIEFS, [row[0].text for row in proposals])
    assert np.isfinite(scores).all(), "what a writer wrote, it can write"
