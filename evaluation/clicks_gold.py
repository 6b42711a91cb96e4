"""A second opinion on written headlines: another family of model, fitted to clicks of the judge part, which PPO never saw.

Random Fourier features of style under one ridge (`copybandit.sim.retail_gold.fit_gold_wording`), fitted twice, to each half
of the components; what was written for a lede is scored by the model of the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.clicks_data import News
from copybandit.sim.retail_gold import fit_gold_wording
from copybandit.sim.types import Floats, Ints
from copybandit.sim.wording import LinearWording


@dataclass(frozen=True, kw_only=True)
class GoldHeadlines:
    """Two models; component c is scored by `models[c % 2]`, which was fitted to the components of the other parity."""

    models: tuple[LinearWording, LinearWording]

    @classmethod
    def fit(cls, judge: News, rng: np.random.Generator) -> GoldHeadlines:
        """Fit to the judge part."""
        odd = judge.component % 2 == 1
        first, second = (fit_gold_wording(judge.tests.take(half).arms(), rng) for half in (odd, ~odd))
        return cls(models=(first, second))

    def score(self, texts: Sequence[str], component: Ints) -> Floats:
        """Log-odds of a click of each text beside others of its lede, shape (n,).

        Args:
            texts: n texts.
            component: shape (n,), that their ledes belong to.
        """
        both = np.stack([model.members(texts).mean(axis=0) for model in self.models])
        return np.asarray(both[component % 2, np.arange(len(texts))])


def cell_component(news: News) -> Ints:
    """Component of each prompt, shape (c,)."""
    return news.component[np.unique(news.cell, return_index=True)[1]]
