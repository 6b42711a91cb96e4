"""MABWiser: LinUCB and LinTS, the row as context, a class as an arm."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from onepass import serve


class MabWiser:
    """A linear policy; a column of ones is the intercept.

    Before an arm's first row the library takes lambda I for the inverse of lambda I; a row of zeros, which tells nothing,
    makes it invert.
    """

    def __init__(self, k, p, seed, policy):
        self.mab = MAB(list(range(k)), policy, seed=seed)
        self.mab.fit(list(range(k)), [0.0] * k, np.zeros((k, p + 1)))

    def choose(self, x):
        self.row = np.append(x, 1.0)[None]
        return self.mab.predict(self.row)

    def learn(self, x, chosen, reward):
        self.mab.partial_fit([chosen], [reward], self.row)


def linucb(k, p, seed, alpha, ridge):
    return MabWiser(k, p, seed, LearningPolicy.LinUCB(alpha=alpha, l2_lambda=ridge))


def lints(k, p, seed, alpha, ridge):
    return MabWiser(k, p, seed, LearningPolicy.LinTS(alpha=alpha, l2_lambda=ridge))


if __name__ == "__main__":
    serve({"linucb": linucb, "lints": lints})
