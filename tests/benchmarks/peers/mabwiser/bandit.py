"""MABWiser's LinUCB and LinTS: cycles of predict and partial_fit per second, 8 arms, 16 context features, one at a time.

For every line on standard input, one line of JSON on standard output.
"""

import json
import sys
import time

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

ROWS, ARMS, WIDTH = 200, 8, 16
rng = np.random.default_rng(0)
contexts = rng.normal(size=(ROWS, 1, WIDTH))
rewards = (rng.random(ROWS) < 0.03).astype(float)
arms = list(range(ARMS))


def fitted(policy):
    bandit = MAB(arms, policy)
    first = rng.integers(ARMS, size=4 * ARMS)
    bandit.fit(first.tolist(), np.zeros(len(first)), rng.normal(size=(len(first), WIDTH)))
    return bandit


def run(bandit):
    start = time.process_time()
    for context, reward in zip(contexts, rewards, strict=True):
        arm = bandit.predict(context)
        bandit.partial_fit([arm], [reward], context)
    return ROWS / (time.process_time() - start)


bandits = {
    "linucb": fitted(LearningPolicy.LinUCB(alpha=0.5)),
    "lints": fitted(LearningPolicy.LinTS(alpha=0.5)),
}
for _ in sys.stdin:
    print(json.dumps({f"cycles_per_s_{name}": run(bandit) for name, bandit in bandits.items()}), flush=True)
