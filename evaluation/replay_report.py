"""What each policy of the replay won: clicks over an even split, and ours over each other policy on the same contests.

Every contest gets equally many impressions. Intervals resample connected components; two policies are compared on the same
resampled components. The best peer of a horizon is the one with the most clicks in this very run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.intervals import Interval, lift_of, sum_interval
from copybandit.evaluation.replay_policies import Player, Side
from copybandit.evaluation.replay_tests import Contests
from copybandit.sim.types import Bools, Floats

REPLICATES = 4000


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A policy after the replay.

    Attributes:
        player: the policy.
        earned: shape (horizons, g), clicks per impression of each contest.
        seconds: that it took to play.
    """

    player: Player
    earned: Floats
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A policy's figures at one horizon, relative clicks minus 1.

    Attributes:
        lift: over an even split.
        behind: of ours over this policy; of ours itself, over the best peer.
    """

    lift: Interval
    behind: Interval


def compare(contests: Contests, ours: Floats, theirs: Floats, rows: Bools, seed: int = 0) -> Interval:
    """Relative gain in clicks of ours over theirs, both of shape (g,), on some contests, shape (g,)."""
    home = np.unique(contests.home[rows], return_inverse=True)[1]
    sums = np.stack([np.bincount(home, values[rows]) for values in (ours, theirs)])
    per_component = np.asarray(sums, dtype=np.float64)[:, None, :]
    return sum_interval(per_component, lift_of, REPLICATES, np.random.default_rng(seed))


def best_peer(contests: Contests, standings: tuple[Standing, ...], place: int) -> tuple[str, Floats]:
    """Name and earnings, shape (g,), of the peer with the most clicks at a horizon; `uniform` is one."""
    rows = [("uniform", contests.usual)]
    rows += [(s.player.name, s.earned[place]) for s in standings if s.player.side is Side.PEER]
    return max(rows, key=lambda row: float(row[1].sum()))


def finding(
    contests: Contests, standings: tuple[Standing, ...], which: Standing, place: int, rows: Bools
) -> Finding:
    """The figures of one policy at the horizon in that place, on some contests, shape (g,)."""
    ours = next(s for s in standings if s.player.side is Side.OURS)
    rival = (
        best_peer(contests, standings, place)[1] if which.player.side is Side.OURS else which.earned[place]
    )
    return Finding(
        lift=compare(contests, which.earned[place], contests.usual, rows),
        behind=compare(contests, ours.earned[place], rival, rows),
    )


def figures(
    contests: Contests,
    standings: tuple[Standing, ...],
    which: Standing,
    horizons: tuple[int, ...],
    rows: Bools,
) -> dict[str, float]:
    """`lift_H` over an even split and `gain_H` of ours over it (for ours, over the best peer), with intervals."""
    told: dict[str, float] = {}
    for place, horizon in enumerate(horizons):
        found = finding(contests, standings, which, place, rows)
        for name, interval in ((f"lift_{horizon}", found.lift), (f"gain_{horizon}", found.behind)):
            told |= {
                name: interval.value,
                f"{name}_ci_low": interval.ci_low,
                f"{name}_ci_high": interval.ci_high,
            }
    return told | {"seconds": which.seconds}


def report(
    contests: Contests, standings: tuple[Standing, ...], horizons: tuple[int, ...], unseen: Bools
) -> dict[str, object]:
    """What was measured, as the record holds it; `unseen`, shape (g,), are the contests that nothing was chosen on."""
    every = np.ones(len(contests), dtype=np.bool_)
    sides: dict[Side, dict[str, dict[str, float]]] = {side: {} for side in Side}
    for one in standings:
        sides[one.player.side][one.player.name] = figures(contests, standings, one, horizons, every)
    ours = next(s for s in standings if s.player.side is Side.OURS)
    own = sides[Side.OURS][ours.player.name]
    oracle = compare(contests, contests.best, contests.usual, every)
    return {
        "ours": own,
        "ours_unseen_half": figures(contests, standings, ours, horizons, unseen),
        "parts": sides[Side.PART],
        "peers": {"uniform": {f"lift_{h}": 0.0 for h in horizons}} | sides[Side.PEER],
        "best_peer": {str(h): best_peer(contests, standings, at)[0] for at, h in enumerate(horizons)},
        "ratios": {f"over_best_peer_{h}": 1 + own[f"gain_{h}"] for h in horizons},
        "oracle": {"lift": oracle.value, "lift_ci_low": oracle.ci_low, "lift_ci_high": oracle.ci_high},
    }
