"""`copybandit fit --attack`: a guarded wording model fitted to A/B tests, attacked on the tests that are kept for the judge.

Nothing is fitted on the judged tests; the report also says what the guard costs human copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from copybandit.evaluation.attacks import AttackReport, attack_report
from copybandit.evaluation.fit_wording import FittedWording
from copybandit.generators.smollm2 import converted_folder, has_smollm2
from copybandit.sim.encoders import Encoder, Joined, Lsa, Style
from copybandit.sim.guarded import Guarded, fit_guarded, lower_bound
from copybandit.sim.reader import Reader
from copybandit.sim.sentence import Sentence
from copybandit.sim.split import split_groups
from copybandit.sim.support import ALPHA, FOLDS
from copybandit.sim.types import Product
from copybandit.sim.upworthy import AbTests
from copybandit.sim.wording import Wording


@dataclass(frozen=True, kw_only=True)
class HumanCost:
    """What the guard costs human copy that nothing was fitted on.

    Attributes:
        flagged: share of different texts whose p-value is below alpha.
        alpha: the share that is promised at most, up to sampling error.
        rank_correlation: Spearman's, of lower bounds with and without the guard.
        pair_accuracy, pair_accuracy_unguarded: share of compared pairs that the lower bound orders as the clicks did.
        n: different texts.
    """

    flagged: float
    alpha: float
    rank_correlation: float
    pair_accuracy: float
    pair_accuracy_unguarded: float
    n: int


@dataclass(frozen=True, kw_only=True)
class FittedAttack:
    """A guarded model, the attacks on it, and what the guard costs; `readers` name what reads texts for the guard."""

    model: Guarded
    readers: tuple[str, ...]
    attacks: AttackReport
    cost: HumanCost


def attack_wording(
    wording: FittedWording,
    tests: AbTests,
    seed: int,
    *,
    catalogue: Sequence[Product] = (),
    rounds: int = FOLDS,
    advance: Callable[[], None] = lambda: None,
) -> FittedAttack:
    """Guard a wording model with the fit components of A/B tests, attack it on the judge components.

    A text is read for the guard by the model's sentence encoder and, where it is installed, by SmolLM2; by style and words
    alone where the model has no sentence encoder.

    Args:
        wording: fitted to the same components with the same seed.
        tests: the archive.
        seed: of split, guard and attacks.
        catalogue: products that the project's writers are searched for.
        rounds: searches that the guard learns from.
        advance: called after each of these searches, and when the attacks are done.
    """
    split = split_groups(tests.groups(), seed)
    fit, judge = tests.take(split.fit), tests.take(split.judge)
    rng = np.random.default_rng([seed, 12])
    views = _views(wording.sentence, fit.text)
    model = fit_guarded(
        wording.model,
        fit.text,
        [view for _, view in views],
        rng,
        rounds,
        group=fit.components(),
        own=wording.report.own_sd,
        advance=advance,
    )
    attacks = attack_report(model, judge.text, rng, product=judge.test, catalogue=catalogue)
    advance()
    return FittedAttack(
        model=model,
        readers=tuple(name for name, _ in views),
        attacks=attacks,
        cost=human_cost(model, judge),
    )


def _views(sentence: Sentence | None, texts: Sequence[str]) -> list[tuple[str, Encoder]]:
    if sentence is None:
        return [("style and words", Joined(encoders=(Style.fit(texts), Lsa.fit(texts, 64))))]
    views: list[tuple[str, Encoder]] = [(sentence.name, sentence)]
    return [*views, ("smollm2", Reader.load(converted_folder()))] if has_smollm2() else views


def human_cost(model: Guarded, tests: AbTests) -> HumanCost:
    """Compare lower bounds with and without the guard on tests that were not fitted on."""
    texts = list(dict.fromkeys(tests.text))
    guarded, plain = (lower_bound(wording, texts) for wording in (model, model.inner))
    return HumanCost(
        flagged=float((model.support.p_value(texts) < ALPHA).mean()),
        alpha=ALPHA,
        rank_correlation=float(spearmanr(guarded, plain).statistic),
        pair_accuracy=_pair_accuracy(model, tests),
        pair_accuracy_unguarded=_pair_accuracy(model.inner, tests),
        n=len(texts),
    )


def _pair_accuracy(wording: Wording, tests: AbTests) -> float:
    pairs, bound = tests.pairs(), lower_bound(wording, tests.text)
    right = np.sign(bound[pairs.left] - bound[pairs.right]) * np.sign(pairs.z)
    return float((right + 1).mean() / 2) if len(pairs) else float("nan")
