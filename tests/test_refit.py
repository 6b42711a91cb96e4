"""A refit from an online log finds a known truth, needs its weights, narrows doubt, follows drift, and refuses bad logs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from copybandit.evaluation.feedback_logs import read_logs, write_items
from copybandit.evaluation.feedback_refit import refit_rounds
from copybandit.evaluation.stage_fit import FittedShop
from copybandit.evaluation.weekly_loop import agreement
from copybandit.sim.encoders import CharGrams
from copybandit.sim.exposures import Exposures
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.guarded import LOW, Guarded, lower_bound
from copybandit.sim.refit import SHARED, Refit, RefitSettings, believed, refit
from copybandit.sim.refit_log import stocks, weights_of
from copybandit.sim.schema import feedback_to_arrow, write_feedback, write_table
from copybandit.sim.support import ALPHA, Support
from copybandit.sim.synthetic import Rounds, at_day, log_rounds
from copybandit.sim.truth_drift import drifted
from copybandit.sim.types import DataError, Floats
from copybandit.sim.wording import LinearWording
from copybandit.sim.world import World
from tests.small_world import TEXTS_PER_PRODUCT, small_world

K = TEXTS_PER_PRODUCT


@dataclass(frozen=True, kw_only=True)
class Case:
    """What was believed, the truth, and a log of the truth under a policy that is not uniform."""

    before: World
    truth: World
    effects: Floats
    rounds: Rounds


@cache
def case(seed: int, n: int = 60_000, hidden: float = 0.0) -> Case:
    """Draw a truth from the belief, and a log from it.

    Args:
        seed: of everything.
        n: rows.
        hidden: log-odds per deviation of something that the policy sees of a visit and no model does: where it is high, the
            policy shows the longest copy.
    """
    shop, rng = small_world(), np.random.default_rng([seed, 7])
    encoder, mean, covariance = believed(shop.fitted.wording)
    effects = mean + np.linalg.cholesky(covariance) @ rng.standard_normal(len(mean))
    before = replace(
        shop.fitted, coefficients=replace(shop.fitted.coefficients, base=-3.2, b_match=0.3, fatigue=0.15)
    )
    truth = replace(
        before,
        wording=LinearWording(encoders=(encoder,), coefficients=(effects[None],)),
        coefficients=replace(before.coefficients, base=-3.0, b_match=0.45),
    )
    return Case(before=before, truth=truth, effects=effects, rounds=_log(truth, n, hidden, rng))


def _log(truth: World, n: int, hidden: float, rng: np.random.Generator) -> Rounds:
    shop = small_world()
    texts, product = tuple(shop.sample.texts), shop.sample.product
    block = np.arange(len(texts)).reshape(-1, K)
    length = np.log([len(text) for text in texts])[block]
    length = (length - length.mean(axis=1, keepdims=True)) / length.std(axis=1, keepdims=True)
    shopper = rng.integers(len(truth.taste.shoppers), size=n)
    item = rng.integers(len(block), size=n)
    seen = rng.standard_normal(n)
    leaning = (
        0.8 * rng.normal(size=block.shape)[item] + ((2.0 if hidden else 0.7) * seen)[:, None] * length[item]
    )
    probs = np.exp(leaning - leaning.max(axis=1, keepdims=True))
    probs = 0.15 / K + 0.85 * probs / probs.sum(axis=1, keepdims=True)
    action = np.minimum((np.cumsum(probs, axis=1) < rng.random((n, 1))).sum(axis=1), K - 1)
    position, shown = 1 + rng.integers(3, size=n), block[item, action]
    log = LoggedFeedback(
        timestamp=at_day(np.sort(rng.uniform(0, 7, n))),
        shopper=shopper,
        product=item,
        position=position,
        candidates=block[item].astype(np.int32),
        action_probs=probs,
        action=action,
        click=np.zeros(n),
        conversion=np.zeros(n),
        value=np.zeros(n),
        reward=np.zeros(n),
        policy="leaning",
    )
    fatigue = stocks(log, product, len(truth.taste.shoppers), truth.coefficients.fatigue_memory)
    terms = truth.terms(shopper, truth.encode(texts, product).take(shown), position=position, fatigue=fatigue)
    odds = terms.log_odds + hidden * seen
    click = (rng.random(n) < terms.examine / (1 + np.exp(-odds))).astype(np.float64)
    return Rounds(feedback=replace(log, click=click, reward=click), texts=texts, product=product)


@cache
def found(seed: int) -> Refit:
    one = case(seed)
    return refit(one.before, one.rounds, RefitSettings(match_sd=0.15), np.random.default_rng(seed))


def test_coefficients_are_recovered_within_three_standard_errors() -> None:
    scores = []
    for seed in range(4):
        one, told = case(seed), found(seed)
        error = np.sqrt(np.diag(told.covariance))
        scores.append((told.coefficients - one.effects) / error)
        for name, true in (("base", 0.2), ("b_match", 0.45)):
            shared = told.shared[SHARED.index(name)]
            assert abs(shared.value - true) < 3 * (shared.high - shared.low) / (2 * 1.96), name
    z = np.concatenate(scores)
    assert np.mean(np.abs(z) < 3) > 0.985 and 0.7 < float(np.mean(z**2)) < 1.4


def test_without_weights_what_the_policy_knew_passes_for_wording() -> None:
    """The policy shows long copy to visits that click anyway; the contrast is long against short copy of each product."""
    errors: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(3):
        one = case(seed, n=150_000, hidden=0.6)
        encoder, _, _ = believed(one.before.wording)
        texts, product = list(one.rounds.texts), one.rounds.product
        features = encoder.encode(texts) - encoder.encode(one.before.references)[product]
        length = np.array([len(text) for text in texts]).reshape(-1, K)
        rows = np.arange(len(texts)).reshape(-1, K)
        each = np.arange(len(rows))
        contrast = (features[rows[each, length.argmax(1)]] - features[rows[each, length.argmin(1)]]).mean(
            axis=0
        )
        for weighted in errors:
            settings = RefitSettings(weighted=weighted)
            told = refit(one.before, one.rounds, settings, np.random.default_rng(0))
            error = float(np.sqrt(contrast @ told.covariance @ contrast))
            errors[weighted].append(float(contrast @ (told.coefficients - one.effects)) / error)
    assert max(map(abs, errors[True])) < 3, errors
    assert min(errors[False]) > 3, errors


def test_doubt_narrows_and_clicks_are_foretold_better() -> None:
    one, told = case(0), found(0)
    texts, product = one.rounds.texts, one.rounds.product
    before, after = (
        world.encode(texts, product).wording.std(axis=0).mean() for world in (one.before, told.world)
    )
    assert after < 0.9 * before
    report = told.report
    assert report.after.log_loss < report.before.log_loss
    assert report.after.slope.low < 1 < report.after.slope.high
    assert report.n_held < report.n == 60_000 and report.weights.effective < report.n


def test_a_log_of_nothing_new_leaves_the_belief() -> None:
    one = case(1)
    few = replace(one.rounds, feedback=_rows(one.rounds.feedback, np.arange(40)))
    told = refit(one.before, few, RefitSettings(), np.random.default_rng(0))
    scores = [world.encode(few.texts, few.product).wording.mean(axis=0) for world in (one.before, told.world)]
    assert np.corrcoef(*scores)[0, 1] > 0.95


def _rows(log: LoggedFeedback, rows: np.ndarray) -> LoggedFeedback:
    arrays = {name: value[rows] for name, value in vars(log).items() if isinstance(value, np.ndarray)}
    return replace(log, **arrays)


def test_refits_follow_a_truth_that_drifts() -> None:
    shop, rng = small_world(), np.random.default_rng(3)
    truth, world = shop.gold, shop.fitted
    texts = tuple(shop.sample.texts)
    for week in range(4):
        truth = drifted(truth, 0.6, 0.1, rng)
        log = log_rounds(truth, texts, shop.sample.product, 20_000, 50 + week, rng)
        world = refit(world, log, RefitSettings(discount=0.5), rng).world
    now, first = (agreement(one, truth, shop.sample) for one in (world, shop.fitted))
    assert now > first + 0.2, (now, first)


def test_a_truth_that_stands_still_is_the_same_truth() -> None:
    shop = small_world()
    texts = shop.sample.texts[:20]
    same = drifted(shop.gold, 1.0, 0.0, np.random.default_rng(0))
    np.testing.assert_allclose(same.wording.members(texts), shop.gold.wording.members(texts), atol=1e-12)
    moved = drifted(shop.gold, 0.0, 0.3, np.random.default_rng(0))
    assert abs(agreement(moved, shop.gold, shop.sample)) < 0.95
    assert moved.coefficients.b_match != shop.gold.coefficients.b_match


def test_exposures_are_those_of_one_row_after_the_other() -> None:
    log = _rows(case(2).rounds.feedback, np.arange(800))
    log = replace(log, shopper=log.shopper % 7)
    product = case(2).rounds.product
    seen, expected = Exposures(7, product, 0.8), []
    for who, item in zip(log.shopper.tolist(), log.item_id.tolist(), strict=True):
        expected.append(seen.stock(np.array([who]), np.array([[item]]))[0, 0])
        seen.remember(np.array([who]), np.array([item]))
    np.testing.assert_allclose(stocks(log, product, 7, 0.8), expected)


def test_weights_undo_what_the_policy_knew() -> None:
    """Weighted, the share of every variant is its mean propensity, in any part of the rows that chance picks."""
    log = case(0, n=150_000, hidden=0.6).rounds.feedback
    weights = weights_of(log, 1e9)
    raw = weights.value * len(log) / weights.value.sum()
    mean = np.bincount(log.candidates.ravel(), log.action_probs.ravel()) / np.bincount(log.candidates.ravel())
    shown = np.bincount(log.item_id, raw)
    np.testing.assert_allclose(shown / (mean * np.bincount(log.candidates.ravel())), 1, atol=0.25)
    assert weights.value.sum() == pytest.approx(weights.effective)
    assert weights_of(log, 2.0).clipped == int((mean[log.item_id] / log.propensity > 2).sum())


def test_a_policy_that_treats_all_visits_alike_loses_no_rows() -> None:
    log = case(0).rounds.feedback
    alike = np.broadcast_to(np.linspace(1, 8, K) / 36, log.action_probs.shape)
    assert weights_of(replace(log, action_probs=alike), 20.0).effective == pytest.approx(len(log))


def test_a_policy_that_never_draws_is_refused() -> None:
    log = case(0).rounds.feedback
    sure = np.eye(K)[log.action]
    with pytest.raises(DataError, match="some propensity must be below 1, got 1 everywhere"):
        weights_of(replace(log, action_probs=sure), 20.0)


def saved(folder: Path, log: LoggedFeedback, texts: tuple[str, ...], product: np.ndarray) -> Path:
    folder.mkdir()
    write_feedback(log, folder / "log.parquet")
    write_items(folder, texts, product, small_world().products)
    return folder


def test_logs_in_files_are_one_log(tmp_path: Path) -> None:
    one = case(0)
    log, texts, product = one.rounds.feedback, one.rounds.texts, one.rounds.product
    ids = [item.product_id for item in small_world().products]
    early = saved(tmp_path / "early", _rows(log, np.arange(500)), texts, product)
    late = _rows(log, np.arange(500, 900))
    back = len(texts) - 1  # the other log numbers its items the other way round
    late = replace(late, candidates=(back - late.candidates).astype(np.int32), policy="other")
    turned = saved(tmp_path / "late", late, texts[::-1], product[::-1])
    read = read_logs([turned, early / "log.parquet"], ids)
    assert read.feedback.policy == "leaning+other" and len(read.feedback) == 900
    shown = [read.texts[item] for item in read.feedback.item_id.tolist()]
    assert shown == [texts[item] for item in log.item_id[:900].tolist()]
    np.testing.assert_array_equal(read.product[read.feedback.item_id], log.product[:900])


def test_a_folder_with_the_logs_of_several_policies_is_asked_which(tmp_path: Path) -> None:
    one, ids = case(0), [item.product_id for item in small_world().products]
    few = _rows(one.rounds.feedback, np.arange(50))
    folder = saved(tmp_path / "log", few, one.rounds.texts, one.rounds.product)
    (folder / "log.parquet").rename(folder / "log-leaning.parquet")
    assert len(read_logs([folder], ids).feedback) == 50
    write_feedback(few, folder / "log-uniform.parquet")
    with pytest.raises(
        DataError, match=r"one log, got log-leaning.parquet, log-uniform.parquet, .*; name one"
    ):
        read_logs([folder], ids)
    assert len(read_logs([folder / "log-uniform.parquet"], ids).feedback) == 50


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("action_probs", None, "column action_probs must not be null"),
        ("action_probs", [0.0] * 7 + [1.0], r"propensity must be in \(0, 1\], got 0.0"),
    ],
)
def test_a_log_without_propensities_is_refused(
    tmp_path: Path, column: str, value: list[float] | None, message: str
) -> None:
    one = case(0)
    log = _rows(one.rounds.feedback, np.flatnonzero(one.rounds.feedback.action < 7)[:50])
    folder = saved(tmp_path / "log", log, one.rounds.texts, one.rounds.product)
    table = feedback_to_arrow(log)
    place = table.schema.get_field_index(column)
    broken = pa.array([value] * len(log), table.schema.field(column).type)
    write_table(table.set_column(place, table.schema.field(column), broken), folder / "log.parquet")
    with pytest.raises(DataError, match=message):
        read_logs([folder], [item.product_id for item in small_world().products])


def test_a_shop_learns_from_a_file_and_its_ledger_says_so(tmp_path: Path) -> None:
    one, shop = case(0), small_world()
    label = np.arange(len(one.before.taste.shoppers)) % 3
    fitted = FittedShop(world=one.before, segments=(), label=label)
    few = _rows(one.rounds.feedback, np.arange(20_000))
    folder = saved(tmp_path / "log", few, one.rounds.texts, one.rounds.product)
    rounds = read_logs([folder], [one.product_id for one in shop.products])
    learned = refit_rounds(fitted, rounds, RefitSettings(), np.random.default_rng(0))
    again = refit_rounds(fitted, replace(one.rounds, feedback=few), RefitSettings(), np.random.default_rng(0))
    texts = list(one.rounds.texts[:5])
    np.testing.assert_allclose(learned.world.wording.members(texts), again.world.wording.members(texts))
    assert learned.doubt_after < learned.doubt_before
    assert [row.kind for row in learned.ledger] == ["fitted"] * (len(SHARED) + 1)
    assert "worth" in learned.ledger[0].source and learned.report()["rows"] == 20_000


@cache
def guard() -> Guarded:
    """The belief of `case`, guarded."""
    shop = small_world()
    support = Support.fit(shop.sample.texts, [CharGrams(size=128)], np.random.default_rng(0))
    inner = shop.fitted.wording
    ceiling = float(np.quantile(inner.members(shop.sample.texts).mean(axis=0), LOW))
    return Guarded(inner=inner, support=support, ceiling=ceiling)


def test_a_guarded_wording_is_refitted_inside_its_guard() -> None:
    one, told = case(0), found(0)
    world = replace(one.before, wording=guard())
    guarded = refit(world, one.rounds, RefitSettings(match_sd=0.15), np.random.default_rng(0)).world.wording
    assert isinstance(guarded, Guarded) and guarded.support is guard().support
    texts = list(one.rounds.texts)
    np.testing.assert_allclose(
        guarded.inner.members(texts[:9]), told.world.wording.members(texts[:9]), atol=1e-9
    )
    known = [*texts, *one.before.references]
    below = [
        float((wording.inner.members(known).mean(axis=0) < wording.ceiling).mean())
        for wording in (guard(), guarded)
    ]
    assert below[1] == pytest.approx(below[0], abs=0.1)
    odd = [text.upper() * 3 for text in texts[:20]]
    flagged = guarded.support.p_value(odd) < ALPHA
    assert flagged.any() and (lower_bound(guarded, odd)[flagged] <= guarded.ceiling + 1e-9).all()


def test_what_every_text_has_of_its_own_does_not_pass_for_what_they_share() -> None:
    """A truth with effects of single texts: coefficients that know of them are wrong by no more than they say."""
    sd = 0.5
    scores: dict[float, list[Floats]] = {0.0: [], sd: []}
    for seed in range(2):
        one, rng = case(seed), np.random.default_rng([seed, 9])
        log = one.rounds.feedback
        terms = one.truth.terms(
            log.shopper, one.truth.encode(one.rounds.texts, one.rounds.product).take(log.item_id),
            position=log.position,
        )  # fmt: skip
        odds = terms.log_odds + (sd * rng.standard_normal(len(one.rounds.texts)))[log.item_id]
        click = (rng.random(len(log)) < terms.examine / (1 + np.exp(-odds))).astype(np.float64)
        rested = replace(one.before, coefficients=replace(one.before.coefficients, fatigue=0.0))
        rounds = replace(one.rounds, feedback=replace(log, click=click, reward=click))
        for own in scores:
            world = replace(rested, wording=replace(guard(), own=own))
            told = refit(world, rounds, RefitSettings(), np.random.default_rng(seed))
            scores[own].append((told.coefficients - one.effects) / np.sqrt(np.diag(told.covariance)))
    blind, wise = (float(np.mean(np.concatenate(scores[own]) ** 2)) for own in (0.0, sd))
    assert wise < 1.4 and blind > 1.25 * wise, (blind, wise)


def test_another_kind_of_wording_is_refused() -> None:
    with pytest.raises(DataError, match="must be a linear ensemble, got Idiosyncratic"):
        believed(small_world().gold.wording)
    with pytest.raises(DataError, match="must be a linear ensemble, got Idiosyncratic"):
        believed(replace(guard(), inner=small_world().gold.wording))
