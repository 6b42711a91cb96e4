"""One pass over a log for a policy: chunks become rows, rows become sums; no more than a chunk is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_bootstrap import PoissonBootstrap
from copybandit.evaluation.ope_chunk import Chunk, Source
from copybandit.evaluation.ope_estimate import Tally, tally
from copybandit.evaluation.ope_estimators import Estimator, parts
from copybandit.evaluation.ope_gates import ROUNDED_SAMPLE
from copybandit.evaluation.ope_moments import Moments
from copybandit.evaluation.ope_reward_model import RewardSums
from copybandit.evaluation.ope_rows import BLOCK, Rows
from copybandit.evaluation.ope_shape import Shape
from copybandit.evaluation.ope_target import Target
from copybandit.evaluation.progress import Progress
from copybandit.sim.types import DataError, Floats

REPLICATES = 200
"""Of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The sums of some rows.

    Attributes:
        tally: of each estimator.
        gains: of each, its v less the reward: value less the log's mean, row by row.
        shape: of weights, propensities and rewards.
    """

    tally: Tally
    gains: tuple[Moments, ...]
    shape: Shape

    def __add__(self, other: Gathered) -> Gathered:
        """Of both sets of rows."""
        return Gathered(
            tally=self.tally + other.tally,
            gains=tuple(a + b for a, b in zip(self.gains, other.gains, strict=True)),
            shape=self.shape + other.shape,
        )


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What a pass found: the sums, the bootstrap of the estimators that it draws, and rows left out by reason."""

    sums: Gathered
    boot: PoissonBootstrap
    left: Counter[str]


def one_pass(
    source: Source,
    target: Target,
    model: RewardSums | None,
    estimators: Sequence[Estimator],
    drawn: Sequence[Estimator],
    *,
    rng: np.random.Generator,
    progress: Progress,
) -> Passed:
    """Read the log once.

    Args:
        source: the log.
        target: whose value it is.
        model: gives q and v where the log itself has none.
        estimators: which, in order.
        drawn: those that get a bootstrap; see `is_drawn`.
        rng: of the policy and of the bootstrap.
        progress: told of rows.

    Raises:
        DataError: the log or the policy cannot be used, or no row is left.
    """
    sums: Gathered | None = None
    boot, left, read = PoissonBootstrap.start(max(1, len(drawn)), replicates=REPLICATES), Counter[str](), 0
    for chunk in source.chunks():
        left.update({one.why: one.rows for one in chunk.left_out})
        if len(chunk):
            rows = rows_of(chunk, target, model, rng, f"{source.path}: rows from {read}")
            new = gather(rows, estimators, look=sums is None or sums.tally.weights.n < ROUNDED_SAMPLE)
            sums = new if sums is None else sums + new
            boot = boot.update(*_terms(rows, drawn), rng) if drawn else boot
        read += chunk.read
        progress.advance(chunk.read)
    if sums is None:
        told = ", ".join(f"{n} {why}" for why, n in left.items()) or "no rows"
        raise DataError(f"{source.path}: must hold rows that a policy decided, got {told}; give another log")
    return Passed(sums=sums, boot=boot, left=left)


def rows_of(
    chunk: Chunk, target: Target, model: RewardSums | None, rng: np.random.Generator, where: str
) -> Rows:
    """What an estimator needs of a chunk.

    Raises:
        DataError: the policy cannot be asked, or a number is out of range; the message begins with ``where``.
    """
    try:
        if target.policy is None:
            assert chunk.target_prob is not None
            return Rows(
                reward=chunk.reward,
                propensity=chunk.propensity,
                target_prob=chunk.target_prob,
                q=chunk.q,
                v=chunk.v,
            )
        return _asked(chunk, target.probs(chunk, rng, where), model)
    except DataError as error:
        raise DataError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from None


def _asked(chunk: Chunk, probs: Floats, model: RewardSums | None) -> Rows:
    assert chunk.column is not None
    shown = np.arange(len(chunk)), chunk.column
    logged = chunk.action_probs
    misses = 0 if logged is None else int(((probs > 0) & (logged <= 0)).any(axis=1).sum())
    q = None if model is None else model.q(chunk)
    return Rows(
        reward=chunk.reward,
        propensity=chunk.propensity,
        target_prob=np.ascontiguousarray(probs[shown]),
        q=None if q is None else q[shown],
        v=None if q is None else (probs * q).sum(axis=1),
        support_misses=misses,
    )


def gather(rows: Rows, estimators: Sequence[Estimator], *, look: bool) -> Gathered:
    """The sums of some rows; ``look`` is whether to see how propensities are written."""
    gains: list[Moments] = []
    for start in range(0, len(rows), BLOCK):
        cut = slice(start, start + BLOCK)
        reward, new = rows.reward[cut], []
        for estimator in estimators:
            terms = parts(rows, estimator, cut)
            terms[0] -= reward
            new.append(Moments.of(terms, reward))
        gains = [a + b for a, b in zip(gains, new, strict=True)] if gains else new
    return Gathered(
        tally=tally(rows, estimators, look=look),
        gains=tuple(gains),
        shape=Shape.of(rows.weight, rows.propensity, rows.reward),
    )


def is_drawn(estimator: Estimator) -> bool:
    """Whether its value is one ratio of sums over rows, so that the bootstrap can draw it: all but SNDR."""
    return not (estimator.model and estimator.normalised)


def _terms(rows: Rows, drawn: Sequence[Estimator]) -> tuple[Floats, Floats]:
    """Numerators and denominators, each of shape (estimators, n)."""
    found = [parts(rows, estimator) for estimator in drawn]
    above = np.stack([v + b for v, b, _ in found])
    one = np.ones(len(rows))
    return above, np.stack(
        [g if estimator.normalised else one for (_, _, g), estimator in zip(found, drawn, strict=True)]
    )
