"""The one row format of off-policy evaluation: what was earned, how likely it was, how likely the target makes it.

A log is one `Rows` or any iterable of them; whatever reads a log holds one chunk at a time. A weight other than
pi_e/pi_b of the action is another pair of columns (`copybandit.evaluation.ope_weights`), never another format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats

BLOCK = 8_192
"""Rows that are worked on at a time: a handful of columns of them stay in a core's cache."""
BATCH = 262_144
"""Rows that are read from a file at a time."""
LEAST_PROPENSITY = 1e-100
"""What is less likely is never drawn, and its weight squared overflows."""
ABOVE_ONE = 1e-9
"""A probability may be above 1 by so much, as sums round."""
_REMEDIES = {
    "propensity": "log the probability the action was drawn with",
    "target_prob": "pass the target policy's probability of the logged action",
}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Logged rounds as an estimator sees them; each column float64 of shape (n,), n at least 1.

    Attributes:
        reward: what the round earned; finite.
        propensity: pi_b, probability of the logged action under the behavior policy, in (0, 1].
        target_prob: pi_e, of the same action under the target policy, in [0, 1].
        q: a model's reward of the logged action; not fitted on the same row.
        v: the model's reward averaged over the target policy.
        support_misses: rounds among these where the target policy may show what the log never could.

    Raises:
        DataError: a column has another shape or type, is not finite or out of range; q has no v.
    """

    reward: Floats
    propensity: Floats
    target_prob: Floats
    q: Floats | None = None
    v: Floats | None = None
    support_misses: int = 0

    def __post_init__(self) -> None:
        n = np.size(self.reward)
        if not n:
            raise DataError("ope: reward must have at least 1 round, got an empty column; give a longer log")
        for name in ("reward", "propensity", "target_prob", "q", "v"):
            values = getattr(self, name)
            if values is not None:
                _check_column(name, values, n)
        _check_probability("propensity", self.propensity, LEAST_PROPENSITY, "(0, 1]")
        _check_probability("target_prob", self.target_prob, 0.0, "[0, 1]")
        if self.q is not None and self.v is None:
            raise DataError("ope: q must come with v, got q alone; average q over the target policy")
        if not 0 <= self.support_misses <= n:
            raise DataError(
                f"ope: support_misses must be in [0, {n}], got {self.support_misses}; count rounds once"
            )

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weight(self) -> Floats:
        """Importance weight pi_e/pi_b, shape (n,)."""
        return np.asarray(self.target_prob / self.propensity)


def rows_of_log(log: LoggedFeedback, target_probs: Floats, q: Floats | None = None) -> Rows:
    """Rows of a log that knows whole distributions.

    Args:
        log: logged bandit feedback of n rounds and k candidates.
        target_probs: shape (n, k), the target policy on the logged requests; 0 where absent.
        q: shape (n, k), reward model, e.g. from `cross_fit`; values where absent are ignored.

    Raises:
        DataError: ``target_probs`` is no distribution over the logged candidates, or shapes do not match.
    """
    check_target(log, target_probs)
    if q is not None and q.shape != target_probs.shape:
        raise DataError(f"ope: q must be {target_probs.shape}, got {q.shape}; align it with the log")
    shown = np.arange(len(log)), log.action
    misses = int(((target_probs > 0) & (log.action_probs <= 0)).any(axis=1).sum())
    there = None if q is None else np.where(log.candidates >= 0, q, 0.0)
    return Rows(
        reward=log.reward,
        propensity=log.propensity,
        target_prob=target_probs[shown],
        q=None if there is None else there[shown],
        v=None if there is None else (target_probs * there).sum(axis=1),
        support_misses=misses,
    )


def check_target(log: LoggedFeedback, target_probs: Floats) -> None:
    """Refuse what is no distribution over the candidates of a log.

    Raises:
        DataError: shape, sign, sum, or weight on an absent candidate.
    """
    shape = log.action_probs.shape
    if target_probs.shape != shape:
        raise DataError(f"ope: target_probs must be {shape}, got {target_probs.shape}; align it with the log")
    absent = float(np.abs(target_probs[log.candidates < 0]).max(initial=0.0))
    off = float(np.abs(target_probs.sum(axis=1) - 1).max(initial=0.0))
    if not (absent == 0 and off <= 1e-9 and (target_probs >= 0).all()):
        raise DataError(
            "ope: target_probs must be >= 0, sum to 1 and be 0 where absent, got rows off by "
            f"{off:.3g} and {absent:.3g} on absent candidates; pass Policy.action_probs of the logged batch"
        )


def read_rows(path: Path | str, batch_rows: int = BATCH) -> Iterator[Rows]:
    """Rows of a Parquet file, chunk by chunk, in constant memory.

    The columns are those of `Rows` by the same names, numbers; q and v may be absent, and so may ``support_miss``,
    which says of each round whether the target policy leaves the log's support.

    Args:
        path: the file.
        batch_rows: rows of a chunk, at least 1.

    Raises:
        DataError: no such file, no Parquet, a column is absent or no number, a value is missing or out of range.
    """
    if batch_rows < 1:
        raise DataError(f"ope: batch_rows must be at least 1, got {batch_rows}; read at least one at a time")
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            names = _columns_of(file.schema_arrow, path)
            for batch in file.iter_batches(batch_rows, columns=names):
                if batch.num_rows:
                    yield _rows_of_batch(batch, path)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: must be a Parquet file, got {reason}; write one") from None


def as_chunks(log: Rows | Iterable[Rows]) -> Iterable[Rows]:
    """The chunks of a log, one where it is whole."""
    return (log,) if isinstance(log, Rows) else log


def _columns_of(schema: pa.Schema, path: Path | str) -> list[str]:
    """Names that are read; the first three must be there."""
    for name in ("reward", "propensity", "target_prob"):
        if name not in schema.names:
            raise DataError(f"{path}: must have a column {name}, got {', '.join(schema.names)}; add it")
    wanted = ("reward", "propensity", "target_prob", "q", "v", "support_miss")
    found = [name for name in wanted if name in schema.names]
    for name in found:
        kind = schema.field(name).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise DataError(f"{path}: {name} must be a number, got {kind}; write it as float64")
    return found


def _rows_of_batch(batch: pa.RecordBatch, path: Path | str) -> Rows:
    columns = {}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if values.null_count:
            raise DataError(
                f"{path}: {name} must be there in every row, got {values.null_count} missing; "
                "drop or fill those rows"
            )
        columns[name] = values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    misses = int(np.count_nonzero(columns.pop("support_miss", np.zeros(0))))
    try:
        return Rows(**columns, support_misses=misses)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _check_column(name: str, values: Floats, n: int) -> None:
    """Refuse another shape or type, and what is not finite: the sum is, unless it overflows."""
    if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape != (n,):
        kind, shape = getattr(values, "dtype", type(values).__name__), np.shape(values)
        raise DataError(
            f"ope: {name} must be float64 of shape ({n},), got {kind} {shape}; one number a round"
        )
    with np.errstate(all="ignore"):
        suspect = not np.isfinite(values.sum())
    if suspect and not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DataError(
            f"ope: {name} must be finite, got {values[row]} in row {row}; correct or drop that round"
        )


def _check_probability(name: str, values: Floats, least: float, span: str) -> None:
    low, high = float(values.min()), float(values.max())
    if low < least or high > 1 + ABOVE_ONE:
        raise DataError(f"ope: {name} must be in {span}, got {low} to {high}; {_REMEDIES[name]}")
