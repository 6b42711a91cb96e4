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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from copybandit.evaluation.card_shop import STAGES, staged
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.machine import versions
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.storage import load_json


def measure(given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Play the weeks on every path."""
    more = dict(parse_override(text) for text in given.set)
    settings = load_settings("weekly", {"seed": given.shop, "tune.seeds": given.paths, **more})
    pipeline = staged(given.keep or scratch / "run", settings, (*STAGES, "weekly"), Silent())
    found: dict[str, Any] = load_json(pipeline.folder.output("weekly") / "report.json")
    return found


def told(row: Mapping[str, Any]) -> str:
    """One week as a line."""
    lifts = "  ".join(
        f"{name} {row[name]['value']:+.2%} [{row[name]['ci_low']:+.2%}, {row[name]['ci_high']:+.2%}]"
        for name in ("tuned", "frozen", "gain")
    )
    if "agreement" not in row:
        return f"week {row['week']}: {lifts}"
    return f"week {row['week']}: {lifts}  agrees {row['agreement']:.2f}, first belief {row['agreement_frozen']:.2f}"


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
    given, started = parser.parse_args(), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(given, Path(scratch))
    record = {
        "name": "weekly",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {"shop": given.shop, "seconds": time.perf_counter() - started, **found},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    later = {"week": "2 on", **{name: found[name] for name in ("tuned", "frozen")}, "gain": found["followed"]}
    print("\n".join(map(told, (*found["weeks"], later))))


if __name__ == "__main__":
    main()
