"""contextualbandits on the shop: one policy per product, its choices the product's variants, reading the request."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from contextualbandits.online import LinUCB
from stream import serve


class Online:
    """The highest score among what is present is chosen."""

    def __init__(self, settings, seed, places, k):
        self.few = settings["features"] == "lift"
        self.policies = [
            LinUCB(
                k,
                alpha=settings["alpha"],
                lambda_=settings["ridge"],
                use_float=False,
                random_state=seed + place + 1,
            )
            for place in range(places)
        ]

    def choose(self, asked):
        self.features = asked.lift if self.few else asked.request
        column = np.empty(len(asked), dtype=int)
        for place in np.unique(asked.place).tolist():
            rows = np.flatnonzero(asked.place == place)
            scores = np.asarray(self.policies[place].decision_function(self.features[rows])).reshape(
                len(rows), -1
            )
            column[rows] = np.where(asked.present[rows], scores, -np.inf).argmax(axis=1)
        return column

    def learn(self, asked, column, reward):
        for place in np.unique(asked.place).tolist():
            rows = np.flatnonzero(asked.place == place)
            self.policies[place].partial_fit(self.features[rows], column[rows], reward[rows])


if __name__ == "__main__":
    serve(Online)
