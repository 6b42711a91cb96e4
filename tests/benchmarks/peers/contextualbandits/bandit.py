"""contextualbandits' LinUCB and LinTS: cycles of predict and partial_fit per second, 8 arms, 16 features, one at a time.

For every line on standard input, one line of JSON on standard output.
"""

import json
import sys
import time

import numpy as np
from contextualbandits.online import LinTS, LinUCB

ROWS, ARMS, WIDTH = 400, 8, 16
rng = np.random.default_rng(0)
contexts = rng.normal(size=(ROWS, 1, WIDTH))
rewards = (rng.random((ROWS, 1)) < 0.03).astype(float)


def fitted(policy):
    first = rng.integers(ARMS, size=8 * ARMS)
    policy.fit(rng.normal(size=(len(first), WIDTH)), first, (rng.random(len(first)) < 0.5).astype(float))
    return policy


def run(policy):
    start = time.process_time()
    for context, reward in zip(contexts, rewards, strict=True):
        arm = policy.predict(context)
        policy.partial_fit(context, np.asarray(arm), reward)
    return ROWS / (time.process_time() - start)


settings = {"nchoices": ARMS, "beta_prior": None, "random_state": 1, "njobs": 1}
policies = {"linucb": fitted(LinUCB(**settings)), "lints": fitted(LinTS(**settings))}
for _ in sys.stdin:
    print(json.dumps({f"cycles_per_s_{name}": run(policy) for name, policy in policies.items()}), flush=True)
