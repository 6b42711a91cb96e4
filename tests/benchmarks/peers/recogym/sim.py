"""RecoGym (reco-gym-v1): steps per second of CPU time with 10 and with 1,000 products, one user after the other.

For every line on standard input, one line of JSON on standard output. Its environment is built directly, since
`gym.make` refuses it, and needs a name that SciPy dropped. A step is an advertisement and the browsing that follows it.
"""

import json
import sys
import time

import numpy as np
import scipy

scipy.rand = np.random.rand

from recogym import env_1_args
from recogym.envs import RecoEnv1

STEPS = 5_000


def make(products):
    env = RecoEnv1()
    env.init_gym({**env_1_args, "num_products": products, "random_seed": 0})
    env.reset(0)
    env.step(None)
    return env


def rate(env, products, rng):
    start, user = time.process_time(), 0
    for _ in range(STEPS):
        _, _, done, _ = env.step(int(rng.integers(products)))
        if done:
            user += 1
            env.reset(user)
            env.step(None)
    return STEPS / (time.process_time() - start)


rng = np.random.default_rng(0)
envs = {products: make(products) for products in (10, 1_000)}
for _ in sys.stdin:
    print(json.dumps({f"v1_products{p}": rate(env, p, rng) for p, env in envs.items()}), flush=True)
