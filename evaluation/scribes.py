"""Who writes for `copybandit generate`: a brief in, candidates with their log probability and lineage out.

A scribe is asked for one brief at a time, with a random generator of that brief's own, so that what is drawn depends on
nothing but seed, product, segment and kind: not on the batch, nor on where an interrupted run went on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

import numpy as np

from copybandit.generators.compose import compose
from copybandit.generators.kinds import source_files
from copybandit.generators.prompts import field_prompt
from copybandit.generators.template import REFERENCE
from copybandit.sim.types import Brief, DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

_TRIES = 6
"""Draws of the template for each text wanted; a brief with little to say gives fewer texts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A text, its log probability given the brief, and what it was made from."""

    text: str
    log_prob: float | None
    lineage: str


class Scribe(Protocol):
    """Something that writes candidates."""

    @property
    def generator_id(self) -> str:
        """Who writes."""
        ...

    @property
    def model_hash(self) -> str:
        """What the writer is made of, in 16 hex digits."""
        ...

    def prompt(self, brief: Brief) -> str:
        """What the writer is given, as text."""
        ...

    def candidates(self, brief: Brief, n: int, rng: np.random.Generator) -> list[Candidate]:
        """At most `n` candidates."""
        ...


@dataclass(frozen=True, kw_only=True)
class TemplateScribe:
    """The grammar of copy: the first text is the template's own, the others are drawn, none comes twice."""

    generator_id: str = REFERENCE.generator_id

    @property
    def model_hash(self) -> str:
        """Hash of the files that hold the moves."""
        return moves_hash()

    def prompt(self, brief: Brief) -> str:
        """Nothing: the grammar reads the brief itself."""
        return ""

    def candidates(self, brief: Brief, n: int, rng: np.random.Generator) -> list[Candidate]:
        """The template's text and up to `n` - 1 others.

        Raises:
            DataError: the brief cannot be written, see `compose`.
        """
        texts = {REFERENCE.text(brief): template_candidate(brief)}
        for _ in range(_TRIES * (n - 1)):
            if len(texts) == n:
                break
            made = compose(brief, rng)
            lineage = "+".join(made.move_ids)
            texts.setdefault(made.text, Candidate(text=made.text, log_prob=made.log_prob, lineage=lineage))
        return list(texts.values())


def template_candidate(brief: Brief) -> Candidate:
    """The template's one text, which is certain.

    Raises:
        DataError: the brief cannot be written, see `compose`.
    """
    return Candidate(text=REFERENCE.text(brief), log_prob=0.0, lineage=REFERENCE.generator_id)


class ModelScribe:
    """A causal language model."""

    def __init__(self, writer: CausalLM) -> None:
        """Write with `writer`, as it is set; what bfloat16 writes says so in its lineage."""
        self._writer = writer
        self.generator_id: str = writer.generator_id
        self.model_hash = _weights_hash(writer)

    def prompt(self, brief: Brief) -> str:
        """The field prompt."""
        return field_prompt(brief)

    def candidates(self, brief: Brief, n: int, rng: np.random.Generator) -> list[Candidate]:
        """`n` candidates, some of which may be alike."""
        (variants,) = self._writer.propose([brief], n, rng)
        texts = [variant.text for variant in variants]
        scores = self._writer.log_prob([brief] * n, texts)
        return [
            Candidate(
                text=text,
                log_prob=float(score) if np.isfinite(score) else None,
                lineage="+".join(filter(None, (variant.lineage, "bf16" if self._writer.bf16 else ""))),
            )
            for text, score, variant in zip(texts, scores, variants, strict=True)
        ]


def load_scribe(spec: str, temperature: float | None, *, bf16: bool = False) -> Scribe:
    """The writer that a spec names; `template`, or a model as `CausalLM.load` has it, its products rounded if `bf16`.

    Raises:
        DataError: there is no such model, or bfloat16 would change nothing in how it writes.
    """
    if spec == REFERENCE.generator_id:
        return TemplateScribe()
    from copybandit.generators.decoding import why_not_bf16
    from copybandit.generators.lm import CausalLM

    writer = CausalLM.load(spec, temperature=temperature)
    if bf16 and (reason := why_not_bf16(writer.model)):
        raise DataError(f"--bf16 must make writer {spec} faster, got no change: {reason}; drop --bf16")
    writer.bf16 = bf16
    return ModelScribe(writer)


def brief_rng(seed: int, brief: Brief) -> np.random.Generator:
    """The random generator of one brief, by seed, product, segment, kind and language."""
    segment = brief.segment.segment_id if brief.segment else -1
    key = f"{brief.product.product_id}\0{segment}\0{brief.content_type}\0{brief.language}"
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], dtype=np.uint32).tolist()])


def moves_hash() -> str:
    """First 16 hex digits of the SHA-256 of all files of moves."""
    content = [files("copybandit.generators").joinpath(name).read_bytes() for name in source_files()]
    return _hash(content)


def _weights_hash(writer: CausalLM) -> str:
    state = writer.model.state_dict()
    return _hash(
        [part for name in sorted(state) for part in (name.encode(), state[name].cpu().numpy().tobytes())]
    )


def _hash(parts: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:16]
