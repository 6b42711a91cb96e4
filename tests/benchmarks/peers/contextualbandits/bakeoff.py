"""contextualbandits: LinUCB and LinTS, one row at a time."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from contextualbandits.online import LinTS, LinUCB
from onepass import serve


class Online:
    """A policy of the library."""

    def __init__(self, policy):
        self.policy = policy

    def choose(self, x):
        return int(self.policy.predict(x[None])[0])

    def learn(self, x, chosen, reward):
        self.policy.partial_fit(x[None], np.array([chosen]), np.array([reward]))


def linucb(k, p, seed, alpha, ridge):
    return Online(LinUCB(k, alpha=alpha, lambda_=ridge, use_float=False, random_state=seed + 1))


def lints(k, p, seed, variance, ridge):
    return Online(LinTS(k, v_sq=variance, lambda_=ridge, random_state=seed + 1))


if __name__ == "__main__":
    serve({"linucb": linucb, "lints": lints})
