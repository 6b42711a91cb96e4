"""Poisson bootstrap in one pass against Open Bandit Pipeline's loop, 1,000 replicates over 1,000,000 rows.

Run: ``copybandit bench ope_bootstrap --json FILE``; one core, CPU time, in turns. OBP's loop draws as many rows as there
are and averages them, once a replicate: `estimate_confidence_interval_by_bootstrap` of obp 0.4.1. It is timed over 60
replicates, all of which cost the same, and told per 1,000; ours is timed whole. Dense terms are those of a doubly robust
estimate, sparse ones of IPS with 1% clicks.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.evaluation.machine import versions
from copybandit.evaluation.ope_bootstrap import PoissonBootstrap
from copybandit.sim.types import Floats

ROWS, REPLICATES, CHUNK = 1_000_000, 1_000, 100_000
CLICK_RATE = 0.01


def terms(rows: int, rng: np.random.Generator, *, dense: bool) -> Floats:
    """Per-row terms of an estimate, shape (rows,)."""
    weight = rng.exponential(1.0, rows)
    click = (rng.random(rows) < CLICK_RATE).astype(float)
    return np.asarray(
        CLICK_RATE + weight * (click - rng.uniform(0, 2 * CLICK_RATE, rows)) if dense else weight * click
    )


def ours(values: Floats, replicates: int, rng: np.random.Generator) -> tuple[float, float]:
    """95% interval in one pass over chunks."""
    state = PoissonBootstrap.start(replicates=replicates)
    for start in range(0, len(values), CHUNK):
        state = state.update(values[start : start + CHUNK], None, rng)
    found = state.bounds(rng)
    return float(found.low[0]), float(found.high[0])


def obp_loop(values: Floats, replicates: int, random_: np.random.RandomState) -> tuple[float, float]:
    """As OBP does it: a replicate is the mean of as many drawn rows as there are."""
    samples = [np.mean(random_.choice(values, size=values.shape[0])) for _ in range(replicates)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def speedup(*, dense: bool, rows: int, replicates: int, turns: int, loop: int, seed: int) -> dict[str, float]:
    """Both timed in turns on the same terms.

    Args:
        dense: nonzero in every row, or in 1%.
        rows: of the log.
        replicates: told of both.
        turns: repeats, of which the median is told.
        loop: replicates that OBP's loop is timed over.
        seed: of terms and draws.
    """
    rng = np.random.default_rng(seed)
    values = terms(rows, rng, dense=dense)
    legacy = np.random.RandomState(seed)  # what OBP draws from
    fast, slow = [], []
    for _ in range(turns):
        fast.append(seconds(lambda: ours(values, replicates, rng)))
        slow.append(seconds(lambda: obp_loop(values, loop, legacy)) * replicates / loop)
    ratios = [b / a for a, b in zip(fast, slow, strict=True)]
    return {
        "seconds": median(fast),
        "seconds_obp_loop": median(slow),
        "speedup": median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }


def measure(
    *, rows: int = ROWS, replicates: int = REPLICATES, turns: int = 5, seed: int = 0
) -> dict[str, float]:
    """Both kinds of terms, as flat keys: `bootstrap_speedup_dense`, `bootstrap_speedup_sparse` and what they are of."""
    found: dict[str, float] = {}
    for name in ("dense", "sparse"):
        loop = min(replicates, 60)
        kind = speedup(
            dense=name == "dense", rows=rows, replicates=replicates, turns=turns, loop=loop, seed=seed
        )
        found |= {f"bootstrap_{key}_{name}": value for key, value in kind.items()}
    return found


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    found = measure(rows=given.rows, turns=given.turns)
    names = ("dense", "sparse")
    loop = {f"seconds_{name}": found[f"bootstrap_seconds_obp_loop_{name}"] for name in names}
    record = {
        "name": "ope_bootstrap",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {"rows": given.rows, "replicates": REPLICATES, "turns": given.turns, **found},
        "peers": {"obp_loop": loop},
        "ratios": {"obp_loop": {name: found[f"bootstrap_speedup_{name}"] for name in names}},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
