"""Where the token editor's clean texts come from: always the grammar, and what else is at hand, each with its share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from copybandit.agents.token_corpus import (
    CleanText,
    Pool,
    electronics_texts,
    grammar_texts,
    headline_texts,
    word_list,
)
from copybandit.agents.word_frequencies import frequent_words
from copybandit.generators.smollm2 import has_smollm2
from copybandit.generators.token_words import WordList
from copybandit.sim.types import DataError

WEIGHTS = {"grammar": 0.35, "drafts": 0.3, "electronics": 0.1}
"""How often a text is drawn from each source; what is missing leaves its share to the others."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What to gather.

    Attributes:
        ab_tests: file of the Upworthy archive; None leaves headlines out.
        drafts: drafts of SmolLM2 asked for.
        grammar: texts of the grammar, and as many again about the lexicon's own products for the word list.
        seed: of everything random.
    """

    ab_tests: Path | None = None
    drafts: int = 0
    grammar: int = 8_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What was gathered.

    Attributes:
        pools: clean texts by source, the grammar's first.
        left_out: what is not learned from, to choose thresholds on: human headlines, or else a share of the grammar's copy.
        usual: texts of the grammar about the lexicon's own products, for the word list.
        frequent: words that are common in general, the commonest first.
        told: per source the number of texts, and the hash of the archive, for the card.
        missing: what was left out, in words.
    """

    pools: tuple[Pool, ...]
    left_out: Pool
    usual: tuple[CleanText, ...]
    frequent: tuple[str, ...]
    told: dict[str, int | str]
    missing: tuple[str, ...] = ()

    @cached_property
    def words(self) -> WordList:
        """Known words; the grammar's invented names stay out."""
        return word_list(
            [*self.usual, *(text for pool in self.pools[1:] for text in pool.texts)], self.frequent
        )


def gather(sources: Sources, on_drafts: Callable[[int], None] | None = None) -> Texts:
    """Gather the texts; what is not installed or not given is left out and named.

    Raises:
        DataError: a given file cannot be used.
    """
    found: dict[str, list[CleanText]] = {}
    missing: list[str] = []
    if sources.drafts and has_smollm2():
        from copybandit.agents.drafted_text import drafted_texts

        found["drafts"] = drafted_texts(sources.drafts, sources.seed, on_drafts)
    else:
        missing.append("no drafts: SmolLM2 is not installed, or --drafts is 0")
    if sources.ab_tests is not None:
        found["headlines"] = headline_texts(sources.ab_tests, "fit")
    else:
        missing.append("thresholds are chosen on the grammar's own copy: --ab-tests is not given")
    try:
        found["electronics"] = electronics_texts("fit")
    except DataError as error:
        missing.append(f"no electronics: {error}")
    frequent: tuple[str, ...] = ()
    try:
        frequent = frequent_words()
    except DataError as error:
        missing.append(f"few words: {error}")
    return texts_of(found, sources, frequent, tuple(missing))


def texts_of(
    found: dict[str, list[CleanText]],
    sources: Sources,
    frequent: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
) -> Texts:
    """What was found, with the grammar's own texts, parted into what is learned from and what is left out."""
    rng = np.random.default_rng([sources.seed, 3])
    grammar = grammar_texts(sources.grammar, rng)
    usual = grammar_texts(sources.grammar, rng, strange=0.0)
    told: dict[str, int | str] = {name: len(texts) for name, texts in found.items()}
    if sources.ab_tests is not None:
        told["ab_tests_sha256"] = hashlib.sha256(sources.ab_tests.read_bytes()).hexdigest()
    pools = {"grammar": grammar, **found}
    left_out = pools.pop("headlines", [])
    if not left_out:
        cut = max(1, len(grammar) // 10)
        left_out, pools["grammar"] = grammar[:cut], grammar[cut:]
    return Texts(
        pools=tuple(Pool(weight=WEIGHTS[name], texts=tuple(texts)) for name, texts in pools.items()),
        left_out=Pool(weight=1.0, texts=tuple(left_out)),
        usual=tuple(usual),
        frequent=frequent,
        told={"grammar": len(grammar), **told, "words": len(frequent)},
        missing=missing,
    )
