"""How sure the token editor must be, by kind of edit: as many slips mended as a bound on false edits lets.

What counts is copy of kinds that the weights never saw, so they are chosen on a source of text that was left out of
training; offers are what the editor could do to its texts, as they are and with slips. For a price of a false edit each
kind takes the threshold with the most ``right - wrong - price x false``; the price is the least one at which false edits
per clean text stay within the bound (a Lagrangian; a text with two counts twice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.token_corpus import Pair
from copybandit.generators.token_editor import Candidates, TokenEditor
from copybandit.generators.token_edits import KEEP, edited, tags, tokens
from copybandit.generators.token_kinds import EDIT_KINDS, kind_of
from copybandit.sim.types import Floats

HALVINGS = 40
MOST_PRICE = 1e4


@dataclass(frozen=True, kw_only=True)
class Offers:
    """Edits that an editor could make to texts of one source.

    Attributes:
        kind: shape (k,), places in `EDIT_KINDS`.
        evidence: shape (k,), in nats.
        worth: shape (k,), 1 for a right edit and -1 for a wrong one of a text with slips, 0 in a clean text.
        false: shape (k,), 0 in a text with slips, in a clean one 1 / number of clean texts.
    """

    kind: NDArray[np.int64]
    evidence: Floats
    worth: Floats
    false: Floats


def offers(editor: TokenEditor, pairs: Sequence[Pair]) -> Offers:
    """What an editor could do to texts; those whose source is the target are the clean ones."""
    clean = sum(pair.source == pair.target for pair in pairs)
    rows: list[tuple[int, float, float, float]] = []
    for start in range(0, len(pairs), 64):
        some = pairs[start : start + 64]
        found = editor.candidates_of([(pair.brief, pair.source) for pair in some])
        for pair, one in zip(some, found, strict=True):
            rows += _rows(pair, one, clean)
    kind, evidence, worth, false = np.array(rows, float).reshape(-1, 4).T
    return Offers(kind=kind.astype(np.int64), evidence=evidence, worth=worth, false=false)


def _rows(pair: Pair, found: Candidates, clean: int) -> list[tuple[int, float, float, float]]:
    source, right = tokens(pair.source), tags(pair.source, pair.target)
    rows = []
    for i in (i for i, tag in enumerate(found.tags) if tag != KEEP):
        kind = kind_of(found.tags[i], source, i)
        same = right[i] != KEEP and edited(source[i], found.tags[i]) == edited(source[i], right[i])
        untouched = pair.source == pair.target
        worth, false = (0.0, 1 / clean) if untouched else (1.0 if same else -1.0, 0.0)
        rows.append((kind, float(found.evidence[i]), worth, false))
    return rows


def chosen(offered: Offers, bound: float) -> tuple[float, ...]:
    """Thresholds, one per kind, at the least price that keeps false edits per clean text within a bound."""
    low, high = 0.0, MOST_PRICE * max(1, len(offered.kind))
    if false_edits(offered, priced(offered, low)) <= bound:
        return priced(offered, low)
    for _ in range(HALVINGS):
        price = np.sqrt(max(low, 1e-3) * high)
        low, high = (low, price) if false_edits(offered, priced(offered, price)) <= bound else (price, high)
    return priced(offered, high)


def priced(offered: Offers, price: float) -> tuple[float, ...]:
    """For each kind the threshold with the most worth less the price of false edits; infinity where none has any."""
    least = []
    for kind in range(len(EDIT_KINDS)):
        mine = np.flatnonzero(offered.kind == kind)
        order = mine[np.argsort(-offered.evidence[mine], kind="stable")]
        evidence = offered.evidence[order]
        gain = np.cumsum(offered.worth[order] - price * offered.false[order])
        tied = evidence[:-1] == evidence[1:]
        gain[:-1][tied] = -np.inf  # a threshold takes all that are equal to it, or none
        best = int(gain.argmax()) if len(gain) else 0
        least.append(float(evidence[best]) if len(gain) and gain[best] > 0 else float("inf"))
    return tuple(least)


def false_edits(offered: Offers, least: Sequence[float]) -> float:
    """False edits per clean text at thresholds."""
    made = offered.evidence >= np.array(least)[offered.kind]
    return float(offered.false[made].sum())
