"""The Poisson regression over logged rounds, against a known truth and against the same regression written row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from copybandit.sim.encoders import Lsa, Style
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.rounds import (
    SHARED,
    RoundsFit,
    _climb,
    _Design,
    _newton,
    _start,
    fit_rounds,
    poisson_ridge,
)
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Floats
from copybandit.sim.world import World
from tests.small_world import small_world


@dataclass(frozen=True, kw_only=True)
class Known:
    """Rounds whose wording effects are linear in style, and what they are."""

    rounds: Rounds
    references: tuple[str, ...]
    style: Style
    effect: Floats
    fit: RoundsFit


TRUTH = (-3.0, 0.6, 0.4, 0.3)
"""base, position_eta, b_interest, b_match."""


@cache
def known(seed: int, shop_seed: int = 0) -> Known:
    """Draw clicks from the regression's own model."""
    shop = small_world(seed=shop_seed)
    rng = np.random.default_rng([seed, 5])
    style = Style.fit(shop.sample.texts)
    features = style.encode(shop.sample.texts) - style.encode(shop.references)[shop.sample.product]
    effect = rng.normal(size=style.dimension)
    effect *= 0.3 / (features @ effect).std()
    log, n = shop.rounds.feedback, len(shop.rounds.feedback)
    z, m = rng.normal(size=(2, n))
    appeal = 0.2 * rng.normal(size=len(shop.products))
    odds = TRUTH[0] - TRUTH[1] * np.log(log.position) + TRUTH[2] * z + TRUTH[3] * m
    odds += (features @ effect)[log.item_id] + appeal[log.product]
    click = np.minimum(rng.poisson(np.exp(odds)), 1).astype(np.float64)
    rounds = Rounds(feedback=_with_click(log, click), texts=shop.rounds.texts, product=shop.rounds.product)
    fit = fit_rounds(rounds, np.arange(n), z, m, shop.references, (style,), rng)
    return Known(rounds=rounds, references=shop.references, style=style, effect=effect, fit=fit)


def _with_click(log: LoggedFeedback, click: Floats) -> LoggedFeedback:
    return replace(log, click=click, reward=click)


@pytest.mark.parametrize("seed", range(3))
def test_shared_terms_are_within_three_standard_errors(seed: int) -> None:
    for name, found, true in zip(SHARED, known(seed).fit.shared, TRUTH, strict=True):
        error = (found.high - found.low) / (2 * 1.96)
        # Two clicks of one row count once, which pulls a click rate of 5-10% down by a few per cent.
        slack = 0.15 if name == "base" else 0.04
        assert abs(found.value - true) < 3 * error + slack, name


def test_the_ensemble_is_about_as_unsure_as_it_is_wrong() -> None:
    """On a mean over draws: one draw has 27 coefficients and some 900 clicks, and gives anything from 0.4 to 5.

    Over 60 draws of 12 shops the mean is 1.5 and the median 1.1: the mean of the ensemble is shrunk with caution, so it is
    somewhat more wrong than the doubt, which is sized without. With the doubt sized by caution, too, this mean is 2.8.
    """
    draws = [_standard_scores(known(seed, shop)) for shop in range(4) for seed in range(5)]
    ratios = [float(np.mean(scores**2)) for scores, _ in draws]
    assert 0.7 < np.mean(ratios) < 2.2 and 0.7 < np.median(ratios) < 1.7, ratios
    assert np.mean([alike for _, alike in draws]) > 0.75


def _standard_scores(case: Known) -> tuple[Floats, float]:
    """Error of the mean member over the members' spread, texts like the reference left out; and its correlation."""
    product, texts = case.rounds.product, list(case.rounds.texts)
    members = case.fit.wording.members(texts) - case.fit.wording.members(list(case.references))[:, product]
    features = case.style.encode(texts) - case.style.encode(case.references)[product]
    mean, spread, truth = members.mean(axis=0), members.std(axis=0), features @ case.effect
    told = spread > 1e-9
    return np.asarray((mean - truth)[told] / spread[told]), float(np.corrcoef(mean, truth)[0, 1])


def test_caution_shrinks_the_mean_and_not_the_doubt() -> None:
    fits = [known(seed, shop).fit for shop in range(4) for seed in range(5)]
    assert all(fit.effect_sd <= fit.doubt_sd for fit in fits) and any(
        fit.effect_sd < fit.doubt_sd for fit in fits
    )


def test_evidence_finds_the_size_of_the_effects() -> None:
    assert 0.15 <= known(0).fit.effect_sd <= 0.4
    assert known(0).fit.product_sd >= 0.15


def test_members_are_mirrored_at_the_posterior_mean() -> None:
    (block,) = known(0).fit.wording.coefficients
    half = len(block) // 2
    np.testing.assert_allclose(
        block[:half] + block[half:], np.tile(2 * block.mean(axis=0), (half, 1)), atol=1e-12
    )


def test_sums_by_text_give_the_regression_row_by_row() -> None:
    case, rng = known(0), np.random.default_rng(0)
    log, n = case.rounds.feedback, len(case.rounds.feedback)
    features = case.style.encode(case.rounds.texts)
    shared = np.stack([np.ones(n), rng.normal(size=n)], axis=1)
    design = _Design(
        shared=shared,
        click=log.click,
        text=log.item_id,
        features=features,
        product=case.rounds.product,
        n_products=len(case.references),
    )
    mode = _climb(design, _start(design), 0.2, 0.3)
    onehot = np.eye(len(case.references))[case.rounds.product][log.item_id]
    x = np.hstack([shared, features[log.item_id], onehot])
    d, p = features.shape[1], len(case.references)
    penalty = np.r_[np.full(2, 1e-4), np.full(d, 0.2**-2), np.full(p, 0.3**-2)]
    beta, error = poisson_ridge(x, log.click, np.ones(n), penalty, iterations=30)
    np.testing.assert_allclose(
        mode.beta[1:], beta[1 : 2 + d], atol=1e-4
    )  # the other leaves its intercept free
    found = np.sqrt(np.diag(np.linalg.inv(mode.information)))
    np.testing.assert_allclose(found, error[: 2 + d], rtol=1e-3)


def test_a_step_at_the_mode_goes_nowhere() -> None:
    world: World = small_world().fitted
    assert len(world.wording.members(["Meet the red mug."])) == 128
    case = known(1)
    n = len(case.rounds.feedback)
    design = _Design(
        shared=np.ones((n, 1)),
        click=case.rounds.feedback.click,
        text=case.rounds.feedback.item_id,
        features=Lsa.fit(case.rounds.texts, 8).encode(case.rounds.texts),
        product=case.rounds.product,
        n_products=len(case.references),
    )
    mode = _climb(design, _start(design), 0.2, 0.1)
    precision = np.r_[1e-4, np.full(design.features.shape[1], 0.2**-2)]
    _, moved = _newton(design, mode, precision, 0.1**-2)
    assert moved < 1e-6
