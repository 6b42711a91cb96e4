"""Regret in our shop under four scenarios: our policies and those of other projects on the same stream of requests.

Run: ``copybandit bench regret --json FILE [--picture FILE] [--install-peers]``. Scenarios are those of
`evaluation/regret_shop.py`: nothing changes, the truth drifts from day to day, shoppers tire, new copy comes every day.
Feedback arrives in batches of 250. Every contender's settings are those of its grid of 8 with the least regret over the
four scenarios in another shop; ours that are not tuned run as shipped. Regret is in true expected clicks against the myopic
oracle.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.agents.bandit import run_bandit
from copybandit.agents.batch import Learner
from copybandit.agents.policies import EpsilonGreedy, LinTS, LinUCB
from copybandit.agents.policy_features import LinearOptions
from copybandit.evaluation.bench_peers import Runner, peers_of, why_not
from copybandit.evaluation.machine import versions
from copybandit.evaluation.named_policies import named_policy
from copybandit.evaluation.paired import at_or_below, mean_of, paired
from copybandit.evaluation.regret_chart import Curve, regret_chart
from copybandit.evaluation.regret_shop import SCENARIOS, VARIANTS, Ground, Scenario, Season, make_ground
from copybandit.evaluation.remote_policy import RemotePolicy
from copybandit.sim.shop import EXPOSURE, MATCH
from copybandit.sim.types import DataError, Floats

PRODUCTS, BATCH, POINTS = 20, 250, 60
NAMED = "linucb tuned"
"""Ours in every comparison, named before anything was run."""
Settings = dict[str, Any]


def grid(**choices: tuple[Any, ...]) -> list[Settings]:
    """All combinations."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


OURS: dict[str, list[Settings]] = {
    "linucb tuned": grid(ridge=(1000.0, 4000.0), residual_ridge=(2.0, 6.0), alpha=(0.0, 0.5)),
    "lints tuned": grid(ridge=(1000.0, 4000.0), residual_ridge=(2.0, 6.0, 20.0, 60.0)),
    "epsilon_greedy tuned": grid(strength=(2.0, 6.0, 20.0, 60.0), epsilon=(0.01, 0.03)),
}
SHIPPED = (
    "linucb", "lints", "squarecb", "logistic_thompson", "softmax", "thompson", "epsilon_greedy", "bootstrap_bag", "ucb1",
    "explore_then_commit", "uniform",
)  # fmt: skip
DRAWN = ("uniform", "explore_then_commit")
PEERS: dict[str, list[Settings]] = {
    "vowpalwabbit": [
        {"power": 0.0, **row}
        for row in grid(explore=("squarecb", "cover"), rate=(0.02, 0.2), features=("phi", "log"))
    ],
    "gittins": grid(epsilon=(0.02, 0.05), forgetfulness=(0.9999, 1.0), features=("lift", "phi")),
    "mabwiser": [
        {"policy": "thompson"},
        *({"policy": "ucb1", "alpha": alpha} for alpha in (0.03, 0.1, 0.3)),
        *({"policy": "linucb", **row} for row in grid(alpha=(0.05, 0.2), ridge=(1.0, 30.0))),
    ],
    "contextualbandits": grid(alpha=(0.05, 0.2), ridge=(1.0, 30.0), features=("lift", "request")),
    "bayesianbandits": [
        {"forget": 1.0, "noise": 20.0, **row}
        for row in grid(precision=(1e3, 1e4, 1e5, 1e6), features=("lift", "phi"))
    ],
}
Make = Callable[[Ground, Settings, int, int], Learner]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes part: a name, its grid, and how a fresh one is made for a shop, a seed and so many impressions."""

    name: str
    grid: list[Settings]
    make: Make


@dataclass(frozen=True, kw_only=True)
class Run:
    """One season: regret at the points, clicks of a uniform choice less the oracle's at the end, CPU seconds, clicks."""

    at: Floats
    regret: Floats
    seconds: float


def shipped(name: str) -> Contender:
    """One of our policies with the settings of `run`."""

    def make(ground: Ground, settings: Settings, seed: int, n: int) -> Learner:
        return named_policy(name, ground.goods, ground.fitted, n)

    return Contender(name=name, grid=[{}], make=make)


def tunable(name: str, rows: list[Settings]) -> Contender:
    """One of our policies with a grid of its own."""
    kinds: dict[str, Callable[..., Learner]] = {"linucb": LinUCB, "lints": LinTS}

    def make(ground: Ground, settings: Settings, seed: int, n: int) -> Learner:
        m, q = ground.goods.actions.shape
        if name.startswith("epsilon_greedy"):
            return EpsilonGreedy(n_actions=m, **settings)
        model = LinearOptions(n_actions=m, n_features=q, state_channels=(EXPOSURE, MATCH))
        return kinds[name.split()[0]](epsilon=0.01, **{**model, **settings})

    return Contender(name=name, grid=rows, make=make)


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
    parser.add_argument("--only", nargs="*", help="contenders whose names start so")
    parser.add_argument(
        "--beside", type=Path, nargs="*", default=[], help="records of other contenders, to stand beside"
    )
    parser.add_argument("--keep", type=Path, help="folder of the shops; those in it are not made again")
    return parser.parse_args()


def contenders(scratch: Path, skipped: list[str]) -> tuple[list[Contender], list[Runner]]:
    """Ours, and the peers that are installed."""
    found = [tunable(one, rows) for one, rows in OURS.items()] + [shipped(one) for one in SHIPPED]
    runners = []
    for peer in peers_of(Path(__file__).parent, "regret"):
        if (reason := why_not(peer, "regret")) is None:
            runners.append(Runner(peer, "regret"))
        elif f"{peer.name}: {reason}" not in skipped:
            skipped.append(f"{peer.name}: {reason}")
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
        if who in OURS or who in PEERS or who in DRAWN
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
        found, runners = contenders(scratch, skipped)
        chosen = [one for one in found if given.only is None or one.name.startswith(tuple(given.only))]
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
