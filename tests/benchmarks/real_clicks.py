"""The real-click test: a writer tuned on a model of clicks prefers the headlines that people really clicked.

Run: ``python tests/benchmarks/real_clicks.py --writer smollm2 --device cuda --json FILE --markdown FILE``, on the Upworthy
archive. The writer learns headlines of the fit part from their ledes, PPO tunes it on a wording model of the fit part's
clicks, the select part picks the step, and the judge part is read once: by log pi_PPO - log pi_SFT of its headlines.
``--reward STEM`` keeps the fitted wording model, or reads it where it is kept. ``--part select`` judges on the select part
instead, for development: its figures are then those of the chosen step on what chose it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from copybandit.agents.ppo import PPOSettings, PPOUpdate
from copybandit.agents.sft import SFTSettings
from copybandit.evaluation.clicks_data import HEADLINE_TOKENS, News, split_news
from copybandit.evaluation.clicks_page import page
from copybandit.evaluation.clicks_report import ClickReport, Pair, judge
from copybandit.evaluation.clicks_reward import ROUNDS, HeadlineModel, HeadlineReward, fit_headlines
from copybandit.evaluation.clicks_rules import NewsDesk
from copybandit.evaluation.clicks_tune import CHECKPOINTS, Tuned, load_writer, teach, tune
from copybandit.evaluation.fit_wording import AUTO
from copybandit.evaluation.machine import versions
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import load_ab_tests

ARCHIVE = "upworthy-exploratory-sample.csv.gz"
SPLIT = 0
"""Seed of the split and of the wording model."""
LEFT = 0.12
"""Share of the minutes that is kept for the judge."""
MEASURED = 0.15
"""Share of a seed's minutes in which its steps are measured."""
DEFAULTS = {
    "tiny": {"sft_learning_rate": 5e-4, "sft_epochs": 4, "learning_rate": 1e-4, "lora_rank": 0, "tokens": 64},
    "smollm2": {
        "sft_learning_rate": 1e-4,
        "sft_epochs": 2,
        "learning_rate": 1e-3,
        "lora_rank": 16,
        "tokens": HEADLINE_TOKENS,
    },
}
"""Of a writer that is not named here: those of smollm2."""


def archive(given: argparse.Namespace) -> Path:
    """The archive's file: as given, in COPYBANDIT_DATA, or in shared/data of the checkout or beside it.

    Raises:
        DataError: it is nowhere.
    """
    root = Path(__file__).parents[2]
    folders: list[str | Path] = [
        os.environ.get("COPYBANDIT_DATA", ""),
        root / "shared" / "data",
        root.parent / "shared" / "data",
    ]
    tried: list[Path] = [given.data] if given.data else [Path(folder) / ARCHIVE for folder in folders]
    for path in tried:
        if path.is_file():
            return path
    raise DataError(
        f"real_clicks: the Upworthy archive must be there, got none at {tried[-1]}; pass --data FILE"
    )


def wording(given: argparse.Namespace, fit: News) -> HeadlineModel:
    """The wording model: read where it is kept, else fitted."""
    if given.reward and given.reward.with_suffix(".json").is_file():
        model = HeadlineModel.load(given.reward)
        if model.fitted_to != fit.digest:
            raise DataError(
                f"{given.reward}: must be fitted to the fit part {fit.digest}, got {model.fitted_to}; remove it"
            )
        return model
    started = time.perf_counter()
    model = fit_headlines(
        fit, SPLIT, given.encoder, given.rounds, lambda: say("guard: one search done", started)
    )
    if given.reward:
        model.save(given.reward)
    return model


def say(line: str, started: float) -> None:
    """Tell a line, and when."""
    print(f"{time.perf_counter() - started:6.0f} s  {line}", flush=True)


