"""gittins: the row as context, a class as a candidate without features of its own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gittins
from onepass import serve


class Gittins:
    """Its epsilon-greedy."""

    def __init__(self, k, p, seed, epsilon, forgetfulness):
        self.state = gittins.create(bits=16, horizon=1e9, epsilon=epsilon, forgetfulness=forgetfulness)
        self.classes = [(f"i{a}", {}) for a in range(k)]
        self.names = [f"f{j}" for j in range(p)]
        self.salt, self.time = f"s{seed}", 0.0

    def choose(self, x):
        self.time += 1
        context = dict(zip(self.names, x.tolist(), strict=True))
        self.record = gittins.decide(self.state, context, self.classes, self.time, self.salt)
        return self.record.chosen

    def learn(self, x, chosen, reward):
        gittins.learn(self.state, self.record.decision_id, reward, self.time)


if __name__ == "__main__":
    serve({"epsilon": Gittins})
