"""Vowpal Wabbit: a shared line with the row, one line per class, crossed; what it returns is drawn from."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from onepass import serve
from vowpalwabbit import Workspace

EXPLORE = {
    "squarecb": "--squarecb --gamma_scale {gamma} --cb_min_cost -1 --cb_max_cost 0",
    "regcb": "--regcbopt --mellowness {mellowness} --cb_min_cost -1 --cb_max_cost 0",
    "cover": "--cover 4 --nounif --psi {psi}",
    "epsilon": "--epsilon {epsilon}",
}


class Vw:
    """One exploration algorithm with multi-task regression."""

    def __init__(self, algorithm, k, seed, rate, settings):
        explore = EXPLORE[algorithm].format(**settings)
        self.vw = Workspace(
            f"--cb_explore_adf {explore} --cb_type mtr -l {rate} -q sa --quiet --random_seed {seed + 1}"
        )
        self.classes = [f"|a i{a}" for a in range(k)]
        self.rng = np.random.default_rng([seed, 1])

    def choose(self, x):
        self.shared = "shared |s " + " ".join(f"{j}:{v:.6g}" for j, v in enumerate(x.tolist()) if v)
        lines = self.vw.parse([self.shared, *self.classes])
        p = np.maximum(self.vw.predict(lines), 0)
        self.vw.finish_example(lines)
        self.p = p / p.sum()
        return int(min((np.cumsum(self.p) <= self.rng.random()).sum(), len(p) - 1))

    def learn(self, x, chosen, reward):
        told = list(self.classes)
        told[chosen] = f"0:{-reward}:{self.p[chosen]:.6g} {told[chosen]}"
        lines = self.vw.parse([self.shared, *told])
        self.vw.learn(lines)
        self.vw.finish_example(lines)


def maker(algorithm):
    return lambda k, p, seed, rate, **settings: Vw(algorithm, k, seed, rate, settings)


if __name__ == "__main__":
    serve({algorithm: maker(algorithm) for algorithm in EXPLORE})
