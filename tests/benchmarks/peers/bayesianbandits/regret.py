"""bayesianbandits on the shop: Thompson sampling on one regression that variants share, each with its own lift."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from bayesianbandits import ExponentialForgetting, NormalRegressor
from stream import serve

DRAWS = 32
"""Draws of the coefficients for each batch; requests take turns with them."""


class Bayesian:
    """Columns are scaled so that one prior precision suits all: lift counts eight times, so that it is believed first."""

    def __init__(self, settings, seed, places, k):
        self.m, self.few = places * k, settings["features"] == "lift"
        forget = settings["forget"]
        rule = {} if forget == 1 else {"forgetting": ExponentialForgetting(forget)}
        self.model = NormalRegressor(
            alpha=settings["precision"], beta=settings["noise"], random_state=seed, **rule
        )
        self.told = False

    def rows(self, asked, variant, lift, phi):
        dense = np.concatenate([8 * phi[..., :1], phi[..., 1:]], axis=-1)
        dense = dense[..., :1] if self.few else dense
        return np.concatenate([lift[..., None] * np.eye(self.m)[variant], dense], axis=-1)

    def choose(self, asked):
        n, k = asked.variant.shape
        x = self.rows(asked, np.maximum(asked.variant, 0), asked.lift, asked.phi).reshape(n * k, -1)
        if not self.told:
            score = asked.lift
        else:
            drawn = np.asarray(self.model.sample(x, size=DRAWS)).reshape(DRAWS, n, k)
            score = drawn[np.arange(n) % DRAWS, np.arange(n)]
        return np.where(asked.present, score, -np.inf).argmax(axis=1)

    def learn(self, asked, column, reward):
        i = np.arange(len(asked))
        x = self.rows(asked, asked.variant[i, column], asked.lift[i, column], asked.phi[i, column])
        (self.model.partial_fit if self.told else self.model.fit)(x, reward)
        self.told = True


if __name__ == "__main__":
    serve(Bayesian)
