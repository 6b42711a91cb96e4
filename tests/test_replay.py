"""The replay of headline tests: no fold learns from its own clicks, earnings are exact, and text pays where it tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.policies import Uniform
from copybandit.agents.rate_prior import RatePrior, fit_rate_prior
from copybandit.evaluation.replay_chart import save_replay
from copybandit.evaluation.replay_play import Make, earnings, play, seats_of, steps_to
from copybandit.evaluation.replay_policies import EPSILON, PLAYERS, ab_test, horizon_index, index_without_text
from copybandit.evaluation.replay_report import Standing, compare, report
from copybandit.evaluation.replay_tests import Contests, contests_of, shrunk_rates, table_of
from copybandit.sim.split import fold_groups
from copybandit.sim.types import DataError, Floats
from copybandit.sim.upworthy import AbTests, load_ab_tests
from tests.slices import write_upworthy

HORIZONS = (200, 1000)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> AbTests:
    return load_ab_tests(write_upworthy(tmp_path_factory.mktemp("archive") / "tests.csv.gz", n_tests=100))


@pytest.fixture(scope="module")
def replayed(archive: AbTests) -> Contests:
    return contests_of(archive, None, folds=3)


def world(slope: float, seed: int, groups: int = 300, arms: int = 4) -> Contests:
    """Contests that follow a prior; its three folds' priors are fitted to the others, as on real tests."""
    rng = np.random.default_rng(seed)
    truth = RatePrior(log_base=-4.3, spread=0.4, strength=12.0, slope=slope)
    score = 0.3 * rng.standard_normal((groups, arms))
    level = np.exp(truth.spread * rng.standard_normal((groups, 1)))
    ratio = rng.gamma(truth.strength, 1 / truth.strength, score.shape)
    rate = np.minimum(level * truth.rates(score) * ratio, 0.5)
    shown, fold = np.full(rate.shape, 50_000.0), np.arange(groups) % 3

    def fitted(use: Floats) -> tuple[RatePrior, ...]:
        rows = [fold != k for k in range(3)]
        return tuple(fit_rate_prior(use[r], (rate * shown)[r], shown[r], shown[r] > 0) for r in rows)

    return Contests(
        rate=rate.ravel(),
        group=np.repeat(np.arange(groups), arms),
        component=np.repeat(np.arange(groups), arms),
        fold=np.repeat(fold, arms),
        score=score.ravel(),
        priors=fitted(score),
        plain=fitted(0 * score),
    )


def gain(contests: Contests, one: Make, other: Make) -> tuple[float, float]:
    """Relative gain in clicks of one policy over another at 500 impressions, and its standard error over contests."""
    mine, theirs = (
        earnings(make, contests, (500,), planned=True, replays=3, seed=1)[0] for make in (one, other)
    )
    difference = (mine - theirs) / theirs.mean()
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def test_text_that_tells_something_pays_and_text_that_tells_nothing_costs_nothing() -> None:
    paid, error = gain(world(1.0, 0), horizon_index, index_without_text)
    assert paid > 0.04 and paid > 3 * error
    noise = world(0.0, 1)
    assert max(abs(prior.slope) for prior in noise.priors) < 0.12
    lost, error = gain(noise, horizon_index, index_without_text)
    assert abs(lost) < 3 * error and error < 0.01


def test_ours_beats_the_ab_test_where_the_prior_is_true() -> None:
    won, error = gain(world(1.0, 2), horizon_index, ab_test)
    assert won > 0.05 and won > 3 * error


