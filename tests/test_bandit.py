"""The loop in a small real shop: who learns, what is logged, and what the log says of another policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from copybandit.agents.bandit import EPOCH, BanditRun, Response, Visits, batch_of, run_bandit
from copybandit.agents.bandit_run import concat
from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.policies import BetaThompson, ExploreThenCommit, LinUCB, PriorGreedy, Uniform
from copybandit.agents.reward_formula import RewardFormula, RewardTerm
from copybandit.agents.season_reward import EVENTS, SeasonReward
from copybandit.evaluation.ope_crossfit import cross_fit_scale
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import USUAL
from copybandit.evaluation.ope_rows import rows_of_log
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats, Ints

N, DAYS, BATCH = 20_000, 7, 250


class LogOddsShop:
    """40 products with up to 5 variants; the truth is a sum of log-odds, the warm start knows half.

    log-odds = base + shopper + wording(variant) - fatigue * exposures(shopper, variant). Wording is linear in
    4 features plus noise; the warm start has the wrong coefficients on two of them.
    """

    products, width, n_features, n_shoppers, promise = 40, 5, 4, 800, 2.0

    def __init__(self, seed: int, *, fatigue: float = 0.0, spread: float = 0.5) -> None:
        world = np.random.default_rng([seed, 0])
        self._traffic = np.random.default_rng([seed, 1])
        self._clicks = np.random.default_rng([seed, 2])
        m = self.products * self.width
        self.actions: Floats = world.normal(size=(m, self.n_features))
        self._wording = spread * (
            self.actions @ np.array([0.7, 0.4, -0.5, 0.3]) + world.normal(scale=0.2, size=m)
        )
        self._believed = spread * (self.actions @ np.array([0.7, 0.0, 0.3, 0.3]))
        self._taste = world.normal(scale=0.4, size=self.n_shoppers)
        self._exposures: Floats = np.zeros((self.n_shoppers, m))
        self._fatigue = fatigue
        self._served = 0
        self.seen: list[Visits] = []

    @property
    def prior(self) -> Floats:
        """Warm-start mean of each variant, shape (m,)."""
        return sigmoid(-2.6 + self._believed)

    def visits(self, step: int, size: int) -> Visits:
        product = self._traffic.integers(self.products, size=size)
        shopper = self._traffic.integers(self.n_shoppers, size=size)
        candidates = (product[:, None] * self.width + np.arange(self.width)).astype(np.int32)
        candidates[product % 3 == 0, -1] = ABSENT  # every third product has one variant less
        stock = self._exposures[shopper[:, None], candidates]
        prior = sigmoid(-2.6 + self._taste[shopper][:, None] + self._believed[candidates])
        time = DAYS * (self._served + np.arange(size)) / N
        self._served += size
        visits = Visits(
            shopper=shopper,
            product=product,
            position=np.ones(size, dtype=np.int64),
            time=time,
            candidates=candidates,
            context=self._taste[shopper][:, None],
            state=np.stack([prior, stock], axis=2),
        )
        self.seen.append(visits)
        return visits

    def expected_click(self, visits: Visits) -> Floats:
        stock = self._exposures[visits.shopper[:, None], visits.candidates]
        wording = self._wording[visits.candidates]
        return sigmoid(-2.6 + self._taste[visits.shopper][:, None] + wording - self._fatigue * stock)

    @property
    def price(self) -> Floats:
        return 1.0 + np.arange(self.products, dtype=np.float64)

    def purchase(self, visits: Visits) -> Floats:
        """Copy that is clicked disappoints."""
        return np.asarray(sigmoid(-1.0 - self.promise * self._wording[visits.candidates]))

    def believed_purchase(self, visits: Visits) -> Floats:
        return np.full(visits.candidates.shape, 0.25)

    def respond(self, visits: Visits, column: Ints) -> Response:
        rows = np.arange(len(column))
        click = (self._clicks.random(len(column)) < self.expected_click(visits)[rows, column]).astype(float)
        np.add.at(self._exposures, (visits.shopper, visits.candidates[rows, column]), 1.0)
        conversion = click * (self._clicks.random(len(column)) < self.purchase(visits)[rows, column])
        return Response(click=click, conversion=conversion, value=self.price[visits.product] * conversion)


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


MAKE: dict[str, Callable[[LogOddsShop], Learner]] = {
    "uniform": lambda shop: Uniform(),
    "prior_greedy": lambda shop: PriorGreedy(),
    "explore_then_commit": lambda shop: ExploreThenCommit(n_actions=len(shop.actions), explore=150),
    "thompson": lambda shop: BetaThompson(shop.prior, strength=100),
    "linucb": lambda shop: LinUCB(n_actions=len(shop.actions), n_features=shop.n_features, ridge=20),
}


def play(name: str, seed: int = 0, n: int = N, fatigue: float = 0.0) -> BanditRun:
    shop = LogOddsShop(seed, fatigue=fatigue)
    rng = np.random.default_rng([seed, 3])
    return run_bandit(MAKE[name](shop), shop, n_impressions=n, batch_size=BATCH, rng=rng)


@pytest.fixture(scope="module")
def runs() -> dict[str, BanditRun]:
    return {name: play(name) for name in MAKE}


def test_linucb_closes_most_of_the_gap(runs: dict[str, BanditRun]) -> None:
    closed = {name: run.gap_closed() for name, run in runs.items()}
    assert abs(closed["uniform"]) < 0.03
    assert closed["linucb"] > 0.75
    assert closed["linucb"] > closed["prior_greedy"] + 0.2
    assert closed["linucb"] > closed["thompson"] > closed["explore_then_commit"] > closed["uniform"]
    assert runs["linucb"].gap_closed_day(7) > 0.8


def test_learners_get_better_and_uniform_does_not(runs: dict[str, BanditRun]) -> None:
    # LinUCB learns the shared coefficients within the first day, so little is left to gain.
    for name, gain in (("explore_then_commit", 0.2), ("thompson", 0.1), ("linucb", 0.0)):
        assert runs[name].gap_closed_day(7) > runs[name].gap_closed_day(1) + gain
    regret = {name: run.regret_curve().regret[-1] for name, run in runs.items()}
    assert regret["linucb"] < 0.35 * regret["uniform"]


def test_records_agree_with_each_other(runs: dict[str, BanditRun]) -> None:
    run = runs["linucb"]
    rows, shown = np.arange(N), run.log.action
    np.testing.assert_array_equal(run.expected, run.truth[rows, shown])
    assert (run.oracle >= run.expected).all()
    assert (run.oracle >= run.uniform).all()
    assert (run.truth[run.log.candidates == ABSENT] == 0).all()
    assert (run.log.candidates[rows, shown] != ABSENT).all()
    assert abs(run.ctr() - run.expected.mean()) < 4 * np.sqrt(run.expected.mean() / N)
    assert run.policy_value(run.log.action_probs) == pytest.approx(run.expected.mean(), abs=0.002)
    assert run.log.policy == run.policy == "linucb"


def test_days_and_curves_add_up(runs: dict[str, BanditRun]) -> None:
    run = runs["thompson"]
    daily = run.daily()
    assert daily.day.tolist() == list(range(1, DAYS + 1))
    assert daily.impressions.sum() == N
    assert (daily.ctr * daily.impressions).sum() == pytest.approx(run.log.click.sum())
    assert daily.gap_closed[2] == pytest.approx(run.gap_closed_day(3))
    curve = run.regret_curve(points=50)
    assert len(curve.regret) == 50
    assert curve.impressions[-1] == N
    assert (np.diff(curve.regret) >= 0).all()
    assert curve.regret[-1] == pytest.approx((run.oracle - run.expected).sum())
    assert run.log.timestamp[0] == EPOCH
    assert run.log.timestamp.dtype == np.dtype("datetime64[us]")
    assert (np.diff(run.log.timestamp) > np.timedelta64(0)).all()
    with pytest.raises(DataError, match=r"day must be one of \[1, 2, 3, 4, 5, 6, 7\], got 8"):
        run.gap_closed_day(8)


def as_bytes(record: BanditRun | LoggedFeedback) -> bytes:
    """All fields of a record, one after the other."""
    parts = []
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, LoggedFeedback):
            parts.append(as_bytes(value))
        else:
            parts.append(value.tobytes() if isinstance(value, np.ndarray) else str(value).encode())
    return b"\0".join(parts)


@pytest.mark.parametrize("name", MAKE)
def test_same_seed_same_log_byte_for_byte(name: str) -> None:
    first, second = play(name, n=2000, fatigue=0.2), play(name, n=2000, fatigue=0.2)
    assert as_bytes(first) == as_bytes(second)
    assert as_bytes(first) != as_bytes(play(name, seed=1, n=2000, fatigue=0.2))


@pytest.mark.parametrize("name", MAKE)
def test_replaying_the_logging_policy_gives_weight_one_everywhere(name: str) -> None:
    shop = LogOddsShop(5, fatigue=0.1)
    run = run_bandit(
        MAKE[name](shop), shop, n_impressions=3100, batch_size=BATCH, rng=np.random.default_rng(0)
    )
    again, target, start = MAKE[name](shop), [], 0
    for visits in shop.seen:
        rows = slice(start, start + len(visits.time))
        batch = batch_of(visits, shop.actions)
        target.append(again.action_probs(batch, np.random.default_rng(1)))
        again.update(batch, run.log.action[rows], run.log.reward[rows], np.ones(len(batch)))
        start = rows.stop
    replayed = np.concatenate(target)
    np.testing.assert_array_equal(replayed, run.log.action_probs)
    ips, snips, _, _ = evaluate(rows_of_log(run.log, replayed, cross_fit_scale(run.prior, run.log)), USUAL)
    assert ips.value == snips.value == run.log.reward.mean()
    assert ips.weight_sum_over_n == ips.max_weight == 1.0
    assert ips.ess == len(run.log)
    assert ips.warnings == ()


@pytest.mark.parametrize("fatigue", [0.0, 0.15])
@pytest.mark.parametrize("logging", ["uniform", "linucb", "thompson"])
def test_ips_and_dr_from_a_bandit_log_cover_the_truth(logging: str, fatigue: float) -> None:
    shop = LogOddsShop(11, fatigue=fatigue)
    m = len(shop.actions)
    policies: dict[str, Learner] = {
        "uniform": Uniform(),
        "linucb": LinUCB(n_actions=m, n_features=shop.n_features, epsilon=0.3),
        "thompson": BetaThompson(shop.prior, strength=100, epsilon=0.3),
    }
    policy = policies[logging]
    run = run_bandit(policy, shop, n_impressions=N, batch_size=BATCH, rng=np.random.default_rng(12))
    target = PriorGreedy().action_probs(run.batch(), np.random.default_rng(0))
    truth = run.policy_value(target)
    ips, snips, _, dr = evaluate(rows_of_log(run.log, target, cross_fit_scale(run.prior, run.log)), USUAL)
    for estimate in (ips, snips, dr):
        assert abs(estimate.value - truth) < 3 * estimate.std_err, estimate
        assert estimate.warnings == ()
    assert dr.std_err < ips.std_err


class Diary:
    """A real uniform policy that keeps what it is told."""

    name = "diary"

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.told: list[Floats] = []

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        self.asked.append(len(self.told))
        return Uniform().action_probs(batch, rng)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        assert (weight == 1).all()
        self.told.append(reward)


@pytest.mark.parametrize("kind", EVENTS)
def test_feedback_comes_after_each_batch_and_is_the_reward_asked_for(kind: str) -> None:
    diary, shop = Diary(), LogOddsShop(2)
    steps: list[tuple[int, int]] = []
    formula = RewardFormula(terms=(RewardTerm(kind=kind, weight=1.0),))
    run = run_bandit(
        diary,
        shop,
        n_impressions=600,
        batch_size=250,
        rng=np.random.default_rng(0),
        reward=SeasonReward(formula=formula, till=shop),
        on_step=lambda done, total: steps.append((done, total)),
    )
    assert diary.asked == [0, 1, 2]
    assert [len(told) for told in diary.told] == [250, 250, 100]
    assert steps == [(250, 600), (500, 600), (600, 600)]
    told, log = np.concatenate(diary.told), run.log
    happened = {"click": log.click, "purchase": log.conversion, "revenue": log.value}[kind]
    np.testing.assert_array_equal(log.reward, happened)
    np.testing.assert_array_equal(told, log.click if kind == "click" else log.conversion)
    np.testing.assert_array_equal(run.most, shop.price[log.product] if kind == "revenue" else np.ones(600))


def test_gap_is_undefined_where_all_variants_are_equal() -> None:
    shop = LogOddsShop(0, spread=0.0)
    run = run_bandit(Uniform(), shop, n_impressions=50, rng=np.random.default_rng(0))
    flat = replace(run, oracle=run.uniform)
    assert np.isnan(flat.gap_closed())


def test_sizes_below_one_are_refused() -> None:
    for n, size in ((0, 5), (5, 0)):
        with pytest.raises(DataError, match="at least 1"):
            run_bandit(
                Uniform(), LogOddsShop(0), n_impressions=n, batch_size=size, rng=np.random.default_rng(0)
            )
    none: list[BanditRun] = []
    with pytest.raises(DataError, match="at least one part"):
        concat(none)
