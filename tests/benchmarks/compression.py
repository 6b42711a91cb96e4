"""What smaller writers lose and gain: int8 layers, and fewer layers with and without distillation.

    copybandit bench compression --json compression.json --writer smollm2 --layers 15 --steps 60

For each: perplexity on held-out copy of the grammar (products never trained on), KL(teacher || student) on it in nats a
token, copies per second on one core in CPU time (median of five turns, taken in turns), and megabytes on disk.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from copybandit.agents.corpus import draw_brief
from copybandit.agents.distil import DistilSettings, distil, smaller, token_kl
from copybandit.agents.sft import Example, SFTSettings, response_loss, sft
from copybandit.generators.grammar import write
from copybandit.generators.int8 import quantise
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.smollm2 import has_smollm2

REPEATS, COPIES, HELD_OUT, TRAIN = 5, 4, 48, 512


def examples(n: int, seed: int) -> list[Example]:
    """Prompts and copy of the grammar."""
    rng = np.random.default_rng(seed)
    briefs = [draw_brief(rng) for _ in range(n)]
    return [(field_prompt(brief), write(brief, rng)) for brief in briefs]


def megabytes(writer: CausalLM) -> float:
    """Size of the weights on disk."""
    with tempfile.TemporaryDirectory() as folder:
        files = writer.save(Path(folder) / "w").glob("*.safetensors")
        return sum(file.stat().st_size for file in files) / 1e6


def speeds(writers: dict[str, CausalLM], prompts: list[str]) -> dict[str, float]:
    """Copies per second of CPU time."""
    rates: dict[str, list[float]] = {name: [] for name in writers}
    for turn in range(REPEATS + 1):
        for name, writer in writers.items():
            start = time.process_time()
            writer.write(prompts, COPIES, np.random.default_rng(0))
            rate = len(prompts) * COPIES / (time.process_time() - start)
            rates[name] += [rate] if turn else []
    return {name: median(several) for name, several in rates.items()}


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Every number, by name of the writer."""
    train, held_out = examples(TRAIN, 0), examples(HELD_OUT, 1)
    teacher = CausalLM.load(arguments.writer)
    if arguments.sft_steps:
        settings = SFTSettings(max_steps=arguments.sft_steps, epochs=100, batch_size=16)
        with tempfile.TemporaryDirectory() as folder:
            teacher = sft(teacher, train, settings, 0, folder).writer
    layers = arguments.layers or -(-len(teacher.model.model.layers) // 2)
    wanted = DistilSettings(layers=layers, steps=arguments.steps)
    writers = {
        "teacher": teacher,
        "int8": quantise(teacher, "int8"),
        "cut": smaller(teacher, layers, "cut"),
        "distilled": distil(teacher, train, wanted, 0, _tell).writer,
    }
    found: dict[str, float] = {"layers_distilled": layers, "steps_distilled": arguments.steps}
    for name, writer in writers.items():
        with torch.no_grad():
            found[f"kl_per_token_{name}"] = float(token_kl(teacher, writer, held_out))
        found[f"perplexity_{name}"] = math.exp(response_loss(writer, held_out))
        found[f"megabytes_{name}"] = megabytes(writer)
    prompts = [prompt for prompt, _ in held_out[:16]]
    return found | {f"copies_per_s_{name}": rate for name, rate in speeds(writers, prompts).items()}


def _tell(step: int, steps: int) -> None:
    if step % 20 == 0 or step == steps:
        print(f"distil: {step} of {steps}", flush=True)


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--writer", default="smollm2" if has_smollm2() else "tiny", help="the teacher")
    parser.add_argument(
        "--layers", type=int, default=0, help="of the student; half the teacher's if not given"
    )
    parser.add_argument("--steps", type=int, default=200, help="optimizer steps of distillation")
    parser.add_argument(
        "--sft-steps", type=int, default=0, help="steps that the teacher learns the copy first"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ours = measure(arguments)
    record = {
        "name": "compression",
        "machine": {"processor": platform.machine(), "python": platform.python_version(), "torch": torch.__version__},
        "writer": arguments.writer,
        "ours": ours,
        "peers": {},
        "ratios": {
            f"{name}_copies_per_s": ours[f"copies_per_s_{name}"] / ours["copies_per_s_teacher"]
            for name in ("int8", "cut", "distilled")
        },
        "skipped": [],
    }  # fmt: skip
    arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps({name: record[name] for name in ("ours", "ratios")}, indent=2))


if __name__ == "__main__":
    main()
