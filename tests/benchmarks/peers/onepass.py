"""One pass over a data set with bandit feedback, the same for every contender: guess a class, hear only whether it is right.

A runner of the benchmark `bakeoff` calls `serve` with its contenders. For every line of JSON on standard input it makes one
pass and answers with the share of wrong guesses and the CPU seconds that choosing and learning took.
"""

import json
import sys
import time

import numpy as np


def scaled(x, scale):
    """Columns in [0, 1] as they are ("unit"), in [-1, 1] with rows of length about one ("row"), or standardised ("std")."""
    if scale == "std":
        return (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return x if scale == "unit" else (2 * x - 1) / np.sqrt(x.shape[1])


def one_pass(make, x, y, seed, settings):
    """Share of wrong guesses, and CPU seconds; a contender has choose(x) -> class and learn(x, class, reward)."""
    order = np.random.default_rng(seed).permutation(len(y))
    settings = dict(settings)
    rows, right = scaled(x, settings.pop("scale"))[order], y[order].tolist()
    contender, wrong = make(int(y.max()) + 1, x.shape[1], seed, **settings), 0
    start = time.process_time()
    for row, label in zip(rows, right, strict=True):
        chosen = contender.choose(row)
        contender.learn(row, chosen, float(chosen == label))
        wrong += chosen != label
    return wrong / len(y), time.process_time() - start


def serve(contenders):
    """Answer until the input ends."""
    for line in sys.stdin:
        job = json.loads(line)
        with np.load(job["data"]) as data:
            x, y = data["x"], data["y"]
        error, seconds = one_pass(contenders[job["contender"]], x, y, job["seed"], job["settings"])
        print(json.dumps({"error": error, "cpu_s": seconds}), flush=True)
