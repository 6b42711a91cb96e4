"""From saved policies to contenders of a shop: each on the copy it knows, or on what its writer writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
from msgspec import structs

from copybandit.agents.bandit import batch_of
from copybandit.agents.policies import PriorGreedy, Uniform
from copybandit.agents.policy_files import load_policy, read_manifest
from copybandit.agents.policy_kinds import AROUND
from copybandit.agents.policy_recipe import Recipe, recipe_of
from copybandit.agents.stateful import Lasting
from copybandit.evaluation.approve import Approved
from copybandit.evaluation.bandit_life import surround
from copybandit.evaluation.checkpoint_kind import Checkpoint, checkpoint_of
from copybandit.evaluation.named_policies import EPSILON
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.policy_request import BASELINES, PolicyRequest
from copybandit.evaluation.season_trial import Contender, Player
from copybandit.evaluation.settings import BanditSettings
from copybandit.evaluation.shop_data import ShopData
from copybandit.evaluation.simulate import on_show
from copybandit.evaluation.stage_bandit import assortment, season_policy
from copybandit.sim.shop import Assortment, Shop
from copybandit.sim.types import DataError
from copybandit.sim.world import World


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A shop with copy on show, before anybody came.

    Attributes:
        shown: the copy.
        shop: with it.
        data: what is known of the shop.
        fitted: what it believes.
        options: of its seasons.
        shop_seed: of the run.
    """

    shown: Approved
    shop: Shop
    data: ShopData
    fitted: World
    options: BanditSettings
    shop_seed: int

    @property
    def goods(self) -> Assortment:
        """The copy, encoded."""
        return self.shop.goods


def stage_of(pipeline: Pipeline, options: BanditSettings, shown: Approved | None = None) -> Stage:
    """The shop of a run with copy on show: its own earlier copy where None, that of `copybandit simulate`."""
    data, gold, fitted = pipeline.shop(), pipeline.gold(), pipeline.fitted().world
    shown = on_show(data, options) if shown is None else shown
    shop = Shop(
        gold, fitted, assortment(shown, gold, fitted), data.products,
        seed=pipeline.settings.seed, n_impressions=options.n_impressions, days=options.days,
    )  # fmt: skip
    return Stage(
        shown=shown, shop=shop, data=data, fitted=fitted, options=options, shop_seed=pipeline.settings.seed
    )


def season_options(pipeline: Pipeline, request: PolicyRequest) -> BanditSettings:
    """Of the run, with as many impressions as were asked for."""
    options = pipeline.settings.bandit
    return structs.replace(options, n_impressions=request.impressions or options.n_impressions)


def saved_policy(folder: Path, stage: Stage) -> Lasting:
    """The policy of a checkpoint, within the rules of the shop's own season unless it was saved with some around it.

    Raises:
        DataError: it cannot be loaded, or is of other copy than is on show.
    """
    policy, kind = load_policy(folder), read_manifest(folder).policy
    _check_fit(policy, folder, stage)
    return policy if kind in AROUND else surround(policy, stage.options, len(stage.goods.actions))


def enter_saved(folder: Path, stage: Stage, *, learns: bool, season: BanditSettings) -> Player:
    """A saved policy at the gate of a season; its clock goes on after the seasons that it has seen, of the run's length."""
    rows = read_manifest(folder).lineage.rows
    day = season.days * ceil(rows / season.n_impressions) if learns else 0.0
    return Player(saved_policy(folder, stage), learns=learns, day=day)


def enter_anew(recipe: Recipe, stage: Stage) -> Player:
    """The policy of a pair at the gate of a season."""
    return Player(begun_anew(recipe, stage), learns=True)


def contender_of(one: Checkpoint, stage: Stage, request: PolicyRequest, pipeline: Pipeline) -> Contender:
    """A checkpoint as a contender; what is wrong with it is found here, before anything is played.

    Raises:
        DataError: see `saved_policy` and `begun_anew`.
    """
    assert one.policy is not None
    enter: Callable[[], Player]
    if one.kind == "pair":
        enter = partial(enter_anew, recipe_of(load_policy(one.policy)), stage)
    else:
        enter = partial(
            enter_saved, one.policy, stage, learns=request.learns, season=pipeline.settings.bandit
        )
    enter()
    return Contender(name=one.name, enter=enter, shop=stage.shop)


def baseline(name: str, stage: Stage) -> Contender:
    """One of `BASELINES` as a contender."""
    policy = Uniform() if name == "uniform" else PriorGreedy(epsilon=EPSILON)
    return Contender(name=name, enter=lambda: Player(policy, learns=False), shop=stage.shop)


def rival_of(request: PolicyRequest) -> Checkpoint | None:
    """The checkpoint that all are compared with; None where it is one of `BASELINES`.

    Raises:
        DataError: it is neither, or of another kind.
    """
    if request.against in BASELINES:
        return None
    try:
        found = checkpoint_of(request.against)
    except DataError as error:
        raise DataError(f"--against must be {', '.join(BASELINES)} or a checkpoint, got: {error}") from error
    wanted = request.checkpoints[0].kind
    if found.kind != wanted:
        raise DataError(f"--against must be a {wanted} like what is judged, got a {found.kind}; name one")
    return found


def begun_anew(recipe: Recipe, stage: Stage) -> Lasting:
    """A fresh policy of a recipe's kinds for the copy on show; it starts from what the shop believes of that copy.

    Raises:
        DataError: guardrails name variants, which are other ones here.
    """
    if recipe.inside is None:
        if recipe.kind == "prior_greedy":
            return PriorGreedy(epsilon=EPSILON)
        return season_policy(recipe.kind, stage.goods, stage.fitted, stage.data.products, stage.options)
    settings = dict(recipe.settings)
    if named := [name for name in ("least", "most", "paused", "control") if settings.get(name)]:
        raise DataError(
            f"evaluate: guardrails of a pair's policy must name no variants, got {', '.join(named)}; its writer's are others"
        )
    if "n_actions" in settings:
        settings["n_actions"] = len(stage.goods.actions)
    return AROUND[recipe.kind].of(begun_anew(recipe.inside, stage), settings)


def _check_fit(policy: Lasting, folder: Path, stage: Stage) -> None:
    """Refuse a policy of another number of variants, or one that cannot read the shop's requests."""
    recipe, m = recipe_of(policy), len(stage.goods.actions)
    while recipe.inside is not None:
        recipe = recipe.inside
    prior = recipe.settings.get("prior")
    own = recipe.settings.get("n_actions", None if prior is None else len(prior))
    if own is not None and own != m:
        raise DataError(
            f"checkpoint {folder}: must be of the {m} variants that the shop shows, got one of {own}; judge it in the shop "
            "whose season it learned"
        )
    probe = batch_of(stage.shop.fresh(stage.shop_seed).visits(0, 1), stage.goods.actions)
    try:
        policy.action_probs(probe, np.random.default_rng(0))
    except DataError as error:
        raise DataError(
            f"checkpoint {folder}: must read the shop's requests, and does not ({error}); judge it in the shop whose season "
            "it learned"
        ) from error
