"""RecSim (recsim-no-tf): steps per second of CPU time of its three environments, 10 candidates, one process.

For every line on standard input, one line of JSON on standard output. It needs the names that NumPy 1.24 dropped.
"""

import json
import sys
import time

import numpy as np

np.float, np.int, np.bool = float, int, bool

from recsim.environments import interest_evolution, interest_exploration, long_term_satisfaction

STEPS = 3_000
MODULES = {
    "long_term_satisfaction": (long_term_satisfaction, 1),
    "interest_evolution": (interest_evolution, 2),
    "interest_exploration": (interest_exploration, 1),
}


def make(module, slate):
    config = {"slate_size": slate, "num_candidates": 10, "resample_documents": True, "seed": 0}
    env = module.create_environment(config)
    env.reset()
    return env


def rate(env, slate, rng):
    start = time.process_time()
    for _ in range(STEPS):
        _, _, done, _ = env.step(rng.choice(10, size=slate, replace=False))
        if done:
            env.reset()
    return STEPS / (time.process_time() - start)


rng = np.random.default_rng(0)
envs = {name: (make(module, slate), slate) for name, (module, slate) in MODULES.items()}
for _ in sys.stdin:
    print(json.dumps({name: rate(*env, rng) for name, env in envs.items()}), flush=True)
