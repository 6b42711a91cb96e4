"""Batches of requests from a shop, for contenders of other projects; see `copybandit.evaluation.remote_policy`.

A contender has choose(requests) -> columns (n,) and learn(requests, columns, rewards). `Requests` holds the arrays, and the
features that all contenders may use: what our linear model reads, prior x [1, copy, state], in units of the mean prior.
"""

import json
import sys
import time

import numpy as np


class Requests:
    def __init__(self, file):
        with np.load(file) as found:
            self.variant, self.prior, self.x = found["variant"], found["prior"], found["x"]
            self.context, self.place = found["context"], found["place"]
        self.present = self.variant >= 0
        self.column = None

    def __len__(self):
        return len(self.variant)

    @property
    def lift(self):
        """Prior in units of .05, shape (n, k)."""
        return np.where(self.present, self.prior, 0.0) / 0.05

    @property
    def phi(self):
        """lift x [1, copy, state], shape (n, k, 1 + d)."""
        ones = np.ones((*self.variant.shape, 1))
        return self.lift[:, :, None] * np.concatenate([ones, self.x], axis=2)

    @property
    def request(self):
        """What is known of a request, for arms without features of their own: lifts, exposures, interest, (n, 2 k + p)."""
        return np.hstack([self.lift, np.where(self.present, self.x[:, :, -2], 0.0), self.context])


def serve(make):
    """Answer until the input ends; make(settings, seed, places, k) gives a contender."""
    contender = asked = None
    for line in sys.stdin:
        job, answer = json.loads(line), {}
        if "choose" in job:
            asked = Requests(job["choose"])
        start = time.process_time()
        if "start" in job:
            contender = make(job["start"], job["seed"], job["places"], job["k"])
        elif "choose" in job:
            asked.column = np.asarray(contender.choose(asked))
            answer["column"] = asked.column.tolist()
        else:
            contender.learn(asked, asked.column, np.array(job["learn"]))
        print(json.dumps({**answer, "cpu_s": time.process_time() - start}), flush=True)
