"""The record of what a log says of a policy; `copybandit ope` prints it, keeps it and draws it."""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.ope_chunk import LeftOut
from copybandit.evaluation.ope_estimate import Estimate
from copybandit.evaluation.ope_shape import Shape


@dataclass(frozen=True, kw_only=True)
class Line:
    """What one estimator says.

    Attributes:
        estimator: its name.
        refused: why it has no number; empty where it has one.
        setting: the c that was chosen by SLOPE++; None where there is none. JSON has null for infinity, too.
        estimate: value, intervals and diagnostics; None where nothing could be computed.
        gain: value less the log's own mean, with its normal 95% interval; None where the value is refused, or its bias (of
            shrinkage, of a model alone) is in no interval: differences are smaller than values, so it would decide them.
    """

    estimator: str
    refused: str = ""
    setting: float | None = None
    estimate: Estimate | None = None
    gain: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a log says of a policy.

    Attributes:
        log: its path.
        kind: what kind of log it is.
        policy: whose value it is.
        rows: rows that were counted.
        left_out: rows that were not, and why.
        logged: the logging policy's mean reward over the counted rows, normal 95% interval.
        lines: one for each estimator.
        shape: of propensities and weights.
        notes: what a reader should know.
        seed: of the bootstrap.
    """

    log: str
    kind: str
    policy: str
    rows: int
    left_out: tuple[LeftOut, ...]
    logged: Interval
    lines: tuple[Line, ...]
    shape: Shape
    notes: tuple[str, ...]
    seed: int

    def figures(self) -> dict[str, float | None]:
        """Every number by the dotted name that a gate calls it; None where it is refused.

        ``logged.value``, and of each estimator value, std_err, ci_low, ci_high, ess, max_weight, weight_sum_over_n,
        support_misses, effective_rewards, n, gain.value, gain.ci_low and gain.ci_high.
        """
        found: dict[str, float | None] = {"rows": float(self.rows), **_of(self.logged, "logged")}
        for line in self.lines:
            told, gain = line.estimate, line.gain
            for name in (*NUMBERS, *COUNTS):
                found[f"{line.estimator}.{name}"] = None if told is None else float(getattr(told, name))
            for name in ("value", "ci_low", "ci_high"):
                found[f"{line.estimator}.gain.{name}"] = None if gain is None else float(getattr(gain, name))
        return found


NUMBERS = ("value", "std_err", "ci_low", "ci_high")
COUNTS = ("n", "ess", "max_weight", "weight_sum_over_n", "support_misses", "effective_rewards")


def _of(found: Interval, name: str) -> dict[str, float]:
    return {
        f"{name}.value": found.value,
        f"{name}.ci_low": found.ci_low,
        f"{name}.ci_high": found.ci_high,
    }
