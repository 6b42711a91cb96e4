"""Off-policy evaluation in rows per second of CPU time on one core, and what a file that is streamed takes of memory.

Run: ``copybandit bench ope --json FILE``. A turn checks columns that are in memory and values the policy. IPS reads reward,
propensity and target_prob, DR also q and v; clicks at 1%, propensities of 0.05 to 0.5. The file is a Parquet file of the
same rows. Medians of five turns after one that is not counted, taken in turns. The bootstrap's speed against OBP's loop is
that of `ope_bootstrap`; ``--quick`` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from copybandit.evaluation.machine import versions
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import DR, IPS, USUAL
from copybandit.evaluation.ope_rows import Rows, read_rows

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.ope_bootstrap import measure as measure_bootstrap

TURNS = 5


def rows_of(n: int, rng: np.random.Generator) -> Rows:
    """Rows of a log; the target policy is not far from the log's."""
    propensity = rng.uniform(0.05, 0.5, n)
    return Rows(
        reward=(rng.random(n) < 0.01).astype(np.float64),
        propensity=propensity,
        target_prob=propensity * rng.uniform(0.5, 1.5, n),
        q=np.full(n, 0.01),
        v=rng.uniform(0.005, 0.015, n),
    )


def rates(n: int, tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Rows per second of CPU time for each task."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(TURNS + 1):
        for name, task in tasks.items():
            started = time.process_time()
            task()
            found[name] += [n / (time.process_time() - started)] if turn else []
    return {name: median(several) for name, several in found.items()}


def measure(n: int, folder: Path) -> dict[str, float]:
    """Every number, by name."""
    full = rows_of(n, np.random.default_rng(0))
    bare = replace(full, q=None, v=None)
    known = {name: getattr(full, name) for name in ("reward", "propensity", "target_prob", "q", "v")}
    path = folder / "log.parquet"
    pq.write_table(pa.table(known), path)
    tasks: dict[str, Callable[[], object]] = {
        "rows_per_s_ips": lambda: evaluate(replace(bare), (IPS,)),
        "rows_per_s_dr": lambda: evaluate(replace(full), (DR,)),
        "rows_per_s_usual_four": lambda: evaluate(replace(full), USUAL),
        "rows_per_s_parquet_dr": lambda: evaluate(read_rows(path), (DR,)),
    }
    found = rates(n, tasks)
    tracemalloc.start()
    evaluate(read_rows(path), USUAL)
    found["parquet_peak_mb"] = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return found | {"columns_mb": sum(values.nbytes for values in known.values()) / 2**20, "rows": n}


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--quick", action="store_true", help="without the bootstrap")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = measure(given.rows, Path(folder))
    ours |= {} if given.quick else measure_bootstrap()
    record = {
        "name": "ope",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": ours,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(ours, indent=2))


if __name__ == "__main__":
    main()
