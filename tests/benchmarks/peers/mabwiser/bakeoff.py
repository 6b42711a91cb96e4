"""MABWiser: LinUCB and LinTS, the row as context, a class as an arm."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from onepass import serve


class MabWiser:
    """A linear policy; a column of ones is the intercept; the first row is fitted, as the library asks, later ones added."""

    def __init__(self, k, seed, policy):
        self.mab = MAB(list(range(k)), policy, seed=seed)
        self.first = seed % k
        self.learn = self.fit

    def choose(self, x):
        self.row = np.append(x, 1.0)[None]
        return self.first if self.learn == self.fit else self.mab.predict(self.row)

    def fit(self, x, chosen, reward):
        self.mab.fit([chosen], [reward], self.row)
        self.learn = self.more

    def more(self, x, chosen, reward):
        self.mab.partial_fit([chosen], [reward], self.row)


def linucb(k, p, seed, alpha, ridge):
    return MabWiser(k, seed, LearningPolicy.LinUCB(alpha=alpha, l2_lambda=ridge))


def lints(k, p, seed, alpha, ridge):
    return MabWiser(k, seed, LearningPolicy.LinTS(alpha=alpha, l2_lambda=ridge))


if __name__ == "__main__":
    serve({"linucb": linucb, "lints": lints})
