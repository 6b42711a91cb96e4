"""`copybandit tune`: one shop, one writer, and one or more ways of tuning it on the same budget, in one run folder.

RUN/
config.yaml  versions.json  metrics.jsonl
stages/data, fit, sft                     as those of `copybandit run`, or copied from such a run
stages/feedback                           where logs are learned from: the fitted world after them
stages/tune-ALGORITHM/seed-SEED/writer    the step that the select split chose
stages/compare                            all writers on the select split
stages/judge                              and on the judge split, where asked for: it is read once
tensorboard/ or wandb/                    curves
report.json  report.html                  written last
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from copybandit.evaluation.feedback_logs import read_logs
from copybandit.evaluation.feedback_refit import refit_rounds
from copybandit.evaluation.load_settings import flatten
from copybandit.evaluation.pipeline import SOURCES, Pipeline
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import RunFolder, stored
from copybandit.evaluation.settings import AlgorithmName, RunSettings, TuneSettings
from copybandit.evaluation.stage_fit import save_fit
from copybandit.evaluation.storage import load_json, save_json
from copybandit.evaluation.tune_log import ReportTo, reporter
from copybandit.evaluation.tune_options import budget, tuner_settings
from copybandit.sim.refit import RefitSettings
from copybandit.sim.types import DataError

SHARED = ("data", "fit", "sft")
"""Stages that do not depend on how the writer is tuned."""
WRITER_KEYS = ("model", "sft_examples", "temperature", "max_new_tokens")
"""Keys of `tune` that the sft stage reads."""


@dataclass(frozen=True, kw_only=True)
class TuneRequest:
    """What to tune, and how.

    Attributes:
        run: settings of the shop, the writer and the budget.
        algorithms: one stage each.
        shop: run folder that data, fit and, where it fits, sft were copied from.
        report_to: who receives the curves.
        judge: read the judge split at the end.
        feedback: logs of what shoppers did; the fitted world learns from them before anything is tuned on it.
    """

    run: RunSettings
    algorithms: tuple[AlgorithmName, ...] = ("ppo",)
    shop: str | None = None
    report_to: ReportTo = "tensorboard"
    judge: bool = False
    feedback: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.algorithms or len(set(self.algorithms)) < len(self.algorithms):
            raise DataError(
                f"tune: needs different algorithms, at least one, got {self.algorithms}; name each once"
            )

    def options(self, algorithm: AlgorithmName) -> TuneSettings:
        """The section `tune` for one of the algorithms."""
        return msgspec.structs.replace(self.run.tune, algorithm=algorithm)

    def check(self) -> None:
        """Raise DataError where the settings do not fit an algorithm."""
        for algorithm in self.algorithms:
            tuner_settings(self.options(algorithm))


def shop_settings(path: Path) -> RunSettings:
    """Settings of the run, or of the tuning, whose shop lies in a folder.

    Raises:
        DataError: there is neither, or its shop is not finished.
    """
    try:
        settings = stored(path, RunSettings)
    except DataError as error:
        try:
            settings = stored(path, TuneRequest).run
        except DataError:
            raise error from None
    missing = [name for name in SHARED[:2] if not (path / "stages" / name).is_dir()]
    if missing:
        raise DataError(
            f"--shop {path}: its stage {missing[0]} is not done; finish it with copybandit run --resume {path}"
        )
    return settings


def check_writer(spec: str) -> None:
    """Load a writer that is to be tuned, before anything is made for it.

    Raises:
        DataError: there is none, it carries an adapter, or its tokenizer is another model's.
    """
    from copybandit.agents.adapters import check_plain
    from copybandit.generators.lm import CausalLM

    writer = CausalLM.load(spec)
    check_plain(writer)
    known, tokens = writer.model.get_input_embeddings().num_embeddings, len(writer.tokenizer)
    if tokens > known:
        raise DataError(
            f"--writer {spec}: its tokenizer has {tokens} tokens and its model knows {known}; give a checkpoint whose "
            "tokenizer is its own"
        )


def borrow(source: Path, request: TuneRequest, folder: RunFolder[TuneRequest]) -> None:
    """Copy the stages of another run that a new one may start from.

    Raises:
        DataError: the settings of the shop differ, so that it would be another one, or it learned from logs and this run
            would not.
    """
    if (source / "stages" / "feedback").is_dir() and not request.feedback:
        raise DataError(
            f"--shop {source}: what is believed there was learned from logs, got no --from-feedback here; name the logs "
            "again, or the run that it began from"
        )
    before, now = flatten(shop_settings(source)), flatten(request.run)
    for key, value in before.items():
        if not key.startswith(("tune.", "bandit.", "name", "description")) and value != now.get(key):
            raise DataError(
                f"--shop {source}: {key} is {value!r} there and {now.get(key)!r} here; drop it, or drop --shop"
            )
    same = all(before[f"tune.{key}"] == now[f"tune.{key}"] for key in WRITER_KEYS)
    for name in SHARED if same else SHARED[:2]:
        if (source / "stages" / name).is_dir():
            shutil.copytree(source / "stages" / name, folder.output(name))


def tune_shop(folder: RunFolder[TuneRequest], progress: Progress) -> Mapping[str, Any]:
    """Tune, or go on; returns what report.json holds.

    Raises:
        DataError: bad input on the way.
    """
    return _Tuning(folder, progress).run()


class _Tuning:
    def __init__(self, folder: RunFolder[TuneRequest], progress: Progress) -> None:
        self.folder, self.request, self.progress = folder, folder.settings, progress
        self.pipeline = Pipeline(self.request.run, folder, progress)

    def stages(self) -> dict[str, Callable[[Path], object]]:
        """What is to be done, in order, by name."""
        request, pipeline = self.request, self.pipeline
        found: dict[str, Callable[[Path], object]] = {name: getattr(pipeline, name) for name in SHARED}
        if request.feedback:
            found["feedback"] = self.feedback
        found |= {f"tune-{name}": partial(self.tune, name) for name in request.algorithms}
        found |= {"compare": partial(self.compare, "select")}
        return found | ({"judge": partial(self.compare, "judge")} if request.judge else {})

    def run(self) -> Mapping[str, Any]:
        stages = self.stages()
        for line in self.folder.finished(tuple(stages)):
            self.progress.note(line)
        for name, work in stages.items():
            self.folder.run_stage(name, work, keep=name.startswith("tune-"))
            if name == "feedback":
                self.pipeline.believed = name
        self.progress.stage("report")
        return self.report()

    def feedback(self, stage: Path) -> None:
        """Let the fitted world learn from the logs."""
        self.progress.stage("feedback")
        products, rng = self.pipeline.shop().products, np.random.default_rng([self.request.run.seed, 13])
        rounds = read_logs([Path(log) for log in self.request.feedback], [one.product_id for one in products])
        judged = np.unique(self.pipeline.cells("judge").product)
        found = refit_rounds(self.pipeline.fitted(), rounds, RefitSettings(), rng)
        save_fit(stage, found.shop)
        seen = {"judged": len(judged), "judged_shown": int(np.isin(judged, rounds.feedback.product).sum())}
        save_json(stage / "report.json", found.report() | seen)

    def tune(self, algorithm: AlgorithmName, stage: Path) -> None:
        from copybandit.evaluation.tune_job import tune_algorithm

        curves = reporter(self.request.report_to, self.folder.path, flatten(self.request))
        tune_algorithm(self.pipeline, self.request.options(algorithm), f"tune-{algorithm}", stage, curves)

    def compare(self, part: str, stage: Path) -> None:
        from copybandit.evaluation.tune_compare import Entry, baselines, compare, plain_rows
        from copybandit.generators.lm import CausalLM

        self.progress.stage(stage.name.removeprefix(".").removesuffix(".partial"))
        sft, reward, run = self.pipeline.untuned(), self.pipeline.reward(part), self.request.run
        seeds = run.tune.seeds
        entries = baselines(sft, reward, len(seeds))
        for algorithm in self.request.algorithms:
            output = self.folder.output(f"tune-{algorithm}")
            report = load_json(output / "report.json")
            entries.append(
                Entry(
                    name=algorithm,
                    writers=tuple(CausalLM.load(str(output / f"seed-{s}" / "writer")) for s in seeds),
                    calls=report["calls"] / len(seeds),
                    seconds=report["seconds"],
                )
            )
        world = reward.world if part == "select" else self.pipeline.gold()
        references = self.pipeline.shop().references
        rows, texts = compare(entries, sft, reward, world, references, run.bootstrap_replicates, run.seed)
        save_json(stage / "report.json", plain_rows(rows))
        save_json(stage / "texts.json", texts)

    def report(self) -> Mapping[str, Any]:
        from copybandit.evaluation.tune_report import write_tune_report

        shop, run, timings = self.pipeline.shop(), self.request.run, self.folder.timings()
        report = {
            "data": {
                "source": SOURCES[run.world],
                "n_shoppers": len(shop.events.shopper_ids),
                "n_products": len(shop.products),
                "seed": run.seed,
                "semi_synthetic": run.world != "synthetic",
            },
            "feedback": load_json(self.folder.output("feedback") / "report.json")
            if self.request.feedback
            else None,
            "budget": budget(run.tune) * run.tune.restarts,
            "algorithms": {
                name: load_json(self.folder.output(f"tune-{name}") / "report.json")
                for name in self.request.algorithms
            },
            "comparison": load_json(self.folder.output("compare") / "report.json"),
            "judged": load_json(self.folder.output("judge") / "report.json") if self.request.judge else None,
            "timings_s": {name: row["seconds"] for name, row in timings.items()},
            "memory_mb": {name: row["peak_mb"] for name, row in timings.items()},
        }
        save_json(self.folder.path / "report.json", report)
        write_tune_report(self.folder.path, report)
        return report
