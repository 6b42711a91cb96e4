"""What tuning may cost besides reward: copy longer, shorter, repetitive, unlike the untuned writer's, the same everywhere.

Each cost is how far a text is from what the untuned writer writes, so that 0 is no change and its mean over texts is a gate:

    longer       log characters - their mean before tuning        mean at most log(1 + length)
    shorter      the same with the other sign                     mean at most log(1 + length)
    fluency      nats per token under the untuned writer, less their mean before tuning: at most log(1 + fluency), that is a
                 perplexity at most that much higher
    repetition   share of words that repeat an earlier one, less its mean before tuning: at most repetition
    sameness     share of its phrases that another text of the batch has, see `copybandit.evaluation.patterns`, less its
                 mean before tuning: at most sameness

All but the last look at a text alone. Sameness makes a pattern dearer the more often it is written, so that what is written
spreads over the patterns that earn most.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from copybandit.agents.reward_scale import reference_cells
from copybandit.evaluation.patterns import sameness
from copybandit.evaluation.settings import LimitSettings
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import Brief, DataError, Floats

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

NO_WORD = 1.0
"""Characters that an empty text counts as, and tokens it is divided by."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What texts are like, each of shape (b,)."""

    log_length: Floats
    surprise: Floats
    repetition: Floats
    sameness: Floats


def traits(writer: CausalLM, briefs: Sequence[Brief], texts: Sequence[str]) -> Traits:
    """Measure texts; how surprising they are is asked of the untuned writer."""
    tokens = np.array([len(row) for row in writer.response_ids(texts)], np.float64)
    prompts = [field_prompt(brief) for brief in briefs]
    log_prob = writer.text_log_prob(prompts, texts, writer.temperature or 1.0)
    return Traits(
        log_length=np.log([max(NO_WORD, len(text)) for text in texts]),
        surprise=-log_prob / np.maximum(tokens, NO_WORD),
        repetition=np.array([repeated(text) for text in texts]),
        sameness=sameness(briefs, texts),
    )


def repeated(text: str) -> float:
    """Share of words that stand earlier in the text, too, case apart.

    >>> repeated("new mug, new lamp")
    0.25
    """
    words = re.findall(r"\w+", text.lower())
    return 1 - len(set(words)) / len(words) if words else 0.0


@dataclass(frozen=True, kw_only=True)
class CopyCosts:
    """Costs of texts against copy of the untuned writer.

    Attributes:
        writer: the untuned one.
        length, surprise, repetition, sameness: means of its own copy.
        limits: how far a mean may go.
    """

    writer: CausalLM
    length: float
    surprise: float
    repetition: float
    sameness: float
    limits: LimitSettings

    @classmethod
    def of(
        cls,
        writer: CausalLM,
        briefs: Sequence[Brief],
        limits: LimitSettings,
        n: int,
        rng: np.random.Generator,
    ) -> CopyCosts | None:
        """Measure `n` texts of the untuned writer; None where there is no limit.

        Raises:
            DataError: there are no briefs.
        """
        if limits == LimitSettings():
            return None
        if not briefs:
            raise DataError("limits: need briefs to measure the untuned writer on, got none; give cells")
        asked = [briefs[row] for row in reference_cells(len(briefs), n, rng)]
        texts = [variants[0].text for variants in writer.propose(asked, 1, rng)]
        found = traits(writer, asked, texts)
        return cls(
            writer=writer,
            length=float(found.log_length.mean()),
            surprise=float(found.surprise.mean()),
            repetition=float(found.repetition.mean()),
            sameness=float(found.sameness.mean()),
            limits=limits,
        )

    def __call__(self, briefs: Sequence[Brief], texts: Sequence[str]) -> tuple[tuple[str, Floats], ...]:
        """Costs by name, each of shape (b,)."""
        found = traits(self.writer, briefs, texts)
        growth = found.log_length - self.length
        costs = {
            "longer": growth,
            "shorter": -growth,
            "fluency": found.surprise - self.surprise,
            "repetition": found.repetition - self.repetition,
            "sameness": found.sameness - self.sameness,
        }
        return tuple((name, costs[name]) for name, _ in self.caps)

    @property
    def caps(self) -> tuple[tuple[str, float], ...]:
        """Most that the mean of each cost may be, by name; those without a limit are left out."""
        limits, found = self.limits, []
        if limits.length is not None:
            found += [("longer", math.log1p(limits.length)), ("shorter", math.log1p(limits.length))]
        if limits.fluency is not None:
            found.append(("fluency", math.log1p(limits.fluency)))
        if limits.repetition is not None:
            found.append(("repetition", limits.repetition))
        if limits.sameness is not None:
            found.append(("sameness", limits.sameness))
        return tuple(found)
