"""Speed of the copy-selection environments, one process, one core: steps per second, memory of a large shop, peers.

Run: ``copybandit bench sim --json FILE [--picture FILE] [--install-peers]``. A step is one visit of one environment,
observation and info included, all effects on, actions from a generator inside the loop, ended episodes reset by the
environment. Rates are per second of CPU time, so that other work on the machine matters less; the wall clock's stand
beside them. Ours and the peers' runs take turns. A peer's rate is that of its fastest environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import numpy as np

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.evaluation.bench_peers import Runner, measured, package_of, peers_of, why_not
from copybandit.sim.drawn_shop import draw_storefront
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan, Season

REPEATS = 7
SIZES = (1, 16, 64, 256, 1024, 4096, 16384)
COPIES = (2, 5, 10)
PRODUCT_COUNTS = (10, 100, 1_000, 10_000)
SHOPPERS, PRODUCTS, K = 2_000, 100, 10
ROWS = 400_000
"""Steps in one run, at most; a run has at least 20 calls."""
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
        max(20, min(1_000, ROWS // n)),
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


def our_runs() -> dict[str, Callable[[], Rate]]:
    """Everything that is measured of ours, by name."""
    usual = season()
    runs = {f"n{n}": single(usual) if n == 1 else many(usual, n) for n in SIZES}
    runs |= {f"n1024_k{k}": many(season(k=k), 1024) for k in COPIES if k != K}
    runs |= {f"n1024_products{p}": many(season(products=p), 1024) for p in PRODUCT_COUNTS if p != PRODUCTS}
    return runs | {"n1024_low_rank": many(season(table_limit=0), 1024)}


def measure(runners: list[Runner]) -> tuple[dict[str, float], dict[str, list[dict[str, float]]], list[str]]:
    """Medians of ours, answers of peers, and why peers failed; runs take turns, after one of each to warm up."""
    runs = our_runs()
    rates: dict[str, list[Rate]] = {name: [] for name in runs}
    answers: dict[str, list[dict[str, float]]] = {}
    failed: dict[str, str] = {}
    for turn in range(REPEATS + 1):
        for name, run in runs.items():
            rate = run()
            rates[name] += [rate] if turn else []
        failed |= measured(runners, turn, answers)
    found = {f"steps_per_s_{name}": median(cpu for cpu, _ in several) for name, several in rates.items()}
    found |= {
        f"wall_steps_per_s_{name}": median(wall for _, wall in several) for name, several in rates.items()
    }
    return found, answers, list(failed.values())


def against_peers() -> dict[str, Any]:
    """Ours, the peers that are installed, ratios of the fastest of both, and which peers were skipped."""
    folder, skipped, runners = Path(__file__).parent, [], []
    for peer in peers_of(folder, "sim"):
        reason = why_not(peer, "sim")
        if reason is None:
            runners.append(Runner(peer, "sim"))
        else:
            skipped.append(f"{peer.name}: {reason}")
    ours, answers, failed = measure(runners)
    for runner in runners:
        runner.close()
    peers: dict[str, dict[str, Any]] = {}
    ratios: dict[str, float] = {}
    for name, several in answers.items():
        rates = {key: median(answer[key] for answer in several) for key in several[0]}
        fastest = max(rates.values())
        peers[name] = {"package": package_of(folder / "peers" / name), "steps_per_s": fastest, **rates}
        ratios |= {name: ours["steps_per_s_n1024"] / fastest, f"{name}_n1": ours["steps_per_s_n1"] / fastest}
    return {"ours": ours, "peers": peers, "ratios": ratios, "skipped": skipped + failed}


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


def pinned() -> int | None:
    """Keep this process and its children on the last core they may use; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def machine(core: int | None) -> dict[str, Any]:
    """What was measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "pinned_to_core": core,
        "load_1_minute": os.getloadavg()[0],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "gymnasium": gymnasium.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine()
    )


def picture(record: dict[str, Any], target: Path) -> None:
    """Three curves: steps per second over environments, copies of a product, and products; peers as lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), dpi=120, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots(1, 3, sharey=True)
    ours = record["ours"]
    curves = (
        ("environments in the vector", [(n, f"n{n}") for n in SIZES]),
        ("copies of a product, n = 1,024", [(k, "n1024" if k == K else f"n1024_k{k}") for k in COPIES]),
        (
            "products, n = 1,024",
            [(p, "n1024" if p == PRODUCTS else f"n1024_products{p}") for p in PRODUCT_COUNTS],
        ),
    )
    for panel, (label, points) in zip(axes, curves, strict=True):
        rates = [ours[f"steps_per_s_{name}"] for _, name in points]
        panel.loglog([x for x, _ in points], rates, marker="o", color="#d1495b")
        panel.set_xlabel(label)
        panel.set_xticks([x for x, _ in points], [f"{x:,}" for x, _ in points], fontsize=8)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("steps per second of CPU time, one core")
    ranked = sorted(record["peers"].items(), key=lambda item: item[1]["steps_per_s"])
    for place, (name, peer) in enumerate(ranked):
        axes[0].axhline(peer["steps_per_s"], color="#9fb3c8", linewidth=1)
        at = SIZES[-1 - 2 * (place % 2)]
        axes[0].annotate(name, (at, peer["steps_per_s"]), fontsize=8, ha="right", va="bottom")
    canvas.print_png(target)  # type: ignore[no-untyped-call]


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument(
        "--picture", type=Path, help="PNG to write: curves over environments, copies and products"
    )
    parser.add_argument("--large", action="store_true", help="only the large shop, to standard output")
    arguments = parser.parse_args()
    if arguments.large:
        print(json.dumps(live_large()))
        return
    if arguments.json is None:
        parser.error("--json FILE is needed")
    core = pinned()
    record = {"name": "sim", "machine": machine(core), **against_peers()}
    record["ours"] |= large()
    arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    if arguments.picture:
        picture(record, arguments.picture)
    print(json.dumps({name: record[name] for name in ("ours", "peers", "ratios", "skipped")}, indent=2))


if __name__ == "__main__":
    main()
