"""Every writer of the project obeys one protocol, and none is forgotten here."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from copybandit import agents, evaluation, generators
from copybandit.agents.adapters import CHOICES, AdapterSettings, Choice, attach
from copybandit.agents.distil import DistilSettings, distil
from copybandit.agents.gan import DiscriminatorSettings, GANSettings, train_gan
from copybandit.generators.best_of_n import BestOfN
from copybandit.generators.check import check_generator
from copybandit.generators.grammar import write
from copybandit.generators.int8 import quantise
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.protocol import Generator
from copybandit.generators.retrieval import RetrievalWriter, ShownCopy
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE, TemplateWriter
from copybandit.sim.catalogue import draw_catalogue
from copybandit.sim.types import Brief, Floats, Segment
from tests.tiny_lm import smollm2_writer, tiny_writer

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


def adapted(kind: Choice) -> CausalLM:
    return attach(tiny(), AdapterSettings(kind=kind), generator_id=kind, seed=0, steps=10)


def student() -> CausalLM:
    pairs = [(field_prompt(brief), text) for brief, text in zip(SEEN, real_copy(), strict=True)]
    return distil(tiny(), pairs, DistilSettings(layers=2, steps=2, batch_size=4), 0).writer


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
    "constant style": lambda _: TemplateWriter(move_ids=("int-if", "imp-meet"), generator_id="style"),
    "tiny": lambda _: tiny(),
    "lora": lambda _: adapted("lora"),
    "adalora": lambda _: adapted("adalora"),
    "prefix": lambda _: adapted("prefix"),
    "int8": lambda _: quantise(tiny(), "tiny-int8"),
    "student": lambda _: student(),
    "smollm2": lambda _: smollm2_writer(),
    "gan": gan,
    "retrieval": lambda _: retrieval(),
    "retrieval, warm": lambda _: retrieval(temperature=1.0),
    "best of n": lambda _: BestOfN(base=tiny_writer(), score=brevity, n=3, calibration=8),
    "best of n, retrieved": lambda _: BestOfN(base=retrieval(temperature=1.0), score=brevity, n=3),
    "best of n, template": lambda _: BestOfN(base=REFERENCE, score=brevity, n=2, calibration=4),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Generator]:
    """Each writer by its name, made once."""
    return cache(lambda name: WRITERS[name](tmp_path_factory.mktemp("writer")))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "smollm2")) for name in WRITERS]
)
def test_a_writer_conforms(name: str, made: Callable[[str], Generator]) -> None:
    writer, briefs = made(name), BRIEFS[:2] if name == "smollm2" else BRIEFS
    proposals = check_generator(writer, briefs, np.random.default_rng(1))
    scores = writer.log_prob(briefs, [row[0].text for row in proposals])
    assert np.isfinite(scores).all(), "what a writer wrote, it can write"


def implementations() -> Iterator[type]:
    """Every class of the package that writes and scores, bar the protocol itself."""
    for package in (generators, agents, evaluation):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for _, kind in inspect.getmembers(import_module(found.name), inspect.isclass):
                public = not kind.__name__.startswith("_")  # what only listens to a writer is none
                own = public and kind.__module__ == found.name and Protocol not in kind.__bases__
                if own and hasattr(kind, "propose") and hasattr(kind, "log_prob"):
                    yield kind


def test_no_writer_is_forgotten(made: Callable[[str], Generator]) -> None:
    known = {type(made(name)) for name in WRITERS if name != "smollm2"}
    assert {CausalLM, TemplateWriter, RetrievalWriter, BestOfN} <= set(implementations())
    forgotten = [f"{kind.__module__}.{kind.__name__}" for kind in implementations() if kind not in known]
    assert not forgotten, "add it to WRITERS"
    assert set(CHOICES) - {"none"} <= set(WRITERS), "an adapter is a writer of its own"
