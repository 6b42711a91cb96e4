"""Speed of the bandit policies, one core: decisions and learned rows per second, in batches and one by one.

Run: ``python tests/benchmarks/bandit.py --json FILE``. Batches are built beforehand; a cycle is validating
the batch, action_probs, decide and update, with the propensity at hand. Peers are not measured here.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from copybandit.agents.batch import Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.policies import (
    UCB1,
    BetaThompson,
    BootstrapBag,
    EpsilonGreedy,
    ExploreThenCommit,
    LinTS,
    LinUCB,
    LogisticThompson,
    PriorGreedy,
    Softmax,
    SquareCB,
    Uniform,
)
from copybandit.sim.types import Floats

PRODUCTS, WIDTH, FEATURES, SIZE = 200, 6, 30, 500
REPEATS = 5
PEERS = ("vowpalwabbit", "gittins", "contextualbandits", "mabwiser", "bayesianbandits")


def make_batch(rng: np.random.Generator, actions: Floats, size: int) -> Batch:
    """Requests of one product each, all its variants present."""
    product = rng.integers(PRODUCTS, size=size)
    candidates = (product[:, None] * WIDTH + np.arange(WIDTH)).astype(np.int32)
    prior = rng.uniform(0.005, 0.03, candidates.shape)
    return Batch(
        context=rng.normal(size=(size, 4)),
        actions=actions,
        candidates=candidates,
        state=np.stack([prior, np.zeros_like(prior)], axis=2),
        time=np.zeros(size),
    )


def seconds(policy: Learner, batches: list[Batch], rng: np.random.Generator) -> tuple[float, float]:
    """CPU seconds spent deciding and learning."""
    deciding = learning = 0.0
    for batch in batches:
        start = time.process_time()
        column = decide(policy.action_probs(replace(batch), rng), rng)
        middle = time.process_time()
        click = (rng.random(len(batch)) < 0.015).astype(float)
        policy.update(batch, column, click, np.ones(len(batch)))
        deciding += middle - start
        learning += time.process_time() - middle
    return deciding, learning


def measure() -> dict[str, float]:
    """Medians of five runs, policies interleaved."""
    rng = np.random.default_rng(0)
    m = PRODUCTS * WIDTH
    actions, prior = rng.normal(size=(m, FEATURES)), rng.uniform(0.005, 0.03, m)
    make: dict[str, Callable[[], Learner]] = {
        "uniform": Uniform,
        "prior_greedy": PriorGreedy,
        "explore_then_commit": lambda: ExploreThenCommit(n_actions=m),
        "thompson": lambda: BetaThompson(prior),
        "linucb": lambda: LinUCB(n_actions=m, n_features=FEATURES),
        "epsilon_greedy": lambda: EpsilonGreedy(n_actions=m),
        "ucb1": lambda: UCB1(n_actions=m),
        "softmax": lambda: Softmax(n_actions=m, n_features=FEATURES),
        "squarecb": lambda: SquareCB(n_actions=m, n_features=FEATURES),
        "lints": lambda: LinTS(n_actions=m, n_features=FEATURES),
        "logistic_thompson": lambda: LogisticThompson(n_actions=m, n_features=FEATURES),
        "bootstrap_bag": lambda: BootstrapBag(n_actions=m),
    }
    batches = [make_batch(rng, actions, SIZE) for _ in range(40)]
    singles = [make_batch(rng, actions, 1) for _ in range(500)]
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in [*make, "single"]}
    for _ in range(REPEATS):
        for name, policy in make.items():
            runs[name].append(seconds(policy(), batches, rng))
        runs["single"].append(seconds(make["linucb"](), singles, rng))
    rows = SIZE * len(batches)
    ours = {
        "cycles_per_s_single": len(singles) / median(sum(run) for run in runs["single"]),
        "decisions_per_s_batch": rows / median(run[0] for run in runs["linucb"]),
        "learned_rows_per_s_batch": rows / median(run[1] for run in runs["linucb"]),
    }
    for name in make:
        ours[f"seconds_per_200k_{name}"] = 200_000 / rows * median(sum(run) for run in runs[name])
    return ours


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    target: Path = parser.parse_args().json
    record = {
        "name": "bandit",
        "machine": {
            "processor": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "ours": measure(),
        "peers": {},
        "ratios": {},
        "skipped": [f"{peer}: needs an environment of its own" for peer in PEERS],
    }
    target.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record["ours"], indent=2))


if __name__ == "__main__":
    main()
