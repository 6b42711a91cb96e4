"""What a written headline earns: how much better it is put than the headlines people wrote for the same lede.

    reward = mean(d) - DOUBT * sd(d) - odd - REFUSED * refused,   d = w(text) - mean of w over the lede's own headlines
    odd = ODD * (share(p) + tanh(excess / WIDTHS))

in log-odds of a click, member by member of the wording ensemble w. The reference is a mean over
headlines whatever their clicks, so that a lede's subject cancels. The ensemble is fitted to clicks of the fit part alone.
`odd` is how unlike human headlines a text is by `copybandit.sim.support`: share grows from 0 to 1 as its p-value falls from
`SURE` to `ALPHA`, excess is how much odder it is than what is flagged, in widths. It is bounded: what a small writer writes
is odd all over, and a doubt without end leaves wording no say between two odd texts (short ones then earn most).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.agents.reward_seam import Reward
from copybandit.evaluation.clicks_data import News
from copybandit.evaluation.clicks_rules import NewsDesk
from copybandit.evaluation.fit_wording import AUTO, sentence_encoder
from copybandit.sim.additive_wording import fit_additive, usual_encoders
from copybandit.sim.copy_reward import DOUBT
from copybandit.sim.encoders import Encoder, Joined, Lsa, Style
from copybandit.sim.guarded import Guarded, fit_guarded
from copybandit.sim.store import load_record, record_classes, save_record
from copybandit.sim.support import ALPHA, SURE
from copybandit.sim.types import Floats, Ints

ROUNDS = 4
"""Searches for weak places that the guard learns from."""
PAIRS = 32
"""Half the members of the ensemble."""
REFUSED = 0.4
"""What the desk's refusal takes, in log-odds: more than wording can make up for. A floor under the reward would hide what
wording does wherever a small writer's copy lies below it, and make a refusal worth its while there."""
ODD, WIDTHS = 0.15, 3.0
"""Most that either part of oddness takes, in log-odds, and its scale in widths; human headlines of a lede differ by .09."""


@dataclass(frozen=True, kw_only=True)
class HeadlineModel:
    """A guarded wording model of headlines.

    Attributes:
        wording: the model.
        encoders: names of the encoders it reads with.
        seed: of the split and the fit.
        fitted_to: digest of the headlines it was fitted to.
    """

    wording: Guarded
    encoders: tuple[str, ...]
    seed: int
    fitted_to: str

    def save(self, path: Path) -> None:
        """Write PATH.json and PATH.safetensors."""
        save_record(path, self, record_classes(HeadlineModel))

    @classmethod
    def load(cls, path: Path) -> HeadlineModel:
        """Read what `save` wrote.

        Raises:
            DataError: the files are missing or hold something else.
        """
        return load_record(path, HeadlineModel, record_classes(HeadlineModel))


def fit_headlines(
    fit: News,
    seed: int,
    encoder: str = AUTO,
    rounds: int = ROUNDS,
    advance: Callable[[], None] = lambda: None,
) -> HeadlineModel:
    """Fit the model to the clicks of the fit part.

    Args:
        fit: the fit part.
        seed: of the split, and of the fit.
        encoder: `auto`, `none`, `minilm`, or the folder of a sentence-transformers model.
        rounds: searches that the guard learns from.
        advance: called after each of them.
    """
    arms, rng = fit.tests.arms(), np.random.default_rng([seed, 10])
    sentence = sentence_encoder(encoder)
    encoders = usual_encoders(arms.texts, sentence)
    found = fit_additive(arms, encoders, rng, pairs=PAIRS)
    plain: Encoder = Joined(encoders=(Style.fit(arms.texts), Lsa.fit(arms.texts, 64)))
    views = (plain,) if sentence is None else (sentence, plain)
    guarded = fit_guarded(found.wording, arms.texts, views, rng, rounds, group=fit.component, advance=advance)
    return HeadlineModel(
        wording=guarded,
        encoders=tuple(type(own).__name__ for own in encoders),
        seed=seed,
        fitted_to=fit.digest,
    )


class HeadlineReward:
    """Rewards headlines written for the prompts of one part.

    Args:
        model: fitted to the fit part.
        news: the part; its clicks are not looked at.
        desk: refuses and flags.
    """

    def __init__(self, model: HeadlineModel, news: News, desk: NewsDesk) -> None:
        self.wording, self.desk = model.wording, desk
        members = self.wording.inner.members(news.tests.text)
        count = np.bincount(news.cell, minlength=len(news.prompts))
        sums = [np.bincount(news.cell, row, minlength=len(news.prompts)) for row in members]
        self._reference: Floats = np.array(sums) / count

    def __call__(self, index: Ints, texts: list[str]) -> Reward:
        """Reward of each text for its prompt, index of shape (b,)."""
        gain, doubt, odd = self.gains(index, texts)
        refused = np.array([bool(self.desk.refusals(text)) for text in texts])
        return Reward(
            total=gain - DOUBT * doubt - odd - REFUSED * refused,
            components=(
                ("wording", gain),
                ("doubt", DOUBT * doubt),
                ("odd", odd),
                ("refused", refused.astype(np.float64)),
                ("copied", self.desk.copied(texts)),
            ),
        )

    def gains(self, index: Ints, texts: list[str]) -> tuple[Floats, Floats, Floats]:
        """Mean gain over the headlines of the lede, its deviation and what oddness takes, each (b,), in log-odds."""
        members = self.wording.inner.members(texts)
        difference = members - self._reference[:, index]
        support = self.wording.support
        odd = support.odd(texts)
        share = np.clip((SURE - support.p_value_of(odd)) / (SURE - ALPHA), 0, 1)
        taken = ODD * (share + np.tanh(support.excess_of(odd) / WIDTHS))
        return difference.mean(axis=0), difference.std(axis=0), taken
