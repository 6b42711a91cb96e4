"""Open Bandit Pipeline (sb-obp), `BanditEnvironmentSimulator`: rounds per second of CPU time, 8 arms, 16 features.

For every line on standard input, one line of JSON on standard output. Its rounds have no shopper who comes back: no
memory, fatigue, price or leaving.
"""

import json
import sys
import time

from obp.dataset.synthetic import logistic_reward_function
from obp.simulator.simulator import BanditEnvironmentSimulator

BATCH, SINGLES = 2_000, 200

env = BanditEnvironmentSimulator(
    n_actions=8,
    dim_context=16,
    reward_type="binary",
    reward_function=logistic_reward_function,
    random_state=0,
)


def batches():
    start = time.process_time()
    for _ in range(20):
        env.next_bandit_round_batch(BATCH)
    return 20 * BATCH / (time.process_time() - start)


def singles():
    start = time.process_time()
    for _ in range(SINGLES):
        env.next_bandit_round_batch(1)
    return SINGLES / (time.process_time() - start)


for _ in sys.stdin:
    print(json.dumps({"batches_of_2000": batches(), "one_by_one": singles()}), flush=True)
