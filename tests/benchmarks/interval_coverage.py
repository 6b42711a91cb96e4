"""Do 95% intervals hold the truth? Regimes x estimators x intervals on simulated logs, and peeked-at A/A campaigns.

Run: ``copybandit bench interval_coverage --json FILE``; some four minutes on one idle core. Each cell tells coverage, mean
width and whether the interval holds: within three standard errors of 95%, or at least that where no more is promised
(empirical Bernstein and confidence sequences, the latter looked at after every batch). Where one undercovers, the gate's
share of refused logs says whether anybody would have been shown it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.evaluation.aa_harness import AASettings, run_aa
from copybandit.evaluation.coverage_logs import REGIMES, Regime, population
from copybandit.evaluation.coverage_study import RegimeResult, StudyGate, study
from copybandit.evaluation.coverage_track import StudySettings
from copybandit.evaluation.machine import versions

MUST_REFUSE = 0.95
QUANTILES = (0.05, 0.5, 0.95)


def run(regime: Regime, settings: StudySettings, seed: int) -> RegimeResult:
    """One regime: cells by one seed, logs by another."""
    cells, logs = np.random.default_rng(seed).spawn(2)
    return study(population(regime, cells), settings, logs)


def told(result: RegimeResult, gate: StudyGate) -> dict[str, Any]:
    """What the record says of a regime."""
    without = StudyGate(**{**asdict(gate), "max_leverage": float("inf")})
    seen = {name: getattr(result, name) for name in ("rows", "rewards", "leverage")}
    return {
        "regime": asdict(result.population.regime),
        "value": result.population.value,
        "largest_weight": float(result.population.weight.max()),
        "refused": float(result.refused(gate).mean()),
        "refused_without_leverage": float(result.refused(without).mean()),
        **{f"{name}_quantiles": np.quantile(seen[name], QUANTILES).tolist() for name in seen},
        "cells": {
            f"{cell.estimator}/{cell.interval}": {
                "coverage": cell.coverage, "slack": cell.slack, "width": cell.width, "verdict": cell.verdict,
            }
            for cell in result.cells
        },
    }  # fmt: skip


def kept(regime: dict[str, Any]) -> bool:
    """Whether every interval holds, or the gate refuses the logs; the peeked normal interval is no promise of ours."""
    cells = [cell for name, cell in regime["cells"].items() if not name.endswith("normal_peeked")]
    return all(cell["verdict"] == "holds" for cell in cells) or regime["refused"] >= MUST_REFUSE


def main() -> None:
    """Study, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--logs", type=int, default=StudySettings.logs, help="of each regime, a multiple of 200"
    )
    parser.add_argument("--campaigns", type=int, default=AASettings.campaigns, help="of the A/A test")
    parser.add_argument("--seed", type=int, default=0)
    given, started = parser.parse_args(), time.process_time()
    gate, found = StudyGate(), {}
    for regime in REGIMES:
        found[regime.name] = told(run(regime, StudySettings(logs=given.logs), given.seed), gate)
        print(f"{regime.name}: refused {found[regime.name]['refused']:.3f}", flush=True)
        for name, cell in found[regime.name]["cells"].items():
            print(
                f"  {name:20} {cell['coverage']:.4f} width {cell['width']:.5f} {cell['verdict']}", flush=True
            )
    aa = run_aa(AASettings(campaigns=given.campaigns), np.random.default_rng(given.seed))
    print(aa.sentence)
    ours = {
        "logs": given.logs,
        "gate": asdict(gate),
        "kept": {name: kept(regime) for name, regime in found.items()},
        "regimes": found,
        "aa": {**asdict(aa), "sentence": aa.sentence},
        "cpu_s": time.process_time() - started,
    }
    machine = {"cores": os.cpu_count(), **versions()}
    record = {
        "name": "interval_coverage",
        "machine": machine,
        "ours": ours,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(ours["kept"])


if __name__ == "__main__":
    main()
