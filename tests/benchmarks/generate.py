"""Copies per second of the writers' sampler, on one core, against `generate` of transformers on the same models.

    copybandit bench generate --json generate.json

Both write 4 copies for each of the same products, at temperature 1 from all tokens, at most 24 tokens, 64 rows at a time;
they take turns, and each number is the median of five turns in CPU time, after one to warm up. `_bf16` are those of either
with products rounded to bfloat16. How far that moves the distribution is measured too: nats a token by which bfloat16 and
single precision differ on copies that bfloat16 wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import transformers
from transformers import GenerationConfig

from copybandit.agents.corpus import draw_brief
from copybandit.generators.decoding import decoder_for, multiplies_bf16
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.sampling import SamplingSettings, left_pad, sample_with
from copybandit.generators.smollm2 import has_smollm2

REPEATS, COPIES, BATCH = 5, 4, 64
PRODUCTS = {"tiny": 64, "smollm2": 16}
Rate = tuple[float, float]


def timed(work: Callable[[], int]) -> Rate:
    """Copies per second of CPU time and by the clock."""
    cpu, clock = time.process_time(), time.perf_counter()
    copies = work()
    return copies / (time.process_time() - cpu), copies / (time.perf_counter() - clock)


def ours(writer: CausalLM, prompts: list[str], bf16: bool) -> Callable[[], int]:
    """A run of the writer."""

    def run() -> int:
        writer.bf16 = bf16
        return sum(map(len, writer.write(prompts, COPIES, np.random.default_rng(0))))

    return run


def theirs(writer: CausalLM, prompts: list[str], bf16: bool) -> Callable[[], int]:
    """A run of `generate`, prompts of like length together as ours has them."""
    model = writer.clone("peer").model
    model = model.to(torch.bfloat16) if bf16 else model
    config = GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it without annotations
        do_sample=True, top_k=0, top_p=1.0, temperature=1.0, max_new_tokens=writer.max_new_tokens,
        num_return_sequences=COPIES, pad_token_id=writer.pad_id, eos_token_id=writer.eos_id,
    )  # fmt: skip
    rows = sorted(writer.prompt_ids(prompts), key=len)
    size = BATCH // COPIES

    @torch.no_grad()
    def run() -> int:
        torch.manual_seed(0)
        written = 0
        for start in range(0, len(rows), size):
            ids, mask = left_pad(rows[start : start + size], writer.pad_id, writer.device)
            written += len(model.generate(input_ids=ids, attention_mask=mask, generation_config=config))
        return written

    return run


def difference(writer: CausalLM, prompts: list[str]) -> float:
    """KL of bfloat16's next-token distributions to single precision's, nats a token, on copies that bfloat16 wrote."""
    ids, mask = left_pad(writer.prompt_ids(prompts[:BATCH]), writer.pad_id, writer.device)
    settings = SamplingSettings(
        max_new_tokens=writer.max_new_tokens, temperature=1.0, eos_id=writer.eos_id, pad_id=writer.pad_id
    )
    decoder = decoder_for(writer.model, bf16=True)
    drawn = sample_with(decoder, ids, mask, settings, torch.Generator().manual_seed(0), keep_scores=True)
    assert drawn.scores is not None
    alive = drawn.tokens != writer.pad_id
    whole = torch.cat([mask, alive.long()], 1)
    with torch.no_grad():
        logits = writer.model(
            input_ids=torch.cat([ids, drawn.tokens], 1),
            attention_mask=whole,
            position_ids=(whole.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=alive.shape[1] + 1,
        ).logits[:, :-1]
    rounded, exact = drawn.scores.log_softmax(-1)[alive], logits.log_softmax(-1)[alive]
    return float((rounded.exp() * (rounded - exact)).sum(-1).mean())


def measure(names: list[str]) -> dict[str, Any]:
    """Medians of both, ratios, and what was skipped."""
    found: dict[str, Any] = {"ours": {}, "peers": {"transformers": {}}, "ratios": {}}
    half = multiplies_bf16(torch.device("cpu"))
    for name in names:
        writer = CausalLM.load(name, batch_size=BATCH)
        rng = np.random.default_rng(0)
        prompts = [field_prompt(draw_brief(rng)) for _ in range(PRODUCTS[name])]
        runs = {
            (who, key): make(writer, prompts, bf16=bool(key))
            for key in ("", "_bf16")[: 1 + half]
            for who, make in (("ours", ours), ("peer", theirs))
        }
        rates: dict[tuple[str, str], list[Rate]] = {run: [] for run in runs}
        for turn in range(REPEATS + 1):
            for run, work in runs.items():
                rate = timed(work)
                rates[run] += [rate] if turn else []
        for (who, key), several in rates.items():
            told = found["ours"] if who == "ours" else found["peers"]["transformers"]
            told[f"copies_per_s_{name}{key}"] = median(cpu for cpu, _ in several)
            told[f"wall_copies_per_s_{name}{key}"] = median(wall for _, wall in several)
        peer = found["peers"]["transformers"]
        for key in ("", "_bf16")[: 1 + half]:
            label = f"copies_per_s_{name}{key}"
            found["ratios"][f"transformers_{name}{key}"] = found["ours"][label] / peer[label]
        if half:
            found["ours"][f"kl_per_token_bf16_{name}"] = difference(writer, prompts)
    skipped = [f"{name}: not measured, see --only" for name in sorted(set(PRODUCTS) - set(names))]
    skipped += [] if has_smollm2() else ["smollm2: its weights are not installed"]
    skipped += [] if half else ["bf16: this processor does not multiply it"]
    return {**found, "skipped": skipped}


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--only", choices=sorted(PRODUCTS), help="one writer only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    names = [arguments.only] if arguments.only else ["tiny", *(["smollm2"] if has_smollm2() else [])]
    record = {
        "name": "generate",
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "load_1_minute": os.getloadavg()[0],
        },
        **measure(names),
    }
    arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps({name: record[name] for name in ("ours", "peers", "ratios", "skipped")}, indent=2))


if __name__ == "__main__":
    main()
