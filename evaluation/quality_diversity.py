"""Writers judged fairly against one another: quality over diversity, each swept through its sampling temperatures.

A lower temperature makes any writer better and duller, so quality at one temperature says nothing; only where one curve
lies above another at equal diversity is a writer better (Caccia et al., "Language GANs Falling Short", ICLR 2020,
arXiv 1811.02549). Diversity is self-BLEU-4 of all texts. Quality is the log probability per token under a trigram model of
real copy that no writer learned from; beside it stand the share that the editor passes and the fitted world's reward.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.self_bleu import self_bleu
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.sim.surprisal import MEASURES, Surprisal
from copybandit.sim.types import DataError, Floats, Ints

TEMPERATURES = (0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
"""From nearly always the likeliest token to more random than learned."""
GRID = 50
"""Places at which two curves are compared."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One writer at one temperature.

    Attributes:
        writer: its name in the sweep.
        temperature: that it wrote at; None for a writer that has none.
        texts: that it wrote.
        self_bleu: of all its texts, in [0, 1]; low is diverse.
        self_bleu_within: mean over briefs of the self-BLEU of one brief's texts; nan for one text per brief.
        log_prob: nats per token under the reference model, mean over texts; high is like real copy.
        approved: share that the editor passes.
        reward: mean of what tuning optimises, in log-odds, refused copy at its veto.
    """

    writer: str
    temperature: float | None
    texts: int
    self_bleu: float
    self_bleu_within: float
    log_prob: float
    approved: float
    reward: float


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How far one writer's curve lies above another's, on average over the self-BLEU that both reach.

    Attributes:
        log_prob: nats per token; above 0 is better than the baseline at equal diversity; nan where the curves share none.
        low, high: the shared range of self-BLEU.
    """

    writer: str
    baseline: str
    log_prob: float
    low: float
    high: float


def sweep(
    writers: Mapping[str, Generator],
    reward: CellReward,
    rows: Ints,
    reference: Surprisal,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
    copies: int = 2,
    seed: int = 0,
) -> list[Point]:
    """Let every writer write the same briefs at every temperature; a writer without temperature gives one point.

    Args:
        writers: by name; each draws with random numbers of its own.
        reward: of the fitted world, on cells that nothing was trained on.
        rows: shape (n,), which of its cells are written.
        reference: fitted to real copy that no writer learned from.
        temperatures: of the sweep.
        copies: texts per brief.
        seed: of the sampling.
    """
    points = []
    for place, (name, writer) in enumerate(writers.items()):
        for step, (temperature, version) in enumerate(_versions(writer, temperatures)):
            rng = np.random.default_rng([seed, place, step])
            points.append(_measure(name, temperature, version, reward, rows, reference, copies, rng))
    return points


def _versions(writer: Generator, temperatures: Sequence[float]) -> list[tuple[float | None, Generator]]:
    if not isinstance(writer, CausalLM):
        return [(None, writer)]
    found: list[tuple[float | None, Generator]] = []
    for temperature in temperatures:
        version = copy.copy(writer)  # the weights are shared
        version.temperature = temperature
        found.append((temperature, version))
    return found


def _measure(
    name: str,
    temperature: float | None,
    writer: Generator,
    reward: CellReward,
    rows: Ints,
    reference: Surprisal,
    copies: int,
    rng: np.random.Generator,
) -> Point:
    drawn = writer.propose([reward.cells.briefs[row] for row in rows], copies, rng)
    texts = [variant.text for row in drawn for variant in row]
    scored = reward(np.repeat(rows, copies), texts)
    within = [self_bleu([variant.text for variant in row]) for row in drawn] if copies > 1 else [np.nan]
    return Point(
        writer=name,
        temperature=temperature,
        texts=len(texts),
        self_bleu=self_bleu(texts),
        self_bleu_within=float(np.mean(within)),
        log_prob=float(token_log_prob(reference, texts).mean()),
        approved=1 - float(dict(scored.components)["refused"].mean()),
        reward=float(scored.total.mean()),
    )


def token_log_prob(reference: Surprisal, texts: Sequence[str]) -> Floats:
    """Mean log probability of each text's tokens and its end, in nats, shape (n,)."""
    return -reference.measure(texts)[:, MEASURES.index("mean")]


def gap(points: Sequence[Point], writer: str, baseline: str) -> Gap:
    """Compare two curves of a sweep, each taken as straight between its points in order of self-BLEU.

    Raises:
        DataError: a writer with fewer than two points.
    """
    one, other = _curve(points, writer), _curve(points, baseline)
    low, high = max(one[0][0], other[0][0]), min(one[0][-1], other[0][-1])
    value = np.nan
    if low < high:
        at = np.linspace(low, high, GRID)
        value = float((np.interp(at, *one) - np.interp(at, *other)).mean())
    return Gap(writer=writer, baseline=baseline, log_prob=value, low=float(low), high=float(high))


def _curve(points: Sequence[Point], writer: str) -> tuple[Floats, Floats]:
    own = sorted((point.self_bleu, point.log_prob) for point in points if point.writer == writer)
    if len(own) < 2:
        raise DataError(
            f"gap: a curve needs at least 2 points, got {len(own)} of {writer!r}; sweep it through temperatures"
        )
    x, y = np.array(own).T
    return x, y