def test_no_score_or_prior_of_a_fold_depends_on_its_own_clicks(archive: AbTests, replayed: Contests) -> None:
    cell = archive.arms().group
    kept = archive.take(np.bincount(cell)[cell] > 1)
    fold = fold_groups(kept.groups(), 0, 3)
    np.testing.assert_array_equal(fold, replayed.fold)
    assert all(len(np.unique(fold[replayed.component == c])) == 1 for c in np.unique(replayed.component))
    clicks = np.where(fold == 1, (kept.impressions - kept.clicks) // 2, kept.clicks)
    other = contests_of(replace(kept, clicks=clicks), None, folds=3)
    np.testing.assert_array_equal(other.score[fold == 1], replayed.score[fold == 1])
    assert other.priors[1] == replayed.priors[1] and other.plain[1] == replayed.plain[1]
    assert not np.array_equal(other.score[fold == 0], replayed.score[fold == 0])
    assert other.priors[0] != replayed.priors[0]


def test_an_even_split_earns_the_mean_rate_and_a_share_of_it_in_every_horizon(replayed: Contests) -> None:
    earned = earnings(lambda seats, horizon: Uniform(), replayed, HORIZONS, planned=False, replays=2, seed=0)
    np.testing.assert_allclose(earned, np.stack([replayed.usual, replayed.usual]))


def test_a_policy_that_never_learns_earns_what_its_probabilities_say(replayed: Contests) -> None:
    favourite = next(p for p in PLAYERS if p.name == "text_favourite")
    earned = earnings(favourite.make, replayed, HORIZONS, planned=False, replays=1, seed=0)
    table = table_of(replayed.group)
    score = np.where(table >= 0, replayed.score[table], -np.inf)
    picked = replayed.rate[table[np.arange(len(table)), score.argmax(axis=1)]]
    alone = (np.isclose(score, score.max(axis=1, keepdims=True), rtol=0, atol=1e-9)).sum(axis=1) == 1
    expected = (1 - EPSILON) * picked + EPSILON * replayed.usual
    np.testing.assert_allclose(earned[0][alone], expected[alone])
    assert alone.mean() > 0.9


def test_every_arm_has_one_seat_in_each_replay_and_every_contest_comes_up(replayed: Contests) -> None:
    seats = list(seats_of(replayed, 2))
    assert sum(len(one.row) for one in seats) == 2 * len(replayed.rate)
    came = np.bincount(np.concatenate([one.contest for one in seats]), minlength=len(replayed))
    assert (came == 2).all()
    for one in seats:
        assert (one.rate[one.row, one.column] > 0).any()
        assert np.isclose(one.rate.sum(), one.rate[one.row, one.column].sum())


def test_steps_end_at_horizons_and_where_an_ab_test_does() -> None:
    ends = steps_to((500, 2000, 8000))
    assert {150, 500, 600, 2000, 2400, 8000} <= set(ends) and ends == sorted(set(ends))
    assert max(np.diff([0, *ends])) <= 200 and ends[0] == 10
    seats = next(seats_of(world(1.0, 3, groups=30), 1))
    for wrong in ((), (4,), (500, 500), (2000, 500)):
        with pytest.raises(DataError, match="horizons must rise"):
            play(ab_test, seats, wrong, np.random.default_rng(0))


def test_shrunk_rates_keep_the_level_and_spread_less(archive: AbTests) -> None:
    cell = archive.arms().group
    tests = archive.take(np.bincount(cell)[cell] > 1)
    group = np.unique(tests.arms().group, return_inverse=True)[1]
    rate, raw = shrunk_rates(tests, group), (tests.clicks + 0.5) / (tests.impressions + 1)
    size = np.bincount(group)

    def means(values: Floats) -> Floats:
        return np.asarray(np.bincount(group, values) / size)

    np.testing.assert_allclose(means(np.log(rate)), means(np.log(raw)))
    spread = [np.log(values) - means(np.log(values))[group] for values in (rate, raw)]
    assert 0.6 < spread[0].std() / spread[1].std() < 0.95


def test_the_report_has_every_policy_and_ours_over_the_best_peer(replayed: Contests, tmp_path: Path) -> None:
    standings = tuple(
        Standing(
            player=player,
            earned=earnings(player.make, replayed, HORIZONS, planned=player.planned, replays=1, seed=0),
            seconds=0.0,
        )
        for player in PLAYERS
    )
    half = replayed.home % 2 == 0
    told = report(replayed, standings, HORIZONS, half)
    ours, peers = told["ours"], told["peers"]
    assert isinstance(ours, dict) and isinstance(peers, dict)
    for horizon in HORIZONS:
        best = max(peer[f"lift_{horizon}"] for peer in peers.values())
        assert ours[f"gain_{horizon}"] == pytest.approx((1 + ours[f"lift_{horizon}"]) / (1 + best) - 1)
        for key in ("lift", "gain"):
            low, high = ours[f"{key}_{horizon}_ci_low"], ours[f"{key}_{horizon}_ci_high"]
            assert low < ours[f"{key}_{horizon}"] < high
    every = np.ones(len(replayed), dtype=np.bool_)
    itself = compare(replayed, replayed.usual, replayed.usual, every)
    assert itself.value == itself.ci_low == itself.ci_high == 0
    save_replay(replayed, standings, HORIZONS, tmp_path / "replay.png")
    assert (tmp_path / "replay.png").read_bytes().startswith(b"\x89PNG")


def test_too_few_tests_or_folds_are_refused(archive: AbTests) -> None:
    with pytest.raises(DataError, match="at least 3"):
        contests_of(archive, None, folds=2)
    with pytest.raises(DataError, match="every fold needs contests"):
        contests_of(archive.take(archive.test < 6), None, folds=60)
