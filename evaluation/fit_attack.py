"""`copybandit fit --attack`: a guarded wording model fitted to A/B tests, attacked on the tests that are kept for the judge.

Nothing is fitted on the judged tests; the report also says what the guard costs human copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from copybandit.evaluation.attacks import AttackReport, attack_report
from copybandit.sim.additive_wording import fit_additive, usual_encoders
from copybandit.sim.encoders import Encoder, Joined
from copybandit.sim.guarded import Guarded, fit_guarded, lower_bound
from copybandit.sim.sentence import Sentence, has_minilm
from copybandit.sim.split import split_groups
from copybandit.sim.support import ALPHA, FOLDS
from copybandit.sim.types import Product
from copybandit.sim.upworthy import AbTests
from copybandit.sim.wording import Arms, Wording


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
    """A guarded model, the attacks on it, and what the guard costs; `encoder` is `minilm` or `lsa + style`."""

    model: Guarded
    encoder: str
    attacks: AttackReport
    cost: HumanCost


def attack_tests(
    tests: AbTests,
    seed: int,
    *,
    catalogue: Sequence[Product] = (),
    minilm: bool | None = None,
    rounds: int = FOLDS,
) -> FittedAttack:
    """Fit on the fit components of A/B tests, guard, attack on the judge components.

    Args:
        tests: the archive.
        seed: of split, fit and attacks.
        catalogue: products that the project's writers are searched for.
        minilm: read texts with MiniLM; None where it is installed.
        rounds: searches that the guard learns from.

    Raises:
        DataError: too few tests, or MiniLM is asked for and absent.
    """
    split = split_groups(tests.groups(), seed)
    fit, judge = tests.take(split.fit), tests.take(split.judge)
    rng = np.random.default_rng([seed, 12])
    sentence = Sentence.load() if (has_minilm() if minilm is None else minilm) else None
    encoders = usual_encoders(fit.text, sentence)
    plain = fit_additive(arms_of(fit), (sentence,) if sentence else encoders, rng).wording
    support: Encoder = sentence or Joined(encoders=encoders[1:])
    model = fit_guarded(plain, fit.text, support, rng, rounds, group=fit.components())
    attacks = attack_report(model, judge.text, rng, product=judge.test, catalogue=catalogue)
    return FittedAttack(
        model=model,
        encoder="minilm" if sentence else "lsa + style",
        attacks=attacks,
        cost=human_cost(model, judge),
    )


def arms_of(tests: AbTests) -> Arms:
    """A/B tests as arms; a group is one test with one image."""
    group = np.unique(np.stack([tests.test, tests.image]), axis=1, return_inverse=True)[1].ravel()
    return Arms(texts=tests.text, group=group, clicks=tests.clicks, impressions=tests.impressions)


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
