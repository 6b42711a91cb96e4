"""Vowpal Wabbit on the shop: interest on the shared line; a variant's line has its name, its lift, its copy and state."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from stream import serve
from vowpalwabbit import Workspace

EXPLORE = {
    "squarecb": "--squarecb --gamma_scale 1000 --cb_min_cost -1 --cb_max_cost 0",
    "cover": "--cover 4 --nounif",
    "epsilon": "--epsilon 0.02",
}


class Vw:
    def __init__(self, settings, seed, places, k):
        explore, rate = EXPLORE[settings["explore"]], settings["rate"]
        options = f"--cb_explore_adf {explore} --cb_type mtr -l {rate} -q sa --power_t {settings['power']}"
        self.vw = Workspace(f"{options} --quiet --random_seed {seed + 1}")
        self.rng, self.scaled = np.random.default_rng([seed, 1]), settings["features"] == "phi"

    def choose(self, asked):
        self.texts, self.chance = [], np.empty(len(asked))
        shown = asked.phi if self.scaled else np.dstack([np.log(np.maximum(asked.lift, 1e-3)), asked.x])
        column = np.empty(len(asked), dtype=int)
        for i, (variants, rows) in enumerate(zip(asked.variant.tolist(), shown.tolist(), strict=True)):
            at = [j for j, v in enumerate(variants) if v >= 0]
            text = ["shared |s " + " ".join(f"c{j}:{v:.4f}" for j, v in enumerate(asked.context[i].tolist()))]
            text += [
                f"|v v{variants[j]} |a " + " ".join(f"{c}:{v:.4f}" for c, v in enumerate(rows[j])) for j in at
            ]
            lines = self.vw.parse(text)
            p = np.maximum(self.vw.predict(lines), 0)
            self.vw.finish_example(lines)
            p /= p.sum()
            drawn = int(min((np.cumsum(p) <= self.rng.random()).sum(), len(p) - 1))
            column[i], self.chance[i] = at[drawn], p[drawn]
            self.texts.append((text, drawn))
        return column

    def learn(self, asked, column, reward):
        for (text, drawn), p, r in zip(self.texts, self.chance.tolist(), reward.tolist(), strict=True):
            text[1 + drawn] = f"0:{-r}:{p:.6g} {text[1 + drawn]}"
            lines = self.vw.parse(text)
            self.vw.learn(lines)
            self.vw.finish_example(lines)


if __name__ == "__main__":
    serve(Vw)
