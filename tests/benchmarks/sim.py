"""Speed of the copy-selection environments, one process, one thread: steps per second, and memory of a large shop.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/sim.py --json FILE``. A step is one visit of one environment, observation
and info included, all effects on, actions from a generator inside the loop, ended episodes reset by the environment.
Rates are per second of CPU time, so that other work on the machine matters less; the wall clock's stand beside them.
Peers are not measured here.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import gymnasium
import numpy as np

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan, Season

REPEATS = 7
SIZES = (1, 64, 1024, 8192)
SHOPPERS, PRODUCTS, K = 2_000, 100, 10
ROWS = 400_000
"""Steps in one run, at most; a run has at least 40 calls."""
PEERS = ("recsim", "recogym", "open_bandit_pipeline", "virtual_taobao")
Rate = tuple[float, float]


def season(products: int = PRODUCTS, k: int = K, table_limit: int = 2**28) -> Season:
    """A drawn shop with every effect on."""
    effects = Effects(attention="cascade")
    return Season(
        draw_storefront(0, n_shoppers=SHOPPERS, n_products=products, k=k), effects, Plan(), table_limit
    )


def many(shop: Season, n: int) -> Callable[[], Rate]:
    """A run of the vector environment: steps per second of CPU time and by the clock."""
    env, rng, calls = (
        CopySelectionVectorEnv(n, shop),
        np.random.default_rng(0),
        max(40, min(1_000, ROWS // n)),
    )
    k = int(env.single_action_space.n)  # type: ignore[attr-defined]
    env.reset(seed=0)

    def run() -> Rate:
        cpu, clock = time.process_time(), time.perf_counter()
        for _ in range(calls):
            env.step(rng.integers(k, size=n))
        return n * calls / (time.process_time() - cpu), n * calls / (time.perf_counter() - clock)

    return run


def single(shop: Season) -> Callable[[], Rate]:
    """A run of the single environment."""
    env, rng, calls = CopySelectionEnv(shop), np.random.default_rng(0), 5_000
    env.reset(seed=0)

    def run() -> Rate:
        cpu, clock = time.process_time(), time.perf_counter()
        for _ in range(calls):
            _, _, terminated, truncated, _ = env.step(rng.integers(K))
            if terminated or truncated:
                env.reset()
        return calls / (time.process_time() - cpu), calls / (time.perf_counter() - clock)

    return run


def measure() -> dict[str, float]:
    """Medians of interleaved runs, after one of each to warm up."""
    usual = season()
    runs = {f"n{n}": single(usual) if n == 1 else many(usual, n) for n in SIZES}
    runs |= {f"n1024_k{k}": many(season(k=k), 1024) for k in (2, 5)}
    runs |= {f"n1024_products{p}": many(season(products=p), 1024) for p in (10, 1_000)}
    runs["n1024_low_rank"] = many(season(table_limit=0), 1024)
    rates: dict[str, list[Rate]] = {name: [] for name in runs}
    for turn in range(REPEATS + 1):
        for name, run in runs.items():
            rate = run()
            rates[name] += [rate] if turn else []
    found = {f"steps_per_s_{name}": median(cpu for cpu, _ in several) for name, several in rates.items()}
    return found | {
        f"wall_steps_per_s_{name}": median(wall for _, wall in several) for name, several in rates.items()
    }


def large() -> dict[str, float]:
    """A million shoppers at once in a shop of 10,000 products, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--large"], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def live_large(n: int = 1_000_000, products: int = 10_000) -> dict[str, float]:
    """Three steps of it; peak memory in GiB."""
    shop = draw_storefront(0, n_shoppers=n, n_products=products, k=K)
    env = CopySelectionVectorEnv(n, Season(shop, Effects(attention="cascade"), Plan()))
    env.reset()
    start = time.process_time()
    for step in range(3):
        env.step(np.full(n, step))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"large_steps_per_s": 3 * n / seconds, "large_peak_gib": peak}


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--large", action="store_true", help="only the large shop, to standard output")
    arguments = parser.parse_args()
    if arguments.large:
        print(json.dumps(live_large()))
        return
    if arguments.json is None:
        parser.error("--json FILE is needed")
    record = {
        "name": "sim",
        "machine": {
            "processor": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "gymnasium": gymnasium.__version__,
        },
        "ours": measure() | large(),
        "peers": {},
        "ratios": {},
        "skipped": [f"{peer}: needs an environment of its own" for peer in PEERS],
    }
    arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record["ours"], indent=2))


if __name__ == "__main__":
    main()
