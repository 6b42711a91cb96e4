"""MABWiser on the shop: one bandit per product, its arms the product's variants; contextual ones read the request."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from stream import serve

MAKE = {
    "thompson": lambda s: LearningPolicy.ThompsonSampling(),
    "ucb1": lambda s: LearningPolicy.UCB1(alpha=s["alpha"]),
    "linucb": lambda s: LearningPolicy.LinUCB(alpha=s["alpha"], l2_lambda=s["ridge"]),
}


class MabWiser:
    """Bandits learn first what their first rows tell, as the library asks; until then arms are drawn evenly.

    Before an arm's first row the library takes lambda I for the inverse of lambda I; a row of zeros, which tells nothing,
    makes it invert.
    """

    def __init__(self, settings, seed, places, k):
        self.make, self.contextual = (
            (lambda: MAKE[settings["policy"]](settings)),
            settings["policy"] == "linucb",
        )
        self.bandits, self.seed, self.rng = {}, seed, np.random.default_rng([seed, 1])

    def rows_of(self, asked):
        self.features = np.hstack([np.ones((len(asked), 1)), asked.request])
        return [(int(p), np.flatnonzero(asked.place == p)) for p in np.unique(asked.place)]

    def choose(self, asked):
        column = np.empty(len(asked), dtype=int)
        for place, rows in self.rows_of(asked):
            bandit = self.bandits.get(place)
            for arm in np.flatnonzero(asked.present[rows[0]]).tolist() if bandit else ():
                if arm not in bandit.arms:
                    bandit.add_arm(arm)
                    if self.contextual:
                        bandit.partial_fit([arm], [0], np.zeros((1, self.features.shape[1])))
            if bandit is None:
                column[rows] = [self.rng.choice(np.flatnonzero(here)) for here in asked.present[rows]]
            elif self.contextual:
                column[rows] = np.atleast_1d(bandit.predict(self.features[rows]))
            else:
                column[rows] = [bandit.predict() for _ in rows]
        late = ~asked.present[np.arange(len(asked)), column]
        column[late] = [int(here.argmax()) for here in asked.present[late]]
        return column

    def learn(self, asked, column, reward):
        for place, rows in self.rows_of(asked):
            told = [column[rows].tolist(), reward[rows].astype(int).tolist()]
            told += [self.features[rows]] if self.contextual else []
            if place in self.bandits:
                self.bandits[place].partial_fit(*told)
            else:
                arms = np.flatnonzero(asked.present[rows].any(axis=0)).tolist()
                self.bandits[place] = MAB(arms, self.make(), seed=self.seed + place)
                if self.contextual:
                    nothing = np.zeros((len(arms), self.features.shape[1]))
                    self.bandits[place].fit(arms, [0] * len(arms), nothing)
                    self.bandits[place].partial_fit(*told)
                else:
                    self.bandits[place].fit(*told)


if __name__ == "__main__":
    serve(MabWiser)
