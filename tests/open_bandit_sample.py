"""The whole sample of the Open Bandit data set and its production priors, as files of the wheel obp 0.4.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from copybandit.sim.types import Floats
from copybandit.sim.wheels import wheel_file

PLACES = 3


def log_path(policy: str, campaign: str) -> Path:
    """CSV of one policy's log; the package is never imported."""
    return wheel_file("obp", "0.4.1", f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv")


def prior_path() -> Path:
    """YAML with the Beta priors of the shop's Thompson sampling."""
    return wheel_file("obp", "0.4.1", "obp/policy/conf/prior_bts.yaml")


def drawn_thompson(campaign: str, draws: int, seed: int = 12345) -> Floats:
    """The published tables' probabilities: shares of `draws` Beta draws in which an item has a place, shape (k, places).

    The stream is that of NumPy's legacy generator, all items of a draw together.
    """
    known = yaml.safe_load(prior_path().read_text("utf-8"))[campaign]
    alpha, beta = np.array(known["alpha"]), np.array(known["beta"])
    rng = np.random.RandomState(seed)  # the published numbers are made of this stream
    count, left = np.zeros((len(alpha), PLACES)), draws
    while left:
        size = min(left, 20_000)
        best = np.argsort(-rng.beta(alpha, beta, size=(size, len(alpha))), axis=1)[:, :PLACES]
        count += np.stack([np.bincount(place, minlength=len(alpha)) for place in best.T], axis=1)
        left -= size
    return count / draws
