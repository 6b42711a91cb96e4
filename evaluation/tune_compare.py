"""Writers side by side on the same cells: what their copy earns, how far they went for it, what that took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from copybandit.evaluation.cells import CellReward, Cells, write_cells
from copybandit.evaluation.intervals import Interval, lift_interval, mean_interval
from copybandit.generators.best_of_n import BestOfN
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.generators.template import REFERENCE
from copybandit.sim.types import Floats
from copybandit.sim.world import World

BEST_OF = 4
"""Proposals per text of the baseline that chooses when it writes."""
BASE = "sft"
TEMPLATE, SAMPLED = "template", f"{BASE} best of {BEST_OF}"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One writer, or one per tuning seed.

    Attributes:
        name: of the row.
        writers: who write.
        calls: texts that the reward was asked about before it could write, per seed.
        calls_per_text: and for each text that it writes.
        seconds: of tuning, all seeds.
    """

    name: str
    writers: tuple[Generator, ...]
    calls: float = 0.0
    calls_per_text: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one writer's copy is like on the cells; intervals resample seeds and products.

    Attributes:
        name: of the writer.
        seeds: writers behind it.
        reward: mean reward of the copy that would be shown, in log-odds, in the fitted world.
        lift: relative lift of its click rate over SFT in the world that judges; None for SFT itself.
        refused: share of first proposals that the editor refused.
        kl: to SFT, nats per text: measured on the copy, or the bound of best of n; None where there is none.
        characters: of a text.
        unique: share of texts that no other cell has.
        calls, calls_per_text, seconds: see `Entry`.
    """

    name: str
    seeds: int
    reward: Interval
    lift: Interval | None
    refused: float
    kl: float | None
    characters: float
    unique: float
    calls: float
    calls_per_text: int
    seconds: float


def baselines(sft: CausalLM, reward: CellReward, seeds: int) -> list[Entry]:
    """The rows that tuning must beat; the untuned writer writes once per tuning seed."""
    best = BestOfN(base=sft, score=reward.by_brief, n=BEST_OF, generator_id=SAMPLED)
    return [
        Entry(name=TEMPLATE, writers=(REFERENCE,)),
        Entry(name=BASE, writers=(sft,) * seeds),
        Entry(name=SAMPLED, writers=(best,) * seeds, calls_per_text=BEST_OF),
    ]


def compare(
    entries: Sequence[Entry],
    sft: CausalLM,
    reward: CellReward,
    world: World,
    references: Sequence[str],
    replicates: int,
    seed: int,
) -> tuple[list[Row], dict[str, list[list[str]]]]:
    """Let every writer write every cell of the reward.

    Args:
        entries: who takes part; one is called `BASE`.
        sft: the untuned writer.
        reward: whose cells are written.
        world: whose click rates are compared.
        references: reference copy of each product.
        replicates: of the bootstrap.
        seed: of the texts and the bootstrap.

    Returns:
        a row per entry, and the texts of each by name, one list per seed.
    """
    rng = np.random.default_rng([seed, 14])
    texts: dict[str, list[list[str]]] = {}
    refused: dict[str, float] = {}
    for entry in entries:
        written = [write_cells(w, reward.cells, references, reward.editor, rng) for w in entry.writers]
        texts[entry.name] = [list(one.texts) for one in written]
        refused[entry.name] = float(np.mean([one.refused for one in written]))
    rates = {name: reward.cells.rates(world, rows) for name, rows in texts.items()}
    draws = np.random.default_rng([seed, 15])
    rows = [
        _row(entry, sft, reward, rates, texts[entry.name], refused[entry.name], replicates, draws)
        for entry in entries
    ]
    return rows, texts


def _row(
    entry: Entry,
    sft: CausalLM,
    reward: CellReward,
    rates: Mapping[str, Floats],
    texts: list[list[str]],
    refused: float,
    replicates: int,
    rng: np.random.Generator,
) -> Row:
    cells, every = reward.cells, np.arange(len(reward.cells))
    earned = np.stack([reward(every, row).total for row in texts])
    lift = None
    if entry.name != BASE:
        ours, theirs = np.broadcast_arrays(rates[entry.name], rates[BASE])
        lift = lift_interval(ours, theirs, cells.product, replicates, rng)
    return Row(
        name=entry.name,
        seeds=len(entry.writers),
        reward=mean_interval(earned, cells.product, replicates, rng),
        lift=lift,
        refused=refused,
        kl=_kl(entry, sft, cells, texts),
        characters=float(np.mean([len(text) for row in texts for text in row])),
        unique=float(np.mean([len(set(row)) / len(row) for row in texts])),
        calls=entry.calls,
        calls_per_text=entry.calls_per_text,
        seconds=entry.seconds,
    )


def _kl(entry: Entry, sft: CausalLM, cells: Cells, texts: list[list[str]]) -> float | None:
    """Mean log ratio of a tuned writer to SFT on what it wrote."""
    if entry.name == BASE:
        return 0.0
    found = []
    for writer, row in zip(entry.writers, texts, strict=True):
        if isinstance(writer, BestOfN):
            return writer.kl_bound
        if not isinstance(writer, CausalLM):
            return None
        found.append((writer.log_prob(cells.briefs, row) - sft.log_prob(cells.briefs, row)).mean())
    return float(np.mean(found))


def plain_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as report.json keeps them."""
    return [asdict(row) for row in rows]
