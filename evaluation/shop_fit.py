"""`copybandit fit`: fits a shop to a user's own files, stage by stage, each stage resumable, and says how far to believe it.

read -> interest -> sequence -> judge -> baskets -> policies -> funnel -> demand -> wording -> attack -> report

Everything that is reported comes from shoppers, households or tests that nothing was fitted on, the interest also from
later time. Every stage draws from a generator of its own, so a resumed fit gives the report of an uninterrupted one, byte
for byte. What is fitted is written to ``models``; what is said of it, with the gates it is held to, to report.json and
report.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.evaluation import fit_saved
from copybandit.evaluation.fit_attack import attack_wording
from copybandit.evaluation.fit_baskets import fit_baskets
from copybandit.evaluation.fit_inputs import FitRequest, ShopLog, read_log, read_panels, read_tests
from copybandit.evaluation.fit_interest import (
    FittedInterest,
    FittedSequence,
    fit_factorised,
    judge_models,
    train_sequence,
)
from copybandit.evaluation.fit_parts import fit_funnel, fit_panel
from copybandit.evaluation.fit_saved import Judged
from copybandit.evaluation.fit_told import gather, metrics, save_models, told
from copybandit.evaluation.fit_wording import FittedWording, fit_tests
from copybandit.evaluation.policy_ranking import rank_policies
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import load_json, save_json
from copybandit.sim.split import Split, split_groups
from copybandit.sim.support import FOLDS
from copybandit.sim.types import Floats

SEEDS = {"interest": 7, "sequence": 8, "judge": 13, "baskets": 14, "policies": 15}
"""Second number of the seed of a stage that draws; those of panels, tests and attacks are in their own files."""


def fit_files(folder: RunFolder[FitRequest], progress: Progress) -> Mapping[str, Any]:
    """Fit or go on with a fit; returns what report.json holds.

    Args:
        folder: finished stages in it are not done again.
        progress: told where the fit stands.

    Raises:
        DataError: for unusable input, or a stage of the folder that cannot be read.
    """
    fit = ShopFit(folder, progress)
    for name in folder.settings.stages():
        folder.run_stage(name, getattr(fit, name))
    progress.stage("report")
    return fit.report()


class ShopFit:
    """The stages of one fit; each reads what the stages before it saved and writes into the folder it is given."""

    def __init__(self, folder: RunFolder[FitRequest], progress: Progress) -> None:
        self.folder, self.request, self.progress = folder, folder.settings, progress

    def read(self, stage: Path) -> None:
        """Read and check every file."""
        self.progress.stage("read")
        shop, panels, tests = read_log(self.request), read_panels(self.request), read_tests(self.request)
        for reason, count in shop.dropped:
            if count:
                self.progress.note(f"{self.request.log}: {count:,} rows left out: {reason}")
        fit_saved.keep_inputs(stage, shop, panels, tests)

    def interest(self, stage: Path) -> None:
        """The factorised model of interest, with own purchases beside it."""
        self.progress.stage("interest")
        found = fit_factorised(self.shop, self.split, self._seed("interest"))
        weights = {"text_weight": found.repeat.text_weight, "own_weight": found.repeat.own_weight}
        self._keep(stage, found, weights)

    def sequence(self, stage: Path) -> None:
        """The sequence model of interest; it needs torch."""

        def begin(passes: int) -> Callable[[], None]:
            self.progress.stage("sequence", total=passes)
            return self.progress.advance

        self._keep(stage, train_sequence(self.shop, self.split, self.x, self._seed("sequence"), begin))

    def judge(self, stage: Path) -> None:
        """Every model of interest on new shoppers and later time."""
        self.progress.stage("judge")
        sequence = fit_saved.asked(self.folder, "sequence", FittedSequence)
        rng = self._rng("judge")
        rows = judge_models(self.shop, self.split, self._interest(), self.x, sequence, rng)
        self._keep(stage, Judged(rows=rows), *metrics(rows))

    def baskets(self, stage: Path) -> None:
        """Visits and baskets, simulated against real."""
        self.progress.stage("baskets")
        interest, rng = self._interest().text, self._rng("baskets")
        found = fit_baskets(self.shop, self.split, interest, self.x, rng)
        self._keep(stage, found, *metrics(found.marginals))

    def policies(self, stage: Path) -> None:
        """Policies ranked in shops of two halves of the log."""
        self.progress.stage("policies")
        shop, rng = self.shop, self._rng("policies")
        found = rank_policies(shop.events, shop.products, self.split, rng)
        self._keep(stage, found, *metrics((found,)))

    def funnel(self, stage: Path) -> None:
        """Rates and delays."""
        self.progress.stage("funnel")
        found = fit_funnel(self.shop, self.split, self._interest().text, self.x)
        self._keep(stage, found, *metrics(found.steps))

    def demand(self, stage: Path) -> None:
        """Demand of every panel."""
        panels = fit_saved.kept_panels(self.folder.output("read"))
        self.progress.stage("demand", total=len(panels))
        for index, (name, panel) in enumerate(panels):
            found = fit_panel(name, panel, self.request.seed)
            fit_saved.keep(stage / f"demand-{index}", found)
            self._log("demand", *metrics((found.summary,)))
            self.progress.advance()

    def wording(self, stage: Path) -> None:
        """Wording of the A/B tests."""
        self.progress.stage("wording")
        tests = fit_saved.kept_tests(self.folder.output("read"))
        assert tests is not None
        request = self.request
        found = fit_tests(tests, request.seed, request.encoder, length=request.length)
        self._keep(stage, found, *metrics((found.report,)))

    def attack(self, stage: Path) -> None:
        """The wording model under guard, and texts that try to fool it."""
        self.progress.stage("attack", total=FOLDS + 1)
        tests = fit_saved.kept_tests(self.folder.output("read"))
        assert tests is not None
        wording = fit_saved.found(self.folder, "wording", FittedWording)
        found = attack_wording(
            wording, tests, self.request.seed, catalogue=self.shop.products, advance=self.progress.advance
        )
        self._keep(stage, found, *metrics(found.attacks.rows))

    def report(self) -> Mapping[str, Any]:
        """Put what the stages found together; write models, report.json and report.html."""
        from copybandit.evaluation.fit_report import write_fit_report

        found, out = gather(self.folder, self.shop), self.folder.path
        save_models(out / "models", found)
        save_json(out / "report.json", told(self.request, found))
        report: Mapping[str, Any] = load_json(out / "report.json")
        write_fit_report(out, report)
        return report

    @cached_property
    def shop(self) -> ShopLog:
        """The log as it was read."""
        return fit_saved.kept_shop(self.folder.output("read"))

    @cached_property
    def split(self) -> Split:
        """The log's shoppers."""
        return split_groups(np.array(self.shop.events.shopper_ids), self.request.seed)

    @cached_property
    def x(self) -> Floats:
        """Features of the catalogue, shape (m, d)."""
        return self._interest().text.features.products(self.shop.products)

    def _seed(self, stage: str) -> tuple[int, int]:
        return self.request.seed, SEEDS[stage]

    def _rng(self, stage: str) -> np.random.Generator:
        return np.random.default_rng(self._seed(stage))

    def _keep(self, stage: Path, record: object, *rows: Mapping[str, object]) -> None:
        """Save what a stage found, under the stage's own name, and its rows of metrics.jsonl."""
        name = stage.name.removeprefix(".").removesuffix(".partial")
        fit_saved.keep(stage / name, record)
        self._log(name, *rows)

    def _log(self, name: str, *rows: Mapping[str, object]) -> None:
        for row in rows:
            self.folder.log(name, row)

    def _interest(self) -> FittedInterest:
        return fit_saved.found(self.folder, "interest", FittedInterest)
