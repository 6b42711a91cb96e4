"""The GAN judged fairly: quality over diversity, swept through temperatures, for maximum likelihood, GAN and PPO.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/gan.py --json FILE [--picture FILE.png]``. The shop is quickstart's. Real
copy is its earlier copy of fit products that the editor passes. Maximum likelihood (SFT) learns it first; the GAN and PPO
both start from there. All write the same judge briefs. The reference model reads earlier copy of the other products, which
no writer learned from. "MLE again" is the same writer with other random numbers: its gap is what chance alone does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import msgspec
import numpy as np

from copybandit.agents.gan import GANResult, GANRound, GANSettings, train_gan
from copybandit.agents.sft import SFTResult, SFTSettings, sft
from copybandit.agents.tune import TuneUpdate
from copybandit.evaluation.approved_copy import ApprovedCopy, approved_copy, shown_copy
from copybandit.evaluation.card_shop import STAGES, staged
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.quality_chart import save_picture
from copybandit.evaluation.quality_diversity import gap, sweep
from copybandit.evaluation.stage_tune import tune_seed
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.protocol import Generator
from copybandit.generators.retrieval import RetrievalWriter
from copybandit.sim.surprisal import Surprisal


def shop(folder: Path, overrides: dict[str, object]) -> Pipeline:
    """Quickstart's shop, fitted; stages that are done in the folder are not done again."""
    return staged(folder, load_settings("quickstart", overrides), STAGES, Silent())


def likelihood(pipeline: Pipeline, real: ApprovedCopy, given: argparse.Namespace) -> SFTResult:
    """The pretrained writer after maximum likelihood on real copy."""
    start = CausalLM.load(str(pipeline.folder.output("sft") / "writer"))
    pairs = [(field_prompt(brief), text) for brief, text in zip(real.briefs, real.texts, strict=True)]
    settings = SFTSettings(epochs=given.epochs, learning_rate=given.sft_learning_rate)
    return sft(start, pairs, settings, 0, pipeline.folder.path / "mle")


def adversarial(mle: CausalLM, real: ApprovedCopy, seed: int, given: argparse.Namespace) -> GANResult:
    """The GAN, from the writer of maximum likelihood."""
    settings = GANSettings(
        rounds=given.rounds, batch_size=given.batch_size, learning_rate=given.learning_rate
    )
    return train_gan(mle, real.briefs, real.texts, settings, seed, tell)


def tell(done: GANRound) -> bool:
    """Show that something happens."""
    print(f"round {done.round}: reward {done.reward:.3f}, entropy {done.entropy:.3f}", flush=True)
    return True


def tuned(pipeline: Pipeline, mle: CausalLM, given: argparse.Namespace, scratch: Path) -> CausalLM:
    """PPO on the fitted world, as `copybandit run` tunes, with fewer episodes."""
    settings = msgspec.structs.replace(pipeline.settings.tune, episodes=given.episodes, restarts=1)

    def on_update(_: int, update: TuneUpdate) -> bool:
        print(f"ppo {update.update}: reward {update.reward:.3f}, KL {update.kl:.2f}", flush=True)
        return True

    fit, select = pipeline.reward("fit"), pipeline.reward("select")
    tune_seed(mle, fit, select, settings, 0, scratch, on_update)
    return CausalLM.load(str(scratch / "writer"), generator_id="ppo")


def measure(pipeline: Pipeline, given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Train the writers, sweep them, compare their curves."""
    data, rng = pipeline.shop(), np.random.default_rng(0)
    real = approved_copy(data, data.catalogue.fit, pipeline.editor, rng)
    held_out = approved_copy(data, ~data.catalogue.fit, pipeline.editor, rng)
    mle = likelihood(pipeline, real, given)
    trained = {f"GAN {seed}": adversarial(mle.writer, real, seed, given) for seed in given.seeds}
    writers: dict[str, Generator] = {"MLE": mle.writer, "MLE again": mle.writer}
    writers |= {name: result.writer for name, result in trained.items()}
    if given.episodes:
        writers["PPO"] = tuned(pipeline, mle.writer, given, scratch / "ppo")
    swept = tuple(writers)[1:]
    assert data.rounds is not None, "a synthetic shop has a log of its copy"
    writers["retrieval"] = RetrievalWriter(shown=shown_copy(real, data.rounds, data.shoppers.fit))
    reward = pipeline.reward("judge")
    rows = np.sort(rng.permutation(len(reward.cells))[: given.briefs])
    reference, at = Surprisal.fit(held_out.texts), given.temperatures
    points = sweep(writers, reward, rows, reference, temperatures=at, copies=given.copies)
    if given.picture:
        save_picture(points, given.picture)
    return {
        "real_texts": len(real.texts),
        "held_out_texts": len(held_out.texts),
        "mle": {"loss_before": mle.loss_before, "loss_after": mle.loss_after},
        "gan": {name: gan_of(result) for name, result in trained.items()},
        "points": [asdict(point) for point in points],
        "gaps": [asdict(gap(points, name, "MLE")) for name in swept],
        "settings": {k: v for k, v in vars(given).items() if k not in ("json", "picture", "keep", "set")},
    }


def gan_of(result: GANResult) -> dict[str, Any]:
    """How one GAN was trained."""
    return {"stopped": result.stopped, "rounds": [asdict(row) for row in result.rounds]}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    parser.add_argument("--keep", type=Path, help="folder of the shop, made or used again")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the GAN")
    parser.add_argument("--rounds", type=int, default=100, help="of the GAN")
    parser.add_argument("--batch-size", type=int, default=128, help="of the GAN")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of the GAN")
    parser.add_argument("--epochs", type=int, default=2, help="of maximum likelihood")
    parser.add_argument("--sft-learning-rate", type=float, default=1e-4)
    parser.add_argument("--episodes", type=int, default=2048, help="of PPO; 0 leaves it out")
    parser.add_argument("--briefs", type=int, default=300, help="judge briefs")
    parser.add_argument("--copies", type=int, default=2, help="texts per brief")
    parser.add_argument(
        "--temperatures", type=float, nargs="+", default=[0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5]
    )
    return parser.parse_args(given)


def main() -> None:
    """Write the record that `copybandit bench` reads."""
    given = arguments()
    overrides = dict(parse_override(text) for text in given.set)
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = shop(given.keep or Path(scratch) / "shop", overrides)
        found = measure(pipeline, given, Path(scratch))
    record = {
        "name": "gan",
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "ours": found,
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(json.dumps(found["gaps"], indent=2))


if __name__ == "__main__":
    main()
