"""VW's SquareCB: cycles of predict, draw and learn per second, 8 candidates, 16 dense context features, one at a time.

For every line on standard input, one line of JSON on standard output. Its text format, its fastest way in from Python.
"""

import json
import random
import sys
import time

from vowpalwabbit import Workspace

ROWS, ARMS, WIDTH = 2_000, 8, 16
rng = random.Random(0)
shared = ["shared |u " + " ".join(f"x{i}:{rng.gauss(0, 1):.6f}" for i in range(WIDTH)) for _ in range(ROWS)]
costs = [-float(rng.random() < 0.03) for _ in range(ROWS)]
actions = [f"|a arm{arm}" for arm in range(ARMS)]
columns = range(ARMS)
workspace = Workspace("--cb_explore_adf --squarecb -q ua --quiet")
for _ in sys.stdin:
    start = time.process_time()
    for context, cost in zip(shared, costs, strict=True):
        pmf = workspace.predict([context, *actions])
        column = rng.choices(columns, pmf)[0]
        told = list(actions)
        told[column] = f"0:{cost}:{pmf[column]} {actions[column]}"
        workspace.learn([context, *told])
    print(json.dumps({"cycles_per_s": ROWS / (time.process_time() - start)}), flush=True)