def options(given: argparse.Namespace) -> PPOSettings:
    """Settings of PPO."""
    updates = -(-given.episodes // given.batch_size)
    return PPOSettings(
        episodes=given.episodes,
        batch_size=given.batch_size,
        minibatches=given.minibatches,
        ppo_epochs=given.ppo_epochs,
        learning_rate=given.learning_rate,
        kl_coef=given.kl_coef,
        target_kl=given.target_kl,
        reference_samples=given.reference_samples,
        lora_rank=given.lora_rank or None,
        precision=given.precision,
        checkpoint_every=max(1, updates // CHECKPOINTS),
    )


def run_seed(
    given: argparse.Namespace,
    sft: CausalLM,
    fit: News,
    select: News,
    reward: HeadlineReward,
    seed: int,
    scratch: Path,
    started: float,
    until: float,
) -> Tuned:
    """Tune one seed; no update begins after `until`."""

    def on_update(update: PPOUpdate) -> bool:
        parts = ", ".join(f"{name} {value:+.3f}" for name, value in update.components)
        say(
            f"seed {seed} update {update.update}: reward {update.reward:+.3f} ({parts}), KL {update.kl:.2f}, length "
            f"{update.length:.1f}, ended {update.ended:.2f}, {update.seconds:.1f} s",
            started,
        )
        return time.perf_counter() - started < until

    found = tune(sft, fit, select, reward, options(given), seed, scratch / f"seed-{seed}", on_update)
    for step in found.steps:
        say(f"seed {seed} step {step.update}: {step.total:+.4f}, per token {step.per_token:+.4f}", started)
    return found


def learned(
    given: argparse.Namespace, writer: CausalLM, fit: News, scratch: Path, started: float
) -> tuple[CausalLM, dict[str, float]]:
    """The writer after SFT, and its loss before and after; read where it is kept, then without losses."""
    if given.taught and given.taught.is_dir():
        return load_writer(str(given.taught), given.device, given.write_batch, given.tokens), {}
    settings = SFTSettings(
        epochs=given.sft_epochs, learning_rate=given.sft_learning_rate, max_steps=given.sft_steps or None
    )
    found = teach(writer, fit, settings, SPLIT, scratch / "sft")
    say(f"SFT: {found.loss_before:.3f} to {found.loss_after:.3f} nats a token on held-out ledes", started)
    if given.taught:
        found.writer.save(given.taught)
    return found.writer, {"loss_before": found.loss_before, "loss_after": found.loss_after}


def measure(given: argparse.Namespace, scratch: Path) -> tuple[dict[str, Any], ClickReport, tuple[Pair, ...]]:
    """SFT, PPO for every seed, and the judge."""
    started, end = time.perf_counter(), 60 * given.minutes
    tests = load_ab_tests(archive(given))
    writer = load_writer(given.writer, given.device, given.write_batch, given.tokens)
    news = split_news(tests, writer.tokenizer, SPLIT)
    model = wording(given, news["fit"])
    if given.cells:
        news = {name: part.first(given.cells) for name, part in news.items()}
    fit, select, judged = news["fit"], news["select"], news[given.part]
    desk = NewsDesk.of(fit.tests.text)
    rewards = {name: HeadlineReward(model, news[name], desk) for name in {"fit", given.part}}
    say(f"reward ready: {', '.join(model.encoders)}", started)
    taught, losses = learned(given, writer, fit, scratch, started)
    tuned: list[Tuned] = []
    for place, seed in enumerate(given.seeds):
        now = time.perf_counter() - started
        until = now + (1 - MEASURED) * ((1 - LEFT) * end - now) / (len(given.seeds) - place)
        tuned.append(run_seed(given, taught, fit, select, rewards["fit"], seed, scratch, started, until))
    report, pairs = judge(taught, tuned, judged, rewards[given.part], given.replicates, SPLIT)
    say("judged", started)
    more = {
        "sft": losses,
        "reward_encoders": list(model.encoders),
        "seeds": [_told(one) for one in tuned],
        "seconds": time.perf_counter() - started,
    }
    return _asked(given) | {"passed": report.headline.passed, "report": asdict(report)} | more, report, pairs


def _asked(given: argparse.Namespace) -> dict[str, Any]:
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(given).items()}
    return {"writer": given.writer, "part": given.part, "split": SPLIT, "settings": settings}


def _told(one: Tuned) -> dict[str, Any]:
    return {
        "seed": one.seed,
        "chosen": asdict(one.chosen),
        "steps": [asdict(step) for step in one.steps],
        "updates": [{**asdict(row), "components": dict(row.components)} for row in one.updates],
        "stopped_by_time": one.stopped,
    }


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for; what it leaves open is the writer's own in `DEFAULTS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--markdown", type=Path, help="page to write")
    parser.add_argument("--data", type=Path, help="the archive's file")
    parser.add_argument("--reward", type=Path, help="stem of the files that keep the wording model")
    parser.add_argument("--encoder", default=AUTO, help="auto, none, minilm or a folder")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="searches that the guard learns from")
    parser.add_argument("--fit-only", action="store_true", help="fit the wording model, keep it, and stop")
    parser.add_argument("--writer", default="tiny", help="tiny, smollm2, hf:NAME or a folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of PPO")
    parser.add_argument(
        "--minutes", type=float, default=600.0, help="for everything; seeds share what is left"
    )
    parser.add_argument("--part", choices=("judge", "select"), default="judge", help="what is judged on")
    parser.add_argument("--cells", type=int, default=0, help="ledes of each part, for a small run; 0 for all")
    parser.add_argument("--episodes", type=int, default=6400)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--minibatches", type=int, default=4)
    parser.add_argument("--ppo-epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--tokens", type=int, help="longest headline that is written")
    parser.add_argument("--lora-rank", type=int, help="0 tunes all weights")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of PPO")
    parser.add_argument("--kl-coef", type=float, default=0.05)
    parser.add_argument("--target-kl", type=float, default=10.0, help="nats a headline")
    parser.add_argument("--reference-samples", type=int, default=512)
    parser.add_argument("--taught", type=Path, help="folder that keeps the writer after SFT")
    parser.add_argument("--sft-epochs", type=int)
    parser.add_argument("--sft-steps", type=int, default=0, help="at most so many; 0 for all")
    parser.add_argument("--sft-learning-rate", type=float)
    parser.add_argument(
        "--write-batch", type=int, default=256, help="rows that are written or read at a time"
    )
    parser.add_argument("--replicates", type=int, default=2000)
    found = parser.parse_args(given)
    for name, value in DEFAULTS.get(found.writer, DEFAULTS["smollm2"]).items():
        if getattr(found, name) is None:
            setattr(found, name, value)
    return found


def main() -> None:
    """Write the record that `copybandit bench` reads, and the page."""
    given = arguments()
    if given.fit_only:
        tests = load_ab_tests(archive(given))
        tokenizer = load_writer("tiny", "cpu", 1).tokenizer
        wording(given, split_news(tests, tokenizer, SPLIT)["fit"])
        return
    with tempfile.TemporaryDirectory() as scratch:
        found, report, pairs = measure(given, Path(scratch))
    card = torch.cuda.get_device_name(0) if given.device.startswith("cuda") else "cpu"
    record = {
        "name": "real_clicks",
        "machine": {"cores": os.cpu_count(), "device": card, **versions()},
        "ours": found,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    text = page(report, pairs, writer=given.writer, seeds=given.seeds, part=given.part)
    if given.markdown:
        given.markdown.write_text(text, "utf-8")
    print(text.split("\n## ")[0])


if __name__ == "__main__":
    main()
