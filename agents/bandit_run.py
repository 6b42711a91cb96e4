"""What came of one policy's run: its log with the truth beside it, and the curves reports draw.

Gap closed is (expected - uniform) / (oracle - uniform) in true expected reward, so it carries no click noise. The reward is
that of the season (`season_reward`): a click is 1 unless something else was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import Bools, DataError, Floats, Ints

EPOCH = np.datetime64("2026-01-01T00:00:00", "us")
"""Day 0 of every simulated campaign; fixed, so that logs do not depend on the clock."""
MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, kw_only=True)
class Daily:
    """One row per day with impressions; every array has shape (days,).

    Attributes:
        day: 1 is the first day.
        impressions: requests of the day.
        ctr: clicks per impression that happened.
        expected: true expected reward of what was shown.
        uniform: of a uniform choice.
        oracle: of the best candidate.
        gap_closed: (expected - uniform) / (oracle - uniform).
    """

    day: Ints
    impressions: Ints
    ctr: Floats
    expected: Floats
    uniform: Floats
    oracle: Floats
    gap_closed: Floats


@dataclass(frozen=True, kw_only=True)
class RegretCurve:
    """Cumulative pseudo-regret, in rewards, against the myopic oracle; both arrays have shape (points,)."""

    impressions: Ints
    regret: Floats


@dataclass(frozen=True, kw_only=True)
class BanditRun:
    """One policy's log with the truth beside it, row by row.

    Attributes:
        policy: name of the policy.
        log: what happened, with propensities.
        expected: shape (n,), true expected reward of what was shown.
        expected_click: shape (n,), its true click probability.
        oracle: shape (n,), of the best candidate.
        uniform: shape (n,), mean over present candidates.
        truth: shape (n, k), of each candidate, 0 where absent.
        prior: shape (n, k), warm start the policy saw, as a share of ``most``.
        most: shape (n,), largest reward of each request; policies are told shares of it.
    """

    policy: str
    log: LoggedFeedback
    expected: Floats
    expected_click: Floats
    oracle: Floats
    uniform: Floats
    truth: Floats
    prior: Floats
    most: Floats

    def online(self) -> BanditRun:
        """The rows that the policy itself decided: without the held out, whom estimates of policies may not count.

        Raises:
            DataError: everybody was held out.
        """
        if self.log.held is None:
            return self
        if self.log.held.all():
            raise DataError(
                "bandit: a policy needs rows of its own, got only held-out ones; lower the holdout"
            )
        own = some(self, ~self.log.held)
        return replace(own, log=replace(own.log, held=None))

    @property
    def day(self) -> Ints:
        """Day of each row, shape (n,); 1 is the first."""
        elapsed = (self.log.timestamp - EPOCH).astype(np.int64)
        return np.asarray(elapsed // MICROSECONDS_PER_DAY + 1, dtype=np.int64)

    def ctr(self) -> float:
        """Clicks per impression that happened."""
        return float(self.log.click.mean())

    def gap_closed(self) -> float:
        """Share of the gap between uniform and oracle closed over the whole run, by expected reward."""
        return _gap_closed(self.expected.sum(), self.uniform.sum(), self.oracle.sum())

    def gap_closed_day(self, day: int) -> float:
        """The same on one day alone; day 1 is the first.

        Raises:
            DataError: the log has no row of that day.
        """
        rows = self.day == day
        if not rows.any():
            raise DataError(
                f"bandit: day must be one of {np.unique(self.day).tolist()}, got {day}; ask for one of them"
            )
        return _gap_closed(self.expected[rows].sum(), self.uniform[rows].sum(), self.oracle[rows].sum())

    def daily(self) -> Daily:
        """Means and gap per day."""
        day, row = np.unique(self.day, return_inverse=True)
        count = np.bincount(row)
        ctr, expected, uniform, oracle = (
            np.bincount(row, values) / count
            for values in (self.log.click, self.expected, self.uniform, self.oracle)
        )
        closed = [_gap_closed(*means) for means in zip(expected, uniform, oracle, strict=True)]
        return Daily(
            day=day,
            impressions=count,
            ctr=ctr,
            expected=expected,
            uniform=uniform,
            oracle=oracle,
            gap_closed=np.array(closed),
        )

    def regret_curve(self, points: int = 200) -> RegretCurve:
        """Cumulative pseudo-regret at evenly spaced impressions, the last one included."""
        at = np.unique(np.linspace(1, len(self.log), min(points, len(self.log))).astype(np.int64))
        return RegretCurve(impressions=at, regret=np.cumsum(self.oracle - self.expected)[at - 1])

    def batch(self) -> Batch:
        """The logged requests, warm start as the only feature, for target policies that need no more."""
        n, last = len(self.log), int(self.log.candidates.max())
        return Batch(
            context=np.empty((n, 0)),
            actions=np.empty((last + 1, 0)),
            candidates=self.log.candidates,
            state=self.prior[:, :, None],
            time=(self.log.timestamp - EPOCH).astype(np.int64) / MICROSECONDS_PER_DAY,
        )

    def policy_value(self, target_probs: Floats) -> float:
        """True expected reward on the logged requests of a target policy with probabilities (n, k)."""
        return float((target_probs * self.truth).sum(axis=1).mean())


Record = TypeVar("Record", BanditRun, LoggedFeedback)


def concat(parts: Sequence[Record]) -> Record:
    """One run or log out of consecutive ones of the same policy; names are those of the first.

    Raises:
        DataError: there is nothing to join.
    """
    if not parts:
        raise DataError("concat: needs at least one part, got none; run at least one batch")
    joined: dict[str, Any] = {}
    for field in fields(parts[0]):
        values: list[Any] = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            joined[field.name] = np.concatenate(values)
        else:
            joined[field.name] = concat(values) if isinstance(values[0], LoggedFeedback) else values[0]
    return type(parts[0])(**joined)


def some(record: Record, rows: Bools) -> Record:
    """The rows of a mask, shape (n,)."""
    kept: dict[str, Any] = {}
    for field in fields(record):
        value: Any = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            kept[field.name] = value[rows]
        else:
            kept[field.name] = some(value, rows) if isinstance(value, LoggedFeedback) else value
    return type(record)(**kept)


def _gap_closed(expected: float, uniform: float, oracle: float) -> float:
    """NaN when all candidates are equally good: there is no gap to close."""
    return float((expected - uniform) / (oracle - uniform)) if oracle > uniform else float("nan")
