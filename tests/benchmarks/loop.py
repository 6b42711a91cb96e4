"""The whole loop on several seeds: tuned copy against every baseline, and the bandit's share of the gap.

Run: ``python tests/benchmarks/loop.py --json FILE [--config quickstart] [--worlds 0 1 2 3] [--workers 2]``.
Every world seed is a shop of its own; every tuning seed is a run of PPO in it. Each interval is a hierarchical bootstrap:
worlds and their tuning seeds are resampled together as one level, products as the other. Peers: none close this loop.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np

from copybandit.evaluation.intervals import Interval, lift_interval, mean_interval, product_means
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.pipeline import Pipeline, run
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.stage_judge import swap_values
from copybandit.evaluation.storage import load_json
from copybandit.sim.types import Floats

REPLICATES = 4000


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is shown of one world: lifts of tuned copy by baseline, swap test, share of the gap, wall time."""

    world: int
    lifts: dict[str, float]
    swap: float
    gap_closed: float
    seconds: float


def judged(pipeline: Pipeline) -> tuple[dict[str, Floats], Floats]:
    """Gold click rates of each writer by product, and swap values, each of shape (tuning seeds, products)."""
    cells, gold = pipeline.cells("judge"), pipeline.gold()
    texts = load_json(pipeline.folder.output("judge") / "texts.json")
    seeds = len(texts["ppo"])
    rates = {
        name: np.broadcast_to(
            product_means(cells.rates(gold, rows), cells.product), (seeds, len(np.unique(cells.product)))
        )
        for name, rows in texts.items()
    }
    swaps, product = swap_values(gold, cells, texts["ppo"])
    return rates, product_means(swaps, product)


def one_world(
    config: str, world: int, overrides: dict[str, object], keep: Path
) -> tuple[dict[str, Floats], Floats, Figures]:
    """Run one world, or go on with it: gold click rates by writer, swap values, and what is shown of it."""
    settings, path = load_settings(config, {**overrides, "seed": world}), keep / f"world-{world}"
    folder = (RunFolder.resume if path.exists() else RunFolder.create)(path, settings)
    pipeline = Pipeline(settings, folder, Silent())
    report = run(settings, folder, Silent())
    rates, swap = judged(pipeline)
    seconds = sum(report["timings_s"].values())
    bandit, generator = report["bandit"], report["generator"]
    found = Figures(
        world=world,
        lifts={name: lift["value"] for name, lift in generator["lifts"].items()},
        swap=generator["swap"]["value"],
        gap_closed=bandit["policies"][bandit["policy"]]["gap_closed"],
        seconds=seconds,
    )
    return rates, swap, found


def measure(
    config: str, worlds: list[int], overrides: dict[str, object], workers: int, keep: Path
) -> dict[str, Any]:
    """Run every world and put the seeds together."""
    rates: dict[str, list[Floats]] = {}
    swaps, figures = [], []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for found, swap, figure in pool.map(
            one_world, *zip(*((config, world, overrides, keep) for world in worlds), strict=True)
        ):
            for name, values in found.items():
                rates.setdefault(name, []).append(values)
            swaps.append(swap)
            figures.append(asdict(figure))
            print(json.dumps(figures[-1]), flush=True)
    return {"lifts": lifts(rates), "swap": asdict(interval(swaps)), "by_world": figures}


def lifts(rates: dict[str, list[Floats]]) -> dict[str, Any]:
    """Lift of tuned copy over every other writer."""
    rng, ours = np.random.default_rng(0), trimmed(rates["ppo"])
    product = np.arange(ours.shape[1])
    return {
        name: asdict(lift_interval(ours, trimmed(rows), product, REPLICATES, rng))
        for name, rows in rates.items()
        if name != "ppo"
    }


def interval(rows: list[Floats]) -> Interval:
    """Mean over seeds and products."""
    values = trimmed(rows)
    return mean_interval(values, np.arange(values.shape[1]), REPLICATES, np.random.default_rng(0))


def trimmed(rows: list[Floats]) -> Floats:
    """Stack worlds, whose judge splits differ by a product or two."""
    width = min(row.shape[1] for row in rows)
    return np.concatenate([row[:, :width] for row in rows])


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--config", default="quickstart")
    parser.add_argument("--worlds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--tuning", type=int, nargs="+", default=[0])
    parser.add_argument(
        "--workers", type=int, default=1, help="worlds at a time; set OMP_NUM_THREADS to match"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--keep", type=Path, help="folder for the run folders; finished stages in it are not done again"
    )
    given = parser.parse_args()
    overrides = {"tune.seeds": given.tuning, **dict(parse_override(text) for text in given.set)}
    with tempfile.TemporaryDirectory() as scratch:
        keep = given.keep or Path(scratch)
        found = measure(given.config, given.worlds, overrides, given.workers, keep)
    record = {
        "name": "loop",
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "ours": {"worlds": given.worlds, "tuning": given.tuning, **found},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record["ours"], indent=2))


if __name__ == "__main__":
    main()
