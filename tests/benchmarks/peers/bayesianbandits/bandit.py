"""bayesianbandits' Thompson sampling and UCB: cycles of pull and update per second, 8 arms, 16 features, one at a time.

For every line on standard input, one line of JSON on standard output.
"""

import json
import sys
import time

import numpy as np
from bayesianbandits import Arm, ContextualAgent, NormalRegressor, ThompsonSampling, UpperConfidenceBound

ROWS, ARMS, WIDTH = 400, 8, 16
rng = np.random.default_rng(0)
contexts = rng.normal(size=(ROWS, 1, WIDTH))
rewards = (rng.random((ROWS, 1)) < 0.03).astype(float)


def agent(policy):
    arms = [Arm(arm, learner=NormalRegressor(alpha=1.0, beta=1.0)) for arm in range(ARMS)]
    return ContextualAgent(arms, policy, random_seed=0)


def run(bandit):
    start = time.process_time()
    for context, reward in zip(contexts, rewards, strict=True):
        bandit.pull(context)
        bandit.update(context, reward)
    return ROWS / (time.process_time() - start)


agents = {"thompson": agent(ThompsonSampling()), "ucb": agent(UpperConfidenceBound(0.84))}
for _ in sys.stdin:
    print(json.dumps({f"cycles_per_s_{name}": run(bandit) for name, bandit in agents.items()}), flush=True)
