"""The weekly loop on a shop whose truth drifts: what learning from each week's log is worth, against a frozen writer.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/weekly.py --json FILE [--keep FOLDER]``. The shop is that of the config
`weekly` under a development seed; every path has a drift, logs and tuning of its own. Both writers are tuned alike before
the first week; from the second on one was tuned again on the refitted world. Lifts are by the truth of each week, on judge
products and shoppers, with intervals over paths and products.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from copybandit.evaluation.card_shop import STAGES, staged
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.machine import versions
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.storage import load_json


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--shop", type=int, default=11, help="seed of the shop")
    parser.add_argument(
        "--paths", type=int, nargs="+", default=[0, 1, 2], help="seeds of drift, logs and tuning"
    )
    parser.add_argument("--keep", type=Path, help="run folder; finished stages in it are not done again")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    overrides = {
        "seed": given.shop,
        "tune.seeds": given.paths,
        **dict(parse_override(text) for text in given.set),
    }
    settings, started = load_settings("weekly", overrides), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = staged(given.keep or Path(scratch) / "run", settings, (*STAGES, "weekly"), Silent())
        found = load_json(pipeline.folder.output("weekly") / "report.json")
    record = {
        "name": "weekly",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {"shop": given.shop, "seconds": time.perf_counter() - started, **found},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for row in (
        *found["weeks"],
        {"week": "2 on", **{k: found[k] for k in ("tuned", "frozen")}, "gain": found["followed"]},
    ):
        lifts = "  ".join(
            f"{name} {row[name]['value']:+.2%} [{row[name]['ci_low']:+.2%}, {row[name]['ci_high']:+.2%}]"
            for name in ("tuned", "frozen", "gain")
        )
        known = (
            f"  agrees {row['agreement']:.2f}, first belief {row['agreement_frozen']:.2f}"
            if "agreement" in row
            else ""
        )
        print(f"week {row['week']}: {lifts}{known}")


if __name__ == "__main__":
    main()
