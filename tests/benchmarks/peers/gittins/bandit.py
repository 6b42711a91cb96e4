"""gittins: cycles of decide and learn per second, 8 candidates, 16 dense context features, one request at a time.

For every line on standard input, one line of JSON on standard output.
"""

import json
import random
import sys
import time

import gittins

ROWS, ARMS, WIDTH = 10_000, 8, 16
rng = random.Random(0)
contexts = [{f"x{i}": rng.gauss(0, 1) for i in range(WIDTH)} for _ in range(ROWS)]
rewards = [float(rng.random() < 0.03) for _ in range(ROWS)]
candidates = [(f"arm{arm}", {}) for arm in range(ARMS)]
clock = iter(range(10**12))


def run(state, log):
    start = time.process_time()
    for context, reward in zip(contexts, rewards, strict=True):
        now = float(next(clock))
        record = gittins.decide(state, context, candidates, now, "web-1")
        if log is not None:
            log.append(gittins.log_line(record))
        gittins.learn(state, record.decision_id, reward, now)
    return ROWS / (time.process_time() - start)


state = gittins.create(bits=12, horizon=3600.0)
for _ in sys.stdin:
    rates = {"cycles_per_s": run(state, None), "cycles_per_s_log_line": run(state, [])}
    print(json.dumps(rates), flush=True)
