"""The published table of estimators on the Open Bandit sample, made again: relative errors over 30 bootstrap samples.

Run: ``copybandit bench openbandit_table --json FILE`` after ``pip install --no-deps obp==0.4.1`` (data only). The uniform
log of campaign all values the shop's Thompson sampling; the truth is the mean click of its own log. Logistic regression with
C = 100 on user and item features, one for each place, three folds; c by SLOPE over 10 to infinity. Published are Open Bandit
Pipeline's numbers (examples/obd), seeds and NumPy's legacy streams as there. Errors are |estimate / truth - 1|, mean and
standard deviation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

sys.path.insert(0, str(Path(__file__).parents[2]))

from copybandit.evaluation.machine import versions
from copybandit.evaluation.ope_crossfit import Logistic, cross_fit
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import DM, DR, IPS, SNDR, SNIPS, dr_os, switch_dr
from copybandit.evaluation.ope_tuning import tune
from copybandit.evaluation.open_bandit_policies import rows_of_open_bandit, thompson_probs
from copybandit.sim.open_bandit import OpenBandit, load_open_bandit
from copybandit.sim.types import Floats, Ints
from tests.open_bandit_sample import drawn_thompson, log_path, prior_path

SEED, FOLDS = 12345, 3
GRID = (10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10000.0, float("inf"))
PLAIN = (DM, IPS, SNIPS, DR, SNDR)
PUBLISHED = {
    "dm": (0.156876, 0.109898),
    "ips": (0.311082, 0.311170),
    "snips": (0.311795, 0.334736),
    "dr": (0.292464, 0.315485),
    "sndr": (0.302407, 0.328434),
    "switch_dr": (0.258410, 0.160598),
    "dr_os": (0.159520, 0.109660),
}


def features(log: OpenBandit) -> tuple[Floats, Floats]:
    """Users' levels but the first of each feature as indicators, and items' number and codes of their classes."""
    users = [codes[:, None] == np.arange(1, codes.max() + 1) for codes in log.user_features.T]
    items = np.hstack([log.items.codes, log.items.numeric])
    return np.hstack(users).astype(np.float64), items.astype(np.float64)


def resample(log: OpenBandit, seed: int) -> tuple[OpenBandit, Ints]:
    """A bootstrap sample in the stream of the published table, and which rows it is."""
    order = np.argsort(log.timestamp, kind="stable")
    rows = order[np.random.RandomState(seed).choice(len(log), len(log))]  # the published stream
    columns = ("timestamp", "item_id", "position", "click", "propensity", "user_features", "affinity")
    return replace(log, **{name: getattr(log, name)[rows] for name in columns}), rows


def folds(n: int) -> Ints:
    """Three folds of shuffled rows, as published."""
    fold = np.empty(n, dtype=np.int64)
    for part, (_, held) in enumerate(KFold(FOLDS, shuffle=True, random_state=SEED).split(np.empty(n))):
        fold[held] = part
    return fold


def one_run(log: OpenBandit, context: Floats, items: Floats, probs: Floats, seed: int) -> dict[str, float]:
    """Each estimator's value on one bootstrap sample."""
    sample, rows = resample(log, seed)
    q = cross_fit(
        context[rows],
        items,
        sample.item_id,
        sample.click,
        folds(len(sample)),
        Logistic(c=100.0),
        stratum=sample.position,
    )
    known = rows_of_open_bandit(sample, probs, q)
    found = {e.estimator: e.value for e in evaluate(known, PLAIN, refuse=False)}
    for family in (switch_dr, dr_os):
        best = tune(known, family, GRID, refuse=False).estimate
        found[best.estimator] = best.value
    return found


def main() -> None:
    """Measure, print beside what is published, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument(
        "--quadrature", action="store_true", help="exact probabilities instead of the published draws"
    )
    given, started = parser.parse_args(), time.process_time()
    log = load_open_bandit(log_path("random", "all"))
    truth = float(load_open_bandit(log_path("bts", "all")).click.mean())
    probs = (
        thompson_probs(prior_path(), "all") if given.quadrature else drawn_thompson("all", 1_000_000, SEED)
    )
    context, items = features(log)
    values = pd.DataFrame([one_run(log, context, items, probs, seed) for seed in range(given.runs)])
    errors = (values / truth - 1).abs()
    ours = {name: [float(errors[name].mean()), float(errors[name].std())] for name in PUBLISHED}
    record = {
        "name": "openbandit_table",
        "machine": {"cores": os.cpu_count(), **versions()},
        "runs": given.runs,
        "ours": {**ours, "cpu_s": time.process_time() - started},
        "peers": {"published": {name: list(pair) for name, pair in PUBLISHED.items()}},
        "ratios": {name: ours[name][0] / PUBLISHED[name][0] for name in PUBLISHED},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, (mean, std) in ours.items():
        print(
            f"{name:10} {mean:.6f} ({std:.6f})  published {PUBLISHED[name][0]:.6f} ({PUBLISHED[name][1]:.6f})"
        )


if __name__ == "__main__":
    main()
