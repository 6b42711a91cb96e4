"""Regret in our shop under four scenarios: our policies and those of other projects on the same stream of requests.

Run: ``copybandit bench regret --json FILE [--picture FILE] [--install-peers]``. Scenarios are those of
`evaluation/regret_shop.py`: nothing changes, the truth drifts from day to day, shoppers tire, new copy comes every day.
Feedback arrives in batches of 250. Every contender's settings are those of its grid of 8 with the least regret over the
four scenarios in another shop; ours that are not tuned run as shipped (`evaluation/regret_policies.py`). Regret is in true
expected clicks against the myopic oracle. ``--contenders`` names who plays, more of ours among them than play by default.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.agents.bandit import run_bandit
from copybandit.agents.batch import Learner
from copybandit.evaluation.bench_peers import Runner, peers_of, why_not
from copybandit.evaluation.machine import versions
from copybandit.evaluation.paired import at_or_below, mean_of, paired
from copybandit.evaluation.regret_chart import Curve, regret_chart
from copybandit.evaluation.regret_policies import NAMES, TUNED, USUAL, our_policy, rows_of
from copybandit.evaluation.regret_shop import SCENARIOS, VARIANTS, Ground, Scenario, Season, make_ground
from copybandit.evaluation.remote_policy import RemotePolicy
from copybandit.sim.types import DataError, Floats

PRODUCTS, BATCH, POINTS = 20, 250, 60
NAMED = "linucb tuned"
"""Ours in every comparison, named before anything was run."""
Settings = dict[str, Any]


def grid(**choices: tuple[Any, ...]) -> list[Settings]:
    """All combinations."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


DRAWN = ("uniform", "explore_then_commit")
PEERS: dict[str, list[Settings]] = {
    "vowpalwabbit": [
        {"power": 0.5, **row}
        for row in grid(explore=("squarecb", "cover"), rate=(0.05, 0.1), features=("phi", "log"))
    ],
    "gittins": grid(epsilon=(0.005, 0.02), forgetfulness=(0.9999, 1.0), features=("lift", "phi")),
    "mabwiser": [
        {"policy": "thompson"},
        *({"policy": "ucb1", "alpha": alpha} for alpha in (0.01, 0.03, 0.1)),
        *({"policy": "linucb", **row} for row in grid(alpha=(0.01, 0.05), ridge=(10.0, 30.0))),
    ],
    "contextualbandits": grid(alpha=(0.05, 0.2), ridge=(1.0, 30.0), features=("lift", "request")),
    "bayesianbandits": [
        {"forget": 1.0, "noise": noise, "precision": 500 * noise, "features": features}
        for noise in (20.0, 60.0, 200.0, 600.0)
        for features in ("lift", "phi")
    ],
}
"""Drawn up after trials in the shop that settings are chosen in."""
Make = Callable[[Ground, Settings, int, int], Learner]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes part: a name, its grid, and how a fresh one is made for a shop, a seed and so many impressions."""

    name: str
    grid: list[Settings]
    make: Make


@dataclass(frozen=True, kw_only=True)
class Run:
    """One season: impressions at the points, regret there, and CPU seconds (of ours with those of the shop)."""

    at: Floats
    regret: Floats
    seconds: float


def local(name: str) -> Contender:
    """One of ours."""

    def make(ground: Ground, settings: Settings, seed: int, n: int) -> Learner:
        return our_policy(name, ground, settings, n)

    return Contender(name=name, grid=[dict(row) for row in rows_of(name)], make=make)


def remote(runner: Runner, scratch: Path) -> Contender:
    """Another project's."""

    def make(ground: Ground, settings: Settings, seed: int, n: int) -> Learner:
        shape = (len(ground.goods.products), VARIANTS)
        return RemotePolicy(runner.name, runner, settings, seed, shape, scratch)

    return Contender(name=runner.name, grid=PEERS[runner.name], make=make)


def play(contender: Contender, ground: Ground, scenario: Scenario, settings: Settings, n: int) -> Run:
    """One season of a fresh policy."""
    policy = contender.make(ground, settings, ground.seed, n)
    season, start = Season(ground, scenario, n_impressions=n), time.process_time()
    rng = np.random.default_rng([ground.seed, 6])
    done = run_bandit(policy, season, n_impressions=n, batch_size=BATCH, rng=rng)
    spent = policy.cpu_s if isinstance(policy, RemotePolicy) else time.process_time() - start
    curve = done.regret_curve(POINTS)
    return Run(at=curve.impressions.astype(np.float64), regret=curve.regret, seconds=spent)


def tuned(contender: Contender, ground: Ground, n: int) -> Settings:
    """The row of the grid with the least regret over all scenarios."""
    if len(contender.grid) == 1:
        return contender.grid[0]
    total = [
        sum(play(contender, ground, one, row, n).regret[-1] for one in SCENARIOS) for row in contender.grid
    ]
    return contender.grid[int(np.argmin(total))]


