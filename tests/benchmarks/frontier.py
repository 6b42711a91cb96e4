"""PPO against best of 4, 16 and 64 of the same writer: at equal KL and at equal reward calls, in both worlds.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/frontier.py --json FILE [--picture docs/frontier.png] [--run RUN]``. Without
a run folder one is made: quickstart's shop with seed 11, tuned on five seeds. It reads the select cells only.
Best of n pays n reward calls for each text; tuning pays once, so its calls are spread over the cells that it then serves.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np

from copybandit.evaluation.card_frontier import frontier
from copybandit.evaluation.card_prepare import prepare
from copybandit.evaluation.card_request import CardRequest
from copybandit.evaluation.card_shop import STAGES, staged
from copybandit.evaluation.card_trail import walk
from copybandit.evaluation.frontier import NAMED, draw_frontier, kl_of_best
from copybandit.evaluation.frontier_chart import save_frontier
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.storage import plain


def tuned(folder: Path, given: argparse.Namespace) -> Path:
    """A run folder whose tune stage is done."""
    overrides = {"seed": given.shop, "tune.seeds": given.seeds}
    settings = load_settings("quickstart", {**overrides, **dict(parse_override(text) for text in given.set)})
    return staged(folder, settings, (*STAGES, "tune"), Silent()).folder.path


def measure(run: Path, picture: Path | None) -> dict[str, Any]:
    """Measure 3 of the card on the select cells, and its picture."""
    checkpoints = tuple(sorted(run.glob("stages/tune/seed-*/writer")))
    subject = prepare(CardRequest(checkpoints=checkpoints, run=run, part="select"), Silent()).subject
    trails = walk(subject)
    drawn = draw_frontier(subject.before, subject.reward, subject.gold, trails.rows, subject.rng(3))
    found = frontier(subject, trails, drawn)
    calls = None if subject.calls is None else subject.calls / len(subject.cells)
    if picture is not None:
        save_frontier(drawn, trails, calls, picture)
    chosen = [steps[-1] for steps in trails.steps]
    return {
        "ppo": {
            "seeds": len(chosen),
            "kl": float(np.mean([step.kl for step in chosen])),
            "gold": float(np.mean([step.gold.mean() for step in chosen])),
            "fitted": float(np.mean([step.reward.mean() for step in chosen])),
            "calls_per_served_text": calls,
        },
        "best_of": {
            str(n): {
                "kl_at_most": kl_of_best(n),
                "gold": float(drawn.best(n)[1].mean()),
                "fitted": float(drawn.best(n)[0].mean()),
            }
            for n in NAMED
        },
        "less": plain(found.figures),
        "gates": plain(found.gates),
        "cells": len(trails.rows),
    }


def main() -> None:
    """Write the record that `copybandit bench` reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    parser.add_argument("--run", type=Path, help="run folder with a tune stage, made or used again")
    parser.add_argument("--shop", type=int, default=11, help="seed of the shop that is made")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of tuning")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = given.run or Path(scratch) / "run"
        if not list(run.glob("stages/tune/seed-*/writer")):
            run = tuned(run, given)
        found = measure(run, given.picture)
    record = {
        "name": "frontier",
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "ours": found,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
