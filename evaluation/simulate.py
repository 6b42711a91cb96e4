"""`copybandit simulate`: a policy's season in the shop of a config, as a log with propensities and the truth beside it.

The shop's earlier copy is on show, so that no writer is needed: data -> fit -> the season. The truth is the gold world,
the warm start of policies the fitted one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
from msgspec import structs

from copybandit.agents.bandit import BanditRun
from copybandit.evaluation.approve import Approved
from copybandit.evaluation.carried_policy import CarriedPolicy
from copybandit.evaluation.feedback_logs import LOG, write_items
from copybandit.evaluation.headline import reward_words
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.season_worth import counts_clicks, largest_reward
from copybandit.evaluation.settings import BanditSettings, PolicyName, RunSettings
from copybandit.evaluation.shop_data import ShopData
from copybandit.evaluation.stage_bandit import assortment, play_season, season_policy
from copybandit.evaluation.stage_fit import FittedShop
from copybandit.sim.open_bandit_export import ExportItems, Truth, write_open_bandit
from copybandit.sim.schema import write_feedback, write_table
from copybandit.sim.types import DataError, Floats

Form = Literal["parquet", "open-bandit"]
CAMPAIGN = "all"
"""Name of the one campaign in the Open Bandit layout."""


def simulate(
    folder: RunFolder[RunSettings],
    policy: str | None,
    form: str,
    progress: Progress,
    carried: CarriedPolicy | None = None,
) -> Path:
    """Run a policy over the season of a run folder's config and write its log; finished stages are not done again.

    Returns the folder with the log: a stage named after policy (the config's own where None) and form, so that
    several fit in a run folder. ``carried`` are the checkpoints that the policy comes from and goes to.

    Raises:
        DataError: policy or form is unknown, the form cannot hold the reward, or the season whose policy is to be kept was
            played before.
    """
    check_choice(policy, form)
    policy = carried.name(policy) if carried else policy
    _check_form(form, folder.settings.bandit)
    name, pipeline = policy or folder.settings.bandit.policy, Pipeline(folder.settings, folder, progress)
    for stage in ("data", "fit"):
        folder.run_stage(stage, getattr(pipeline, stage))
    stage = f"simulate-{name}-{form}{carried.mark if carried else ''}"
    ran = folder.run_stage(stage, lambda out: _season(pipeline, name, form, out, carried))
    if carried and carried.save and not ran:
        raise DataError(
            "simulate: a policy can be kept when its season ends, got one played before, "
            f"{folder.output(stage)}; simulate into another folder"
        )
    return folder.output(stage)


def check_choice(policy: str | None, form: str) -> None:
    """Refuse a policy or form that there is not.

    Raises:
        DataError: one is unknown.
    """
    for name, value, known in (("format", form, get_args(Form)), ("policy", policy, get_args(PolicyName))):
        if value is not None and value not in known:
            raise DataError(f"simulate: {name} must be one of {', '.join(known)}, got {value!r}; choose one")


def _check_form(form: str, options: BanditSettings) -> None:
    if form == "open-bandit" and not counts_clicks(options.reward):
        raise DataError(
            "simulate: format open-bandit holds clicks alone, so bandit.reward must be {click: 1}, got "
            f"{reward_words(structs.asdict(options.reward))}; use --format parquet"
        )


def _season(pipeline: Pipeline, policy: str, form: str, out: Path, carried: CarriedPolicy | None) -> None:
    """Play and write."""
    settings, shop, fitted = pipeline.settings, pipeline.shop(), pipeline.fitted()
    options, last = settings.bandit, 0
    pipeline.progress.stage("simulate", total=options.n_impressions)

    def on_step(done: int, total: int) -> None:
        nonlocal last
        pipeline.progress.advance(done - last)
        last = done

    shown = on_show(shop, options)
    gold = pipeline.gold()
    goods = assortment(shown, gold, fitted.world)
    learner = season_policy(policy, goods, fitted.world, shop.products, options)
    learner = carried.take_up(learner) if carried else learner
    done = play_season(learner, goods, gold, fitted.world, shop.products, options, settings.seed, on_step)
    if form == "parquet":
        most = largest_reward(options.reward, tuple(shop.products[row] for row in shown.product))
        write_parquet(done, shown, shop, out, features=goods.actions, most=most)
    else:
        write_campaign(done.online(), shown, shop, fitted, out)
    if carried:
        carried.keep(learner, len(done.online().log))


def on_show(shop: ShopData, settings: BanditSettings) -> Approved:
    """The first distinct earlier texts of the first products, as variants on show."""
    n_products = min(settings.n_products, len(shop.products))
    rows: list[tuple[str, int]] = []
    table = np.full((n_products, settings.n_variants), -1)
    for product in range(n_products):
        mine = np.flatnonzero(shop.sample.product == product).tolist()
        texts = list(dict.fromkeys(shop.sample.texts[row] for row in mine))[: settings.n_variants]
        table[product, : len(texts)] = np.arange(len(rows), len(rows) + len(texts))
        rows += [(text, product) for text in texts]
    return Approved(
        texts=tuple(text for text, _ in rows),
        product=np.array([product for _, product in rows]),
        writer=np.zeros(len(rows), dtype=np.int64),
        products=np.arange(n_products),
        table=table,
    )


def write_parquet(
    run: BanditRun, shown: Approved, shop: ShopData, out: Path, *, features: Floats, most: Floats
) -> None:
    """Write log.parquet under `LOG_SCHEMA`, expected_reward.parquet row by row, and items.parquet (`write_items`)."""
    write_feedback(run.log, out / LOG)
    truth = {
        "expected_reward": run.expected,
        "expected_reward_best": run.oracle,
        "expected_reward_uniform": run.uniform,
        "expected_reward_each": pa.array(list(run.truth), pa.list_(pa.float64())),
    }
    write_table(pa.table(truth), out / "expected_reward.parquet")
    write_items(out, shown.texts, shown.product, shop.products, features=features, most=most)


def write_campaign(run: BanditRun, shown: Approved, shop: ShopData, fitted: FittedShop, out: Path) -> Path:
    """Write the log in the Open Bandit layout, which cannot tell the held out apart; its folder is returned.

    User features are the shopper's segment, the product of the visit, the quartile of the interest that the shop believes
    in, and visits so far. Item features are the price, then product, category and the copy's own number.
    """
    owners = [shop.products[index] for index in shown.product.tolist()]
    items = ExportItems(
        text=shown.texts,
        number=np.array([product.price for product in owners]),
        classes=(
            tuple(product.product_id for product in owners),
            tuple(product.category for product in owners),
            tuple(f"copy-{index}" for index in range(len(owners))),
        ),
    )
    truth = Truth(expected=run.expected, best=run.oracle, uniform=run.uniform)
    return write_open_bandit(run.log, out, CAMPAIGN, _users(run, shop, fitted), items, truth)


def _users(run: BanditRun, shop: ShopData, fitted: FittedShop) -> tuple[tuple[str, ...], ...]:
    log = run.log
    interest = fitted.world.taste.interest(log.shopper, log.product)
    quartile = np.searchsorted(np.quantile(interest, [0.25, 0.5, 0.75]), interest)
    order = np.argsort(log.shopper, kind="stable")
    so_far = np.empty(len(log), dtype=np.int64)
    so_far[order] = np.arange(len(log)) - np.searchsorted(log.shopper[order], log.shopper[order])
    seen = np.array(["first", "few", "many"])[np.searchsorted([1, 8], so_far, side="right")]
    return (
        tuple(f"segment-{index}" for index in fitted.label[log.shopper].tolist()),
        tuple(shop.products[index].product_id for index in log.product.tolist()),
        tuple(f"interest-{index}" for index in quartile.tolist()),
        tuple(f"visits-{name}" for name in seen.tolist()),
    )
