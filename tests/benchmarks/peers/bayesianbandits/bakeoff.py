"""bayesianbandits: Thompson sampling with a normal regression per class."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from bayesianbandits import Arm, ContextualAgent, NormalRegressor, ThompsonSampling
from onepass import serve


class Bayesian:
    """An agent whose arms are the classes; a column of ones is the intercept."""

    def __init__(self, k, p, seed, precision, noise):
        arms = [Arm(a, learner=NormalRegressor(alpha=precision, beta=noise)) for a in range(k)]
        self.agent = ContextualAgent(arms, ThompsonSampling(), random_seed=seed)

    def choose(self, x):
        self.row = np.append(x, 1.0)[None]
        return self.agent.pull(self.row)[0]

    def learn(self, x, chosen, reward):
        self.agent.select_for_update(chosen).update(self.row, np.array([reward]))


if __name__ == "__main__":
    serve({"thompson": Bayesian})