def play_all(
    contender: Contender,
    ground: dict[int, Ground],
    given: argparse.Namespace,
    rows: dict[str, Any],
    skipped: list[str],
) -> None:
    """Tune a contender, then let it play every scenario in every shop; one that fails is told among the skipped."""
    try:
        settings = tuned(contender, ground[given.tune], given.tune_impressions)
        for scenario in SCENARIOS:
            runs = [
                play(contender, ground[seed], scenario, settings, given.impressions) for seed in given.shops
            ]
            rows[scenario][contender.name] = summary(runs, settings, given.impressions)
            told = rows[scenario][contender.name]["regret"]
            print(
                f"{contender.name:20} {scenario:10} {told['value']:7.1f} {settings}",
                file=sys.stderr,
                flush=True,
            )
    except DataError as error:
        skipped.append(f"{contender.name}: {error}")


def summary(runs: list[Run], settings: Settings, n: int) -> dict[str, Any]:
    """What is kept of a contender's seasons in one scenario."""
    last = np.array([run.regret[-1] for run in runs])
    return {
        "regret": asdict(mean_of(last)),
        "by_shop": last.tolist(),
        "us_per_request": 1e6 * sum(run.seconds for run in runs) / (n * len(runs)),
        "settings": settings,
        "at": runs[0].at.tolist(),
        "curve": np.mean([run.regret for run in runs], axis=0).tolist(),
    }


def compared(rows: dict[str, Any]) -> dict[str, Any]:
    """Ours against the best peer of each scenario, best by mean regret after the fact."""
    found = {}
    for scenario, by in rows.items():
        rivals = [name for name in by if name in PEERS]
        if not rivals or NAMED not in by:
            continue
        best = min(rivals, key=lambda name: by[name]["regret"]["value"])
        gap = paired(np.array(by[NAMED]["by_shop"]), np.array(by[best]["by_shop"]))
        found[scenario] = {"best": best, **asdict(gap), "verdict": at_or_below(gap, NAMED, best)}
    return found


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--picture", type=Path, help="png of the curves")
    parser.add_argument("--shops", type=int, nargs="+", default=[21, 22, 23, 24, 25], help="seeds of shops")
    parser.add_argument("--tune", type=int, default=11, help="seed of the shop that settings are chosen in")
    parser.add_argument("--impressions", type=int, default=12_000)
    parser.add_argument("--tune-impressions", type=int, default=6_000)
    everybody = (*USUAL, *PEERS)
    parser.add_argument(
        "--contenders", nargs="*", default=everybody, choices=(*NAMES, *PEERS), metavar="NAME",
        help=f"who plays; default {', '.join(everybody)}; also {', '.join(name for name in NAMES if name not in USUAL)}",
    )  # fmt: skip
    parser.add_argument(
        "--beside", type=Path, nargs="*", default=[], help="records of other contenders, to stand beside"
    )
    parser.add_argument("--keep", type=Path, help="folder of the shops; those in it are not made again")
    return parser.parse_args()


def contenders(
    names: Sequence[str], scratch: Path, skipped: list[str]
) -> tuple[list[Contender], list[Runner]]:
    """Those of these names: ours, and the peers that are installed."""
    runners = []
    for peer in peers_of(Path(__file__).parent, "regret"):
        if peer.name not in names:
            continue
        if (reason := why_not(peer, "regret")) is None:
            runners.append(Runner(peer, "regret"))
        elif f"{peer.name}: {reason}" not in skipped:
            skipped.append(f"{peer.name}: {reason}")
    found = [local(name) for name in names if name not in PEERS]
    return found + [remote(runner, scratch) for runner in runners], runners


def record_of(rows: dict[str, Any], skipped: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """What is written."""
    return {
        "name": "regret",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {one: {who: row for who, row in by.items() if who not in PEERS} for one, by in rows.items()},
        "peers": {one: {who: row for who, row in by.items() if who in PEERS} for one, by in rows.items()},
        "ratios": compared(rows),
        "skipped": skipped,
        "given": {"shops": given.shops, "tune": given.tune, "impressions": given.impressions},
    }


def draw(rows: dict[str, Any], path: Path) -> None:
    """The picture of the curves: ours that are tuned, two more, and the peers."""
    curves = [
        Curve(
            scenario=one, name=who, at=np.array(row["at"]), regret=np.array(row["curve"]), peer=who in PEERS
        )
        for one, by in rows.items()
        for who, row in by.items()
        if who.endswith(TUNED) or who in PEERS or who in DRAWN
    ]
    path.write_bytes(regret_chart(curves))


def main() -> None:
    """Measure, print, draw and write the record, anew after every contender."""
    given, skipped = options(), list[str]()
    rows: dict[str, dict[str, Any]] = {scenario: {} for scenario in SCENARIOS}
    for path in given.beside:
        earlier = json.loads(path.read_text("utf-8"))
        skipped += earlier["skipped"]
        for one in SCENARIOS:
            rows[one] |= earlier["ours"][one] | earlier["peers"][one]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        chosen, runners = contenders(given.contenders, scratch, skipped)
        seeds, root = (given.tune, *given.shops) if chosen else (), given.keep or scratch
        ground = {seed: make_ground(seed, PRODUCTS, root / f"shop-{seed}") for seed in seeds}
        for contender in chosen:
            play_all(contender, ground, given, rows, skipped)
            given.json.write_text(json.dumps(record_of(rows, skipped, given), indent=2) + "\n", "utf-8")
        for runner in runners:
            runner.close()
    record = record_of(rows, skipped, given)
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    if given.picture is not None:
        draw(rows, given.picture)
    for scenario, row in record["ratios"].items():
        print(f"{scenario}: {row['verdict']}")


if __name__ == "__main__":
    main()
