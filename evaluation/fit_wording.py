"""The wording part of `copybandit fit`: a sum over encoders, fitted to A/B tests and judged on tests it has not seen.

Every report says what the model owes to length, because longer headlines win on the archive it is usually fitted to; with
`length` off, what length says within tests is taken out of every feature before the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.additive_wording import fit_additive, usual_encoders
from copybandit.sim.sentence import MINILM, Sentence, has_minilm
from copybandit.sim.split import split_groups
from copybandit.sim.types import Floats, Ints
from copybandit.sim.upworthy import AbTests
from copybandit.sim.wording import Arms, LinearWording, PairReport, centred, judge_wording

AUTO, NONE = "auto", "none"
"""Read with MiniLM where it is installed; read with no sentence encoder."""
ALIKE = 0.1
"""Pairs whose log lengths differ by at most this are matched in length."""


@dataclass(frozen=True, kw_only=True)
class WordingReport:
    """A wording model on tests that it has not seen.

    Attributes:
        encoders: name of each block of features.
        effect_sd: of each block, standard deviation of its part over texts, in log CTR.
        own_sd: of what no encoder sees, in log CTR.
        pairs: how it orders pairs, and its calibration.
        favourite_gain: click rate of its favourite in each test over that of a random pick, minus 1.
        equal_length_accuracy: share of pairs as long as each other ordered rightly; nan without any.
        correlation_with_length: of its scores with log length, within tests.
        length_allowed: whether length may speak.
    """

    encoders: tuple[str, ...]
    effect_sd: tuple[float, ...]
    own_sd: float
    pairs: PairReport
    favourite_gain: float
    equal_length_accuracy: float
    correlation_with_length: float
    length_allowed: bool


@dataclass(frozen=True, kw_only=True)
class FittedWording:
    """A wording model, the sentence encoder among its encoders, and how it ranks held-out tests."""

    model: LinearWording
    sentence: Sentence | None
    report: WordingReport


def fit_tests(tests: AbTests, seed: int, encoder: str = AUTO, *, length: bool = True) -> FittedWording:
    """Fit to the fit components of A/B tests and judge on the judge components.

    Args:
        tests: the archive.
        seed: of split and fit.
        encoder: `auto`, `none`, `minilm`, or the folder of a sentence-transformers model.
        length: whether length may speak.

    Raises:
        DataError: no test of two arms is left to fit to, or the encoder is not there.
    """
    split = split_groups(tests.groups(), seed)
    arms, held = tests.take(split.fit).arms(), tests.take(split.judge)
    sentence = sentence_encoder(encoder)
    encoders = usual_encoders(arms.texts, sentence)
    found = fit_additive(arms, encoders, np.random.default_rng([seed, 10]), without_length=not length)
    score = found.wording.members(held.text).mean(axis=0)
    return FittedWording(
        model=found.wording,
        sentence=sentence,
        report=WordingReport(
            encoders=tuple(type(own).__name__ for own in encoders),
            effect_sd=found.effect_sd,
            own_sd=found.own_sd,
            pairs=judge_tests(score, held),
            favourite_gain=favourite_gain(score, held.arms()),
            equal_length_accuracy=_equal_length_accuracy(score, held),
            correlation_with_length=_with_length(score, held.arms()),
            length_allowed=length,
        ),
    )


def sentence_encoder(name: str) -> Sentence | None:
    """The sentence encoder of that name; none for `none`, and for `auto` where MiniLM is not installed.

    Raises:
        DataError: it is not there.
    """
    if name == NONE or (name == AUTO and not has_minilm()):
        return None
    return Sentence.load(MINILM if name == AUTO else name)


def favourite_gain(score: Floats, arms: Arms) -> float:
    """Click rate of the arm of the highest score in each group over that of a random pick, minus 1.

    Args:
        score: shape (n,).
        arms: n arms; groups of one are left out.
    """
    code: Ints = np.unique(arms.group, return_inverse=True)[1]
    rate, size = np.asarray(arms.clicks) / np.asarray(arms.impressions), np.bincount(code)
    order = np.lexsort((-np.round(score, 12), code))
    favourite = order[np.unique(code[order], return_index=True)[1]]
    several = size > 1
    usual = np.bincount(code, rate) / size
    return float(rate[favourite][several].sum() / usual[several].sum() - 1)


def judge_tests(score: Floats, tests: AbTests) -> PairReport:
    """How scores of shape (n,) order the n arms of A/B tests that the model has not seen."""
    pairs = tests.pairs()
    return judge_wording(score, tests.arms(), pairs.left, pairs.right, pairs.z)


def _equal_length_accuracy(score: Floats, tests: AbTests) -> float:
    pairs, length = tests.pairs(), _log_length(tests.text)
    alike = np.abs(length[pairs.left] - length[pairs.right]) <= ALIKE
    right = 0.5 + 0.5 * np.sign((score[pairs.left] - score[pairs.right]) * pairs.z)
    return float(right[alike].mean()) if alike.any() else float("nan")


def _with_length(score: Floats, arms: Arms) -> float:
    even = np.ones(len(score))
    a, b = (centred(value, arms.group, even) for value in (score, _log_length(arms.texts)))
    return float(a @ b / np.maximum(np.sqrt((a @ a) * (b @ b)), 1e-12))


def _log_length(texts: Sequence[str]) -> Floats:
    return np.log([len(text) for text in texts])
