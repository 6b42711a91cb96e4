"""A small bake-off on real classes with bandit feedback: one pass, guess a class, hear only whether it is right.

Run: ``copybandit bench bakeoff --json FILE [--install-peers]``. Four data sets that scikit-learn carries; a row is a
request, a class a variant, the figure the share of wrong guesses over the whole pass, exploration included, over 20
shuffles, the same for everybody. Every contender's settings for a data set are those of its grid of 12 that did best on the
other three (by error relative to its best there, 3 other shuffles, 1 of digits). All grids were drawn up after trials on
these four, with other shuffles. Differences are paired by shuffle: their intervals are about the order of these rows, not
about other data. CPU time is that of choosing and learning.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent / "peers"))

import numpy as np
from onepass import one_pass  # type: ignore[import-not-found]
from sklearn import datasets

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.policy_disjoint import DisjointLinTS, DisjointLinUCB
from copybandit.evaluation.bench_peers import Runner, peers_of, why_not
from copybandit.evaluation.machine import versions
from copybandit.evaluation.paired import at_or_below, mean_of, paired
from copybandit.sim.types import DataError, Floats, Ints

SETS = ("digits", "wine", "breast_cancer", "iris")
SHUFFLES, TUNING, TUNING_SEED = 20, 3, 1_000
NAMED = ("disjoint_linucb", "disjoint_linucb linear")
"""Ours in the comparisons: the first named before anything was run, the second to tell its waves from the rest."""
PRIOR = 0.5
"""Warm start of every class: nothing is known."""
Settings = dict[str, Any]


def grid(**choices: tuple[Any, ...]) -> list[Settings]:
    """All combinations."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


BOTH = ("unit", "row")
LINEAR = grid(scale=BOTH, ridge=(0.03, 0.1, 0.3), alpha=(0.1, 0.2))
"""For every LinUCB without waves, ours and theirs."""


def waved(**choices: tuple[Any, ...]) -> list[Settings]:
    """Without waves, and with wide and narrow ones, times four."""
    return [
        {"scale": "row", "waves": waves, "width": width, **rest}
        for waves, width in ((0, 1.0), (128, 0.5), (128, 0.25))
        for rest in grid(ridge=(0.03, 0.1), **choices)
    ]


