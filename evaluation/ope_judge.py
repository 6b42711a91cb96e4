"""A log's verdict on a policy: every estimator in one pass, and how much better than the logging policy each says it is.

    gain = mean(v - r) + sum g (r - q) / N        the value less the log's own mean, row by row, so what both share cancels

Rows are taken as independent. A policy is asked as it was saved; it does not learn on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.ope_asked import Asked
from copybandit.evaluation.ope_chunk import Chunk, LeftOut, Source
from copybandit.evaluation.ope_estimate import Z95, Estimate, NamedInterval, conclude
from copybandit.evaluation.ope_estimators import Estimator
from copybandit.evaluation.ope_moments import Moments
from copybandit.evaluation.ope_pass import Passed, is_drawn, one_pass
from copybandit.evaluation.ope_reward_model import RewardSums, learn_rewards
from copybandit.evaluation.ope_shape import Spread
from copybandit.evaluation.ope_target import Target
from copybandit.evaluation.ope_tuning import choose
from copybandit.evaluation.ope_verdict import Line, Verdict
from copybandit.evaluation.progress import Progress
from copybandit.sim.types import DataError

NO_MODEL = (
    "a reward model is needed, got none: the log does not know its candidates; name columns q and v, or log the "
    "whole distribution"
)
BIASED = ("shrunk", "model")
"""Findings that tell of a bias which intervals leave out."""


def judge_log(
    source: Source, target: Target, asked: Sequence[Asked], *, seed: int, progress: Progress
) -> Verdict:
    """Value a policy by a log.

    Args:
        source: the log.
        target: the policy.
        asked: the estimators.
        seed: of whatever the policy draws, and of the bootstrap.
        progress: told of rows.

    Raises:
        DataError: the log or the policy cannot be used, or no row is left to count.
    """
    if target.featureless and source.plain is not None:
        source = replace(source, chunks=source.plain)
    asks = target.policy is not None and any(one.model for one in asked)
    model = _learn(source, progress) if asks else None
    lacking = model is None and (target.policy is not None or not _has_model(source))
    used = [one for one in asked if not (one.model and lacking)]
    flat = [estimator for one in used for estimator in one.made]
    drawn = [one.made[0] for one in used if not one.grid and is_drawn(one.made[0])]
    progress.stage("estimate", total=source.rows)
    rng = np.random.default_rng([seed, 0])
    known = one_pass(source, target, model, flat, drawn, rng=rng, progress=progress)
    bounds = _bootstrap(known, drawn, np.random.default_rng([seed, 1]))
    lines = {line.estimator: line for line in _lines(used, flat, known, source, bounds)}
    return Verdict(
        log=str(source.path),
        kind=source.kind,
        policy=target.name,
        rows=known.sums.tally.weights.n,
        left_out=tuple(LeftOut(why=why, rows=rows) for why, rows in sorted(known.left.items())),
        logged=_mean(known.sums.shape.reward),
        lines=tuple(lines.get(one.name) or Line(estimator=one.name, refused=NO_MODEL) for one in asked),
        shape=known.sums.shape,
        notes=(*source.notes, *target.notes),
        seed=seed,
    )


def _learn(source: Source, progress: Progress) -> RewardSums | None:
    progress.stage("model", total=source.rows)

    def told() -> Iterator[Chunk]:
        for chunk in source.chunks():
            yield chunk
            progress.advance(chunk.read)

    return learn_rewards(told(), warm=source.warm)


def _has_model(source: Source) -> bool:
    """Whether the log itself has q and v."""
    first = next(source.chunks(), None)
    return first is not None and first.q is not None and first.v is not None


def _mean(reward: Spread) -> Interval:
    reach = Z95 * float(np.sqrt(reward.variance / reward.n))
    return Interval(value=reward.mean, ci_low=reward.mean - reach, ci_high=reward.mean + reach)


def _bootstrap(
    known: Passed, drawn: Sequence[Estimator], rng: np.random.Generator
) -> dict[str, NamedInterval]:
    """Percentile intervals; none where a denominator is 0, which the estimate itself refuses."""
    if not drawn:
        return {}
    try:
        found = known.boot.bounds(rng)
    except DataError:
        return {}
    low, high = np.asarray(found.low), np.asarray(found.high)
    return {
        one.name: NamedInterval(method="bootstrap", low=float(low[i]), high=float(high[i]))
        for i, one in enumerate(drawn)
    }


def _lines(
    used: Sequence[Asked],
    flat: Sequence[Estimator],
    known: Passed,
    source: Source,
    bounds: dict[str, NamedInterval],
) -> Iterator[Line]:
    place = 0
    for one in used:
        mine = range(place, place + len(one.made))
        place += len(one.made)
        try:
            found = [
                conclude(flat[i], known.sums.tally.moments[i], known.sums.tally, refuse=False) for i in mine
            ]
        except DataError as error:
            yield Line(estimator=one.name, refused=str(error).removeprefix("ope: "))
            continue
        best, setting = 0, None
        if one.grid:
            tuned = choose(one.grid, found, False)
            best, setting = one.grid.index(tuned.setting), tuned.setting
        more = (bounds[one.name],) if one.name in bounds else ()
        estimate = replace(
            found[best],
            intervals=found[best].intervals + more,
            findings=found[best].findings + source.findings,
        )
        gain = known.sums.gains[mine[best]]
        yield _line(one.name, setting, estimate, gain, normalised=one.made[0].normalised)


def _line(name: str, setting: float | None, estimate: Estimate, gain: Moments, *, normalised: bool) -> Line:
    if estimate.refused:
        why = "; ".join(finding.text for finding in estimate.findings if finding.refuses)
        return Line(estimator=name, refused=why, setting=setting, estimate=estimate.without_number())
    if any(finding.gate in BIASED for finding in estimate.findings):
        return Line(estimator=name, setting=setting, estimate=estimate)
    value, error = gain.value_and_std_err(normalised=normalised)
    reach = Z95 * error
    interval = Interval(value=value, ci_low=value - reach, ci_high=value + reach)
    return Line(estimator=name, setting=setting, estimate=estimate, gain=interval)
