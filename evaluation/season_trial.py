"""Contenders in the same seasons: the same shoppers come at the same times with the same luck, whoever chooses the copy.

What counts is the truth of what was shown, not the clicks that chance made of it. Sums are kept by season and shopper, so
that intervals can resample either: shoppers where nobody learns, for they then live apart from each other, and whole seasons
where a policy learns from one shopper what it does with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.agents.bandit import BanditRun, run_bandit
from copybandit.agents.bandit_rules import SeasonRules
from copybandit.agents.batch import Batch
from copybandit.agents.stateful import Lasting
from copybandit.evaluation.season_worth import season_reward
from copybandit.evaluation.settings import BanditSettings
from copybandit.evaluation.smooth import Smooth
from copybandit.sim.shop import Shop
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.visits import Visits

WORTH = ("click", "purchase", "revenue", "reward", "oracle", "uniform")
"""Expected per impression: clicks, purchases and revenue of what was shown, its reward, that of the best candidate now (the
myopic oracle) and of a uniform choice."""


class Player:
    """A policy as a season meets it: frozen or learning, its clock going on from where it stood.

    Args:
        policy: as it was loaded; a learning one is changed.
        learns: whether feedback reaches it.
        day: on which the season begins for it.
    """

    def __init__(self, policy: Lasting, *, learns: bool, day: float = 0.0) -> None:
        self.policy, self.learns, self.day = policy, learns, day

    @property
    def name(self) -> str:
        """The policy's."""
        return self.policy.name

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """The policy's, shape (n, k)."""
        return self.policy.action_probs(self._now(batch), rng)

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the policy, if it learns."""
        if self.learns:
            self.policy.update(self._now(batch), column, reward, weight)

    def _now(self, batch: Batch) -> Batch:
        return replace(batch, time=batch.time + self.day) if self.day else batch


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who plays.

    Attributes:
        name: of it.
        enter: gives it as it is before a season.
        shop: where, before anybody came.
    """

    name: str
    enter: Callable[[], Player]
    shop: Shop


@dataclass(frozen=True, kw_only=True)
class Seasons:
    """What m contenders were worth in s seasons to h shoppers.

    Attributes:
        names: of the contenders.
        total: shape (m, 6, s, h), sums of `WORTH` over the visits.
        count: shape (s, h), visits, the same for all contenders.
    """

    names: tuple[str, ...]
    total: Floats
    count: Floats

    def clusters(self, by_season: bool, shoppers: Bools | None = None) -> tuple[Floats, Floats]:
        """Totals (m, 6, g) and counts (g,) of the seasons, or of the shoppers that came, all or those of a mask (h,)."""
        axis = 3 if by_season else 2
        total, count = self.total, self.count
        if shoppers is not None:
            total, count = total[..., shoppers], count[:, shoppers]
        total, count = total.sum(axis=axis), count.sum(axis=axis - 2)
        return total[..., count > 0], count[count > 0]

    def worth(self, place: int, by_season: bool, shoppers: Bools | None = None) -> dict[str, Smooth]:
        """Mean of each of `WORTH` per impression of one contender."""
        total, count = self.clusters(by_season, shoppers)
        return {name: Smooth.mean(total[place, at], count) for at, name in enumerate(WORTH)}


def play_seasons(
    contenders: Sequence[Contender],
    options: BanditSettings,
    seeds: Sequence[int],
    look: Callable[[int, BanditRun], None],
    on_step: Callable[[int], None],
) -> Seasons:
    """Let all play all seasons.

    Args:
        contenders: of shops with the same shoppers.
        options: length, batches, horizon and reward of a season; nobody is held out.
        seeds: of each season's visits, responses and choices.
        look: is shown each finished season with its contender's place; it is not kept.
        on_step: is told how many impressions were done.

    Raises:
        DataError: no contender or season, or shops with different shoppers.
    """
    if not contenders or not seeds:
        raise DataError(
            f"seasons: needs contenders and seasons, got {len(contenders)} and {len(seeds)}; give both"
        )
    shoppers = len(contenders[0].shop.gold.taste.shoppers)
    total = np.zeros((len(contenders), len(WORTH), len(seeds), shoppers))
    count = np.zeros((len(seeds), shoppers))
    for place, contender in enumerate(contenders):
        for season, seed in enumerate(seeds):
            done = play_one(contender, options, seed, on_step)
            look(place, done)
            came = np.bincount(done.log.shopper, minlength=shoppers).astype(np.float64)
            if place and not np.array_equal(came, count[season]):
                raise DataError(
                    f"seasons: {contender.name} must meet the shoppers of the others; judge it in their shop"
                )
            count[season] = came
            for at, values in enumerate(worth_of(done, contender.shop)):
                total[place, at, season] = np.bincount(done.log.shopper, values, minlength=shoppers)
    return Seasons(names=tuple(one.name for one in contenders), total=total, count=count)


def play_one(
    contender: Contender, options: BanditSettings, seed: int, on_step: Callable[[int], None]
) -> BanditRun:
    """One season of one contender."""
    shop, last = contender.shop.fresh(seed), 0

    def told(done: int, _: int) -> None:
        nonlocal last
        on_step(done - last)
        last = done

    return run_bandit(
        contender.enter(),
        shop,
        n_impressions=options.n_impressions,
        batch_size=min(options.batch_size, len(shop.gold.taste.shoppers)),
        rng=np.random.default_rng([seed, 6]),
        reward=season_reward(options.reward, shop),
        rules=SeasonRules(horizon_days=options.horizon_days),
        on_step=told,
    )


def worth_of(done: BanditRun, shop: Shop) -> tuple[Floats, ...]:
    """`WORTH` of each row, each of shape (n,)."""
    log, rows = done.log, np.arange(len(done.log))
    visits = Visits(
        shopper=log.shopper, product=log.product, position=log.position, time=np.zeros(len(log)),
        candidates=log.candidates, context=np.zeros((len(log), 0)), state=done.prior[:, :, None],
    )  # fmt: skip
    bought = done.expected_click * shop.purchase(visits)[rows, log.action]
    revenue = bought * shop.price[log.product]
    return done.expected_click, bought, revenue, done.expected, done.oracle, done.uniform
