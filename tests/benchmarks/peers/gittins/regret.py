"""gittins on the shop: interest as context; a variant is a candidate with lift, copy and state as features."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gittins
import numpy as np
from stream import serve


class Gittins:
    def __init__(self, settings, seed, places, k):
        epsilon, forget = settings["epsilon"], settings["forgetfulness"]
        self.state = gittins.create(bits=16, horizon=1e9, epsilon=epsilon, forgetfulness=forget)
        self.few, self.salt, self.time = settings["features"] == "lift", f"s{seed}", 0.0

    def choose(self, asked):
        shown = asked.lift[:, :, None] if self.few else asked.phi
        names = [f"a{c}" for c in range(shown.shape[2])]
        column, self.ids = np.empty(len(asked), dtype=int), []
        for i, (variants, rows) in enumerate(zip(asked.variant.tolist(), shown.tolist(), strict=True)):
            at = [j for j, v in enumerate(variants) if v >= 0]
            candidates = [(f"v{variants[j]}", dict(zip(names, rows[j], strict=True))) for j in at]
            context = {f"c{j}": v for j, v in enumerate(asked.context[i].tolist())}
            self.time += 1
            record = gittins.decide(self.state, context, candidates, self.time, self.salt)
            column[i] = at[record.chosen]
            self.ids.append(record.decision_id)
        return column

    def learn(self, asked, column, reward):
        for one, r in zip(self.ids, reward.tolist(), strict=True):
            gittins.learn(self.state, one, r, self.time)


if __name__ == "__main__":
    serve(Gittins)
