"""Contenders in the same seasons: same shoppers, same luck, the truth of what was shown, frozen policies stay so."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs

from copybandit.agents.bandit import BanditRun
from copybandit.agents.policies import BetaThompson, PriorGreedy, Uniform
from copybandit.agents.stateful import Lasting
from copybandit.agents.windowed import Windowed
from copybandit.evaluation.season_looks import Looking
from copybandit.evaluation.season_trial import WORTH, Contender, Player, Seasons, play_one, play_seasons
from copybandit.evaluation.settings import BanditSettings, RewardSettings
from copybandit.sim.shop import Shop
from copybandit.sim.types import DataError
from tests.small_world import small_shop, small_world

OPTIONS = BanditSettings(n_impressions=1500, batch_size=100, n_products=20)
SEEDS = (11, 12)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return small_shop(small_world(), n_impressions=OPTIONS.n_impressions)


def contender(shop: Shop, policy: Lasting, *, learns: bool = False, name: str = "one") -> Contender:
    return Contender(name=name, enter=lambda: Player(policy, learns=learns), shop=shop)


def played(shop: Shop, *contenders: Contender, options: BanditSettings = OPTIONS) -> Seasons:
    return play_seasons(contenders, options, SEEDS, lambda place, done: None, lambda n: None)


def test_twins_are_worth_the_same_to_every_shopper(shop: Shop) -> None:
    found = played(shop, contender(shop, Uniform()), contender(shop, Uniform(), name="twin"))
    np.testing.assert_array_equal(found.total[0], found.total[1])
    assert found.count.sum() == 2 * OPTIONS.n_impressions


def test_worth_is_the_truth_of_what_was_shown(shop: Shop) -> None:
    """Against the season's own numbers, and purchases and revenue that come as often as expected."""
    options = structs.replace(OPTIONS, n_impressions=40_000)
    one = contender(shop, PriorGreedy(epsilon=0.1))
    seen = list[BanditRun]()
    found = play_seasons([one], options, SEEDS[:1], lambda place, done: seen.append(done), lambda n: None)
    [done] = seen
    worth = found.worth(0, by_season=False)
    assert worth["click"].value == pytest.approx(done.expected_click.mean(), rel=1e-12)
    assert worth["reward"].value == worth["click"].value, "a click is 1"
    assert worth["oracle"].value == pytest.approx(done.oracle.mean(), rel=1e-12)
    assert worth["uniform"].value < worth["click"].value < worth["oracle"].value
    n, bought = len(done.log), done.log.conversion.mean()
    assert abs(worth["purchase"].value - bought) < 4 * np.sqrt(bought / n)
    assert abs(worth["revenue"].value - done.log.value.mean()) < 4 * done.log.value.std() / np.sqrt(n)


def test_clusters_are_seasons_or_shoppers_that_came(shop: Shop) -> None:
    found = played(shop, contender(shop, Uniform()))
    total, count = found.clusters(by_season=True)
    assert total.shape == (1, len(WORTH), 2) and count.tolist() == [1500, 1500]
    nobody = np.zeros(found.count.shape[1], dtype=np.bool_)
    mask = nobody.copy()
    mask[:30] = True
    total, count = found.clusters(by_season=False, shoppers=mask)
    np.testing.assert_allclose(total.sum(axis=2), found.total[..., :30].sum(axis=(2, 3)))
    assert (count > 0).all() and count.sum() == found.count[:, :30].sum()
    with pytest.raises(DataError, match="something must be counted"):
        found.worth(0, by_season=True, shoppers=nobody)


def test_frozen_policies_do_not_learn_and_others_do(shop: Shop) -> None:
    m = len(shop.actions)
    for learns in (False, True):
        policy = BetaThompson(np.full(m, 0.05), epsilon=0.05)
        before = {name: array.copy() for name, array in policy.get_state().items()}
        play_one(contender(shop, policy, learns=learns), OPTIONS, 1, lambda n: None)
        same = all(np.array_equal(before[name], array) for name, array in policy.get_state().items())
        assert same is not learns


def test_a_learning_policys_clock_goes_on(shop: Shop) -> None:
    policy = Windowed(BetaThompson(np.full(len(shop.actions), 0.05), epsilon=0.05), days=2.0)
    for season in (1, 2):
        player = Player(policy, learns=True, day=7.0 * season)
        play_one(Contender(name="w", enter=lambda: player, shop=shop), OPTIONS, season, lambda n: None)  # noqa: B023
        assert int(policy.get_state()["counted"]) == season * OPTIONS.n_impressions
    kept = policy.get_state()
    assert max(float(array.max()) for name, array in kept.items() if name.endswith("time")) > 14


def test_a_shop_of_other_shoppers_is_refused(shop: Shop) -> None:
    other = small_shop(small_world(n_shoppers=150), n_impressions=OPTIONS.n_impressions)
    with pytest.raises(DataError, match="must meet the shoppers of the others"):
        played(shop, contender(shop, Uniform()), contender(other, Uniform(), name="other"))
    with pytest.raises(DataError, match="needs contenders and seasons"):
        play_seasons([], OPTIONS, SEEDS, lambda place, done: None, lambda n: None)


def test_stated_probabilities_are_those_that_come(shop: Shop) -> None:
    looking = Looking("one")
    play_seasons(
        [contender(shop, PriorGreedy(epsilon=0.3))],
        OPTIONS,
        SEEDS,
        lambda place, done: looking.see(done),
        lambda n: None,
    )
    looks = looking.told()
    assert sum(looks.propensity) == pytest.approx(1) and looks.least == pytest.approx(0.3 / 6)
    assert len(looks.shown.stated) == 2, "a greedy policy states two probabilities"
    for stated, low, high in zip(looks.shown.stated, looks.shown.low, looks.shown.high, strict=True):
        assert low - 0.01 <= stated <= high + 0.01
    assert sum(looks.believed.count) == 2 * OPTIONS.n_impressions
    assert list(looks.believed.stated) == sorted(looks.believed.stated)
    assert looks.lost[-1] > looks.lost[0] >= 0 and looks.lost_at[-1] == OPTIONS.n_impressions


def test_rewards_other_than_clicks_count_as_weighed(shop: Shop) -> None:
    options = structs.replace(OPTIONS, reward=RewardSettings(click=1.0, purchase=10.0))
    worth = played(shop, contender(shop, Uniform()), options=options).worth(0, by_season=True)
    assert worth["reward"].value == pytest.approx(worth["click"].value + 10 * worth["purchase"].value)