OURS = {
    "disjoint_linucb": waved(alpha=(0.1, 0.3)),
    "disjoint_lints": waved(spread=(0.1, 0.3)),
    "disjoint_greedy": waved(alpha=(0.0,), epsilon=(0.01, 0.03)),
    "disjoint_linucb linear": LINEAR,
    "disjoint_lints linear": grid(scale=BOTH, ridge=(0.03, 0.1), spread=(0.05, 0.1, 0.2)),
}
PEERS = {
    "vowpalwabbit": {
        "squarecb": grid(scale=BOTH, gamma=(10, 1000), rate=(0.5, 2, 5)),
        "regcb": grid(scale=BOTH, mellowness=(0.001, 0.01), rate=(0.5, 2, 5)),
        "cover": grid(scale=BOTH, psi=(0.1, 1), rate=(0.5, 2, 5)),
        "epsilon": grid(scale=BOTH, epsilon=(0.005, 0.02), rate=(0.5, 2, 5)),
    },
    "gittins": {
        "epsilon": grid(scale=("std",), epsilon=(0.001, 0.005, 0.02, 0.05), forgetfulness=(0.99, 0.999, 1.0))
    },
    "mabwiser": {
        "linucb": LINEAR,
        "lints": grid(scale=BOTH, ridge=(0.03, 0.1), alpha=(0.05, 0.1, 0.2)),
    },
    "contextualbandits": {
        "linucb": LINEAR,
        "lints": grid(scale=BOTH, ridge=(0.03, 0.3), variance=(1e-6, 1e-5, 1e-4)),
    },
    "bayesianbandits": {"thompson": grid(scale=BOTH, precision=(3.0, 10.0), noise=(30, 100, 300))},
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who takes part: a name, its grid, and how it makes one pass (data set, seed, settings) -> (error, CPU seconds)."""

    name: str
    grid: list[Settings]
    play: Callable[[str, int, Settings], tuple[float, float]]


class Classes:
    """One of our policies in the shape the pass asks for."""

    def __init__(self, policy: Learner, k: int, seed: int) -> None:
        self._policy, self._rng = policy, np.random.default_rng([seed, 1])
        self._k, self._prior = k, np.full((1, k, 1), PRIOR)

    def choose(self, x: Floats) -> int:
        """Draw a class."""
        self._batch = Batch(
            context=x[None],
            actions=np.empty((self._k, 0)),
            candidates=np.arange(self._k, dtype=np.int32)[None],
            state=self._prior,
            time=np.zeros(1),
        )
        self._column: Ints = decide(self._policy.action_probs(self._batch, self._rng), self._rng)
        return int(self._column[0])

    def learn(self, x: Floats, chosen: int, reward: float) -> None:
        """Hear whether it was right."""
        self._policy.update(self._batch, self._column, np.array([reward]), np.ones(1))


def ours(name: str, k: int, columns: int, seed: int, **settings: Any) -> Classes:
    """Make one of our policies; a thousandth of the guesses is uniform unless the settings say otherwise."""
    made = DisjointLinTS if name.startswith("disjoint_lints") else DisjointLinUCB
    return Classes(made(n_actions=k, n_context=columns, **{"epsilon": 0.001, **settings}), k, seed)


def load(name: str) -> tuple[Floats, Ints]:
    """Rows with columns in [0, 1], and classes."""
    found = getattr(datasets, f"load_{name}")()
    x = np.asarray(found.data, dtype=np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    return (x - low) / np.maximum(high - low, 1e-9), np.asarray(found.target)


def contenders(scratch: Path, benchmarks: Path) -> tuple[list[Contender], list[Runner], list[str]]:
    """Ours, and the peers that are installed."""
    data = {name: load(name) for name in SETS}
    for name, (x, y) in data.items():
        np.savez(scratch / f"{name}.npz", x=x, y=y)

    def here(name: str) -> Callable[[str, int, Settings], tuple[float, float]]:
        def make(k: int, columns: int, seed: int, **settings: Any) -> Classes:
            return ours(name, k, columns, seed, **settings)

        return lambda dataset, seed, settings: one_pass(make, *data[dataset], seed, settings)

    def there(runner: Runner, name: str) -> Callable[[str, int, Settings], tuple[float, float]]:
        def play(dataset: str, seed: int, settings: Settings) -> tuple[float, float]:
            job = {
                "data": str(scratch / f"{dataset}.npz"),
                "contender": name,
                "seed": seed,
                "settings": settings,
            }
            answer = runner.ask(json.dumps(job))
            return answer["error"], answer["cpu_s"]

        return play

    found = [Contender(name=name, grid=rows, play=here(name)) for name, rows in OURS.items()]
    runners, skipped = [], []
    for peer in peers_of(benchmarks, "bakeoff"):
        if (reason := why_not(peer, "bakeoff")) is not None:
            skipped.append(f"{peer.name}: {reason}")
            continue
        runners.append(runner := Runner(peer, "bakeoff"))
        found += [
            Contender(name=f"{peer.name} {name}", grid=rows, play=there(runner, name))
            for name, rows in PEERS[peer.name].items()
        ]
    return found, runners, skipped


def tuned(contender: Contender) -> dict[str, Settings]:
    """Settings for each data set: least mean relative error on the other ones."""
    relative = {}
    for name in SETS:
        seeds = range(TUNING_SEED, TUNING_SEED + (1 if name == "digits" else TUNING))
        errors = np.array(
            [[contender.play(name, seed, row)[0] for seed in seeds] for row in contender.grid]
        ).mean(axis=1)
        relative[name] = errors / max(errors.min(), 1e-9)
    return {
        name: contender.grid[
            int(np.mean([relative[other] for other in SETS if other != name], axis=0).argmin())
        ]
        for name in SETS
    }


def play_all(contender: Contender, rows: dict[str, dict[str, Any]], skipped: list[str]) -> None:
    """Tune a contender and let it play every data set; one that fails is told among the skipped."""
    try:
        settings = tuned(contender)
        for name in SETS:
            played = np.array([contender.play(name, seed, settings[name]) for seed in range(SHUFFLES)])
            per_round = 1e6 * played[:, 1].mean() / len(load(name)[1])
            rows[name][contender.name] = {
                "error": asdict(mean_of(played[:, 0])),
                "us_per_round": per_round,
                "settings": settings[name],
                "errors": played[:, 0].tolist(),
            }
            told = f"{contender.name:28} {name:14} {played[:, 0].mean():.4f} {per_round:7.0f} us {settings[name]}"
            print(told, file=sys.stderr, flush=True)
    except DataError as error:
        skipped.append(f"{contender.name}: {error}")


def compared(rows: dict[str, Any]) -> dict[str, Any]:
    """Ours against the best peer of each data set, best by mean error after the fact."""
    found = {}
    for (name, by), ours in product(rows.items(), NAMED):
        peers = [peer for peer in by if peer not in OURS]
        if not peers or ours not in by:
            continue
        best = min(peers, key=lambda peer: by[peer]["error"]["value"])
        gap = paired(np.array(by[ours]["errors"]), np.array(by[best]["errors"]))
        found[f"{name}, {ours}"] = {"best": best, **asdict(gap), "verdict": at_or_below(gap, ours, best)}
    return found


def record_of(rows: dict[str, Any], skipped: list[str]) -> dict[str, Any]:
    """What is written."""
    return {
        "name": "bakeoff",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {name: {who: row for who, row in by.items() if who in OURS} for name, by in rows.items()},
        "peers": {
            name: {who: row for who, row in by.items() if who not in OURS} for name, by in rows.items()
        },
        "ratios": compared(rows),
        "skipped": skipped,
    }


def main() -> None:
    """Measure, print and write the record, anew after every contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--only", nargs="*", help="contenders whose names start so")
    parser.add_argument(
        "--beside", type=Path, nargs="*", default=[], help="records of other contenders, to stand beside"
    )
    given, skipped = parser.parse_args(), list[str]()
    rows: dict[str, dict[str, Any]] = {name: {} for name in SETS}
    for path in given.beside:
        earlier = json.loads(path.read_text("utf-8"))
        skipped += earlier["skipped"]
        for name in SETS:
            rows[name] |= earlier["ours"][name] | earlier["peers"][name]
    with tempfile.TemporaryDirectory() as scratch:
        found, runners, missing = contenders(Path(scratch), Path(__file__).parent)
        skipped += [line for line in missing if line not in skipped]
        for contender in found:
            if given.only is None or contender.name.startswith(tuple(given.only)):
                play_all(contender, rows, skipped)
                given.json.write_text(json.dumps(record_of(rows, skipped), indent=2) + "\n", "utf-8")
        for runner in runners:
            runner.close()
    record = record_of(rows, skipped)
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, row in record["ratios"].items():
        print(f"{name}: {row['verdict']}")


if __name__ == "__main__":
    main()
