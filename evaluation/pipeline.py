"""`copybandit run`: the whole loop, stage by stage, each stage resumable.

data -> fit -> sft -> tune -> judge -> bandit -> weekly, where asked for -> report
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from copybandit.evaluation.approved_copy import retrieval_best
from copybandit.evaluation.cells import CellReward, Cells, make_cells, write_cells
from copybandit.evaluation.editing_settings import editor_of
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.report import write_report
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.sensitivity import sensitivity
from copybandit.evaluation.settings import RunSettings
from copybandit.evaluation.shop_data import (
    ShopData,
    left_out,
    load_gold,
    load_shop,
    make_synthetic,
    read_real,
)
from copybandit.evaluation.stage_fit import FittedShop, fit_shop, load_fit
from copybandit.evaluation.storage import load_json, save_json
from copybandit.generators.editor import Editor
from copybandit.sim.split import Split
from copybandit.sim.world import World

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

SOURCES = {
    "synthetic": "synthetic shop; wording effects estimated from the Upworthy A/B tests",
    "online-retail": "Online Retail purchases, Upworthy A/B tests",
}
ATTRIBUTION = {
    "synthetic": [
        "Upworthy Research Archive: Matias, Munger, Le Quere, Ebersole, Scientific Data 8:195 (2021)"
    ],
    "online-retail": [
        "Online Retail: Chen, UCI Machine Learning Repository (2015), CC BY 4.0",
        "Upworthy Research Archive: Matias, Munger, Le Quere, Ebersole, Scientific Data 8:195 (2021)",
    ],
}


def run(settings: RunSettings, folder: RunFolder[RunSettings], progress: Progress) -> Mapping[str, Any]:
    """Run or go on with a run; returns what report.json holds.

    Args:
        settings: of the run.
        folder: finished stages in it are not done again.
        progress: told where the run stands.

    Raises:
        DataError: the shop of an old run holds what the screen leaves out now.
    """
    pipeline = Pipeline(settings, folder, progress)
    for line in editor_of(settings.editor).notes:
        progress.note(line)
    if folder.stage("data"):
        left_out(folder.output("data"))
    stages = (
        "data",
        "fit",
        "sft",
        "tune",
        "judge",
        "bandit",
        *(("weekly",) if settings.weekly.weeks else ()),
    )
    for line in folder.finished(stages):
        progress.note(line)
    for name in stages:
        folder.run_stage(name, getattr(pipeline, name), keep=name == "tune")
    progress.stage("report")
    return pipeline.report()


class Pipeline:
    """The stages of one run; each reads what the stages before it saved and writes into the folder it is given."""

    def __init__(self, settings: RunSettings, folder: RunFolder[Any], progress: Progress) -> None:
        self.settings, self.folder, self.progress = settings, folder, progress
        self.believed = "fit"
        """The stage whose fitted world is believed."""

    def data(self, stage: Path) -> None:
        """Make up or read the shop."""
        self.progress.stage("data")
        (make_synthetic if self.settings.world == "synthetic" else read_real)(self.settings, stage)
        if dropped := left_out(stage):
            n = len({row["product_id"] for row in dropped})
            self.progress.note(f"{n} products: text that reads as an order to the writer was left out")

    def fit(self, stage: Path) -> None:
        """Fit interest, segments, wording and the fitted world."""
        self.progress.stage("fit")
        data = self.folder.output("data")
        gold = load_gold(data, data) if self.settings.world == "synthetic" else None
        fit_shop(self.settings, self.shop(), gold, stage)

    def sft(self, stage: Path) -> None:
        """Load the writer, let it learn this shop's products from the grammar if asked to, and save it."""
        from copybandit.evaluation.stage_sft import prepare

        steps = self.settings.tune.sft_examples
        self.progress.stage("sft", total=1)
        shop = self.shop()
        writer = prepare(self.settings.tune, shop, self.settings.seed, stage)
        cells = self.cells("select")
        rng = np.random.default_rng([self.settings.seed, 3])
        written = write_cells(writer, cells, shop.references, self.editor, rng)
        save_json(
            stage / "report.json",
            {"examples": steps, "refused": written.refused, "fallback": written.fallback},
        )
        self.progress.advance(1)

    def tune(self, stage: Path) -> None:
        """Tune, once per seed."""
        from copybandit.evaluation.tune_job import tune_algorithm
        from copybandit.evaluation.tune_log import TensorBoard

        tune_algorithm(self, self.settings.tune, "tune", stage, TensorBoard(stage / "tensorboard"))

    def judge(self, stage: Path) -> None:
        """Judge all writers on the judge split."""
        from copybandit.evaluation.stage_judge import judge_report, write_all
        from copybandit.generators.lm import CausalLM

        self.progress.stage("judge")
        sft = self.untuned()
        tuned = [
            CausalLM.load(str(self.folder.output("tune") / f"seed-{seed}" / "writer"), generator_id="ppo")
            for seed in self.settings.tune.seeds
        ]
        shop, reward, seed = self.shop(), self.reward("judge"), self.settings.seed
        judge, world = reward.cells, reward.world
        retrieval = retrieval_best(shop, world, self.editor, np.random.default_rng([seed, 11]))
        rng = np.random.default_rng([seed, 4])
        found = write_all(sft, tuned, retrieval, self.reward("select"), reward, shop.references, rng)
        save_json(stage / "texts.json", {name: list(map(list, rows)) for name, rows in found.texts.items()})
        gold, replicates = self.gold(), self.settings.bootstrap_replicates
        save_json(stage / "report.json", judge_report(found, world, gold, judge, replicates, seed))
        ours, before = found.texts["ppo"], found.texts["sft"]
        tried = sensitivity(gold, judge, shop.sample, ours, before, replicates, seed)
        save_json(stage / "sensitivity.json", [asdict(row) for row in tried])

    def bandit(self, stage: Path) -> None:
        """The online week, and off-policy estimates from its log."""
        from copybandit.evaluation.approve import approve
        from copybandit.evaluation.stage_bandit import COMPARED, play

        options = self.settings.bandit
        seasons = 7 + len({*COMPARED, options.policy})
        self.progress.stage("bandit", total=seasons * options.n_impressions)
        texts, fitted = load_json(self.folder.output("judge") / "texts.json"), self.fitted().world
        last = 0

        def on_step(done: int, total: int) -> None:
            nonlocal last
            self.progress.advance(done - last if done > last else done)
            last = done

        found = play(
            approve(self.cells("judge"), texts, fitted, self.editor, options),
            self.gold(),
            fitted,
            self.shop().products,
            options,
            self.settings.seed,
            stage,
            on_step,
        )
        save_json(stage / "report.json", found)

    def weekly(self, stage: Path) -> None:
        """Weeks of drift, each learned from its log, once per tuning seed."""
        from copybandit.evaluation.weekly_loop import Scene, Week, play_weeks
        from copybandit.evaluation.weekly_report import weekly_report

        options = self.settings
        self.progress.stage("weekly", total=options.weekly.weeks * len(options.tune.seeds))
        scene = Scene(
            settings=options,
            shop=self.shop(),
            fitted=self.fitted(),
            gold=self.gold(),
            sft=self.untuned(),
            show=self.cells("fit"),
            judge=self.cells("judge"),
            editor=self.editor,
        )

        def on_week(week: Week) -> None:
            self.folder.log("weekly", {"week": week.week, **week.refit.report()})
            self.progress.advance(1)

        paths = [play_weeks(scene, seed, stage / f"seed-{seed}", on_week) for seed in options.tune.seeds]
        rng = np.random.default_rng([options.seed, 33])
        found = weekly_report(paths, scene.judge.product, options.bootstrap_replicates, rng)
        save_json(stage / "report.json", asdict(found))

    def report(self) -> Mapping[str, Any]:
        """Put the stages' reports together, write report.json and report.html."""
        fit, tune, judge, played = (
            load_json(self.folder.output(name) / "report.json") for name in ("fit", "tune", "judge", "bandit")
        )
        shop, season = self.shop(), played.pop("sensitivity")
        timings = self.folder.timings()
        report = {
            "data": {
                "source": SOURCES[self.settings.world],
                "n_shoppers": len(shop.events.shopper_ids),
                "n_products": len(shop.products),
                "n_interactions": len(shop.events),
                "semi_synthetic": self.settings.world != "synthetic",
                "attribution": ATTRIBUTION[self.settings.world],
                "split": {"shoppers": shop.shoppers.digest, "products": shop.catalogue.digest},
            },
            "screening": self.screening(),
            "interest_model": fit["interest_model"],
            "response_model": fit["response_model"],
            "segments": load_json(self.folder.output("fit") / "segments.json"),
            "generator": {**judge, "tuning": tune["tuning"], "select": tune["select"]},
            "sft": load_json(self.folder.output("sft") / "report.json"),
            **played,
            "ledger": fit["ledger"],
            "sensitivity": [*load_json(self.folder.output("judge") / "sensitivity.json"), *season],
            "timings_s": {name: row["seconds"] for name, row in timings.items()},
            "memory_mb": {name: row["peak_mb"] for name, row in timings.items()},
        }
        if self.settings.weekly.weeks:
            report["weekly"] = load_json(self.folder.output("weekly") / "report.json")
        save_json(self.folder.path / "report.json", report)
        write_report(self.folder.path, report)
        return report

    def screening(self) -> Mapping[str, Any]:
        """How many products had text dropped that reads as an order to the writer, and what."""
        dropped = left_out(self.folder.output("data"))
        return {"products": len({row["product_id"] for row in dropped}), "dropped": dropped}

    def shop(self) -> ShopData:
        """The shop that the data stage saved."""
        return load_shop(self.settings, self.folder.output("data"))

    @property
    def editor(self) -> Editor:
        """Reads by the config's rules; copy for one product may not name another brand of the shop."""
        brands = {product.brand for product in self.shop().products if product.brand}
        return editor_of(self.settings.editor, tuple(sorted(brands)))

    def fitted(self) -> FittedShop:
        """What the shop believes."""
        return load_fit(self.folder.output(self.believed))

    def untuned(self) -> CausalLM:
        """The writer that the sft stage saved."""
        from copybandit.generators.lm import CausalLM

        return CausalLM.load(str(self.folder.output("sft") / "writer"), generator_id="sft")

    def gold(self) -> World:
        """The truth."""
        return load_gold(self.folder.output("data"), self.folder.output("fit"))

    def reward(self, part: str) -> CellReward:
        """What tuning optimises, in the cells of one split."""
        return CellReward(self.fitted().world, self.cells(part), self.editor)

    def cells(self, part: str) -> Cells:
        """Cells of one split of shoppers and products."""
        shop, fitted = self.shop(), self.fitted()
        return make_cells(
            shop.products,
            fitted.segments,
            fitted.label,
            _rows(shop.shoppers, part),
            _rows(shop.catalogue, part),
        )


def _rows(split: Split, part: str) -> np.ndarray:
    return {"fit": split.fit, "select": split.select, "judge": split.judge}[part]
