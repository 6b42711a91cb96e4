"""vw-estimators' confidence sequence on the Open Bandit sample: the uniform log, judged for the shop's Thompson policy.

Each line on standard input names a campaign (all, men, women); the answer is one line of JSON: the weights and rewards of
its 10,000 rows, the largest weight that the two policies allow, the 95% interval and its CPU time. The logs and the
policy's priors come from the wheel of obp 0.4.1, which is only read, never imported. The policy's probabilities are those of
obp's BernoulliTS with random_state 12345 and 100,000 simulations.
"""

import csv
import json
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import yaml
from estimators.bandits.cs import Interval

SEED, SIMULATIONS, PLACES = 12345, 100_000, 3
FOLDER = Path(find_spec("obp").origin).parent


def target_probs(campaign):
    """Probability of each item at each place, shape (items, PLACES)."""
    prior = yaml.safe_load((FOLDER / "policy" / "conf" / "prior_bts.yaml").read_text())[campaign]
    alpha, beta = np.array(prior["alpha"]), np.array(prior["beta"])
    draws = np.random.RandomState(SEED).beta(alpha, beta, size=(SIMULATIONS, len(alpha)))
    best = np.argsort(-draws, axis=1)[:, :PLACES]
    return (
        np.stack([np.bincount(best[:, place], minlength=len(alpha)) for place in range(PLACES)], 1)
        / SIMULATIONS
    )


def rows(campaign):
    """Weights and clicks of the uniform log, and the largest possible weight."""
    probs = target_probs(campaign)
    with open(FOLDER / "dataset" / "obd" / "random" / campaign / f"{campaign}.csv") as file:
        log = list(csv.DictReader(file))
    item, place = [int(row["item_id"]) for row in log], [int(row["position"]) - 1 for row in log]
    weight = probs[item, place] / [float(row["propensity_score"]) for row in log]
    return weight, np.array([float(row["click"]) for row in log]), float(probs.max() * len(probs))


for line in sys.stdin:
    weights, clicks, largest = rows(line.strip() or "all")
    start = time.process_time()
    interval = Interval()
    for weight, click in zip(weights.tolist(), clicks.tolist(), strict=True):
        interval.add_example(1.0, click, weight)
    low, high = interval.get(0.05)
    answer = {"low": low, "high": high, "seconds": time.process_time() - start, "w_max": largest}
    print(json.dumps({**answer, "weight": weights.tolist(), "reward": clicks.tolist()}), flush=True)
