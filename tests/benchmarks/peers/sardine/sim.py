"""SARDINE (sardine-rec): steps per second of CPU time of four of its environments, one process.

For every line on standard input, one line of JSON on standard output.
"""

import json
import sys
import time

import gymnasium
import numpy as np
import sardine

STEPS = 3_000
IDS = ("SingleItem-Static", "SingleItem-BoredInf", "SlateTopK-Bored", "SlateRerank-Static")


def make(name):
    env = gymnasium.make(f"sardine/{name}-v0", disable_env_checker=True).unwrapped
    env.reset(seed=0)
    return env


def rate(env, rng):
    start = time.process_time()
    for _ in range(STEPS):
        *_, terminated, truncated, _ = env.step(rng.integers(env.num_items, size=env.slate_size))
        if terminated or truncated:
            env.reset()
    return STEPS / (time.process_time() - start)


assert sardine.__version__
rng = np.random.default_rng(0)
envs = {name: make(name) for name in IDS}
for _ in sys.stdin:
    print(json.dumps({name: rate(env, rng) for name, env in envs.items()}), flush=True)
