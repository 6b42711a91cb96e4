"""Copies per second of the writers' sampler, on one core, against `generate` of transformers on the same models.

    copybandit bench generate --json generate.json

Both write 4 copies for each of the same products, at temperature 1 from all tokens, at most 24 tokens, 64 rows at a time;
they take turns, and each number is the median of five turns in CPU time, after one to warm up. `_bf16` are those of either
with weights' products rounded to bfloat16. Three ratios for each writer:

    ratio                  ours     transformers                                        says
    like_for_like_fp32_    fp32     fp32, prompts of like length together               what the sampler does
    like_for_like_bf16_    bf16     bf16 throughout, prompts of like length together    the same, where bf16 is multiplied
    as_used_               bf16     fp32, prompts as they come: `generate` as it is     what a user gets; mixes precisions

What bfloat16 costs is measured too: nats a token by which our distribution differs from single precision's, on copies that
bfloat16 wrote (`kl_per_token_bf16_`).
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


def theirs(writer: CausalLM, prompts: list[str], bf16: bool, *, as_given: bool = False) -> Callable[[], int]:
    """A run of `generate`; prompts of like length together, as ours has them, or in their order."""
    model = writer.clone("peer").model
    model = model.to(torch.bfloat16) if bf16 else model
    config = GenerationConfig(  # type: ignore[no-untyped-call]  # transformers leaves it without annotations
        do_sample=True, top_k=0, top_p=1.0, temperature=1.0, max_new_tokens=writer.max_new_tokens,
        num_return_sequences=COPIES, pad_token_id=writer.pad_id, eos_token_id=writer.eos_id,
    )  # fmt: skip
    rows = writer.prompt_ids(prompts)
    rows = rows if as_given else sorted(rows, key=len)
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


def runs_of(writer: CausalLM, prompts: list[str], half: bool) -> dict[tuple[str, str], Callable[[], int]]:
    """What takes turns: who (ours or transformers) and the end of its key."""
    runs = {
        ("ours", ""): ours(writer, prompts, bf16=False),
        ("transformers", ""): theirs(writer, prompts, bf16=False),
        ("transformers", "_as_given"): theirs(writer, prompts, bf16=False, as_given=True),
    }
    if half:
        runs["ours", "_bf16"] = ours(writer, prompts, bf16=True)
        runs["transformers", "_bf16"] = theirs(writer, prompts, bf16=True)
    return runs


def rates_of(runs: dict[tuple[str, str], Callable[[], int]]) -> dict[tuple[str, str], Rate]:
    """Medians, by CPU time and by the clock, of runs that take turns."""
    rates: dict[tuple[str, str], list[Rate]] = {run: [] for run in runs}
    for turn in range(REPEATS + 1):
        for run, work in runs.items():
            rate = timed(work)
            rates[run] += [rate] if turn else []
    return {run: (median(c for c, _ in told), median(w for _, w in told)) for run, told in rates.items()}


def measure(names: list[str]) -> dict[str, Any]:
    """Medians of both, ratios, and what was skipped."""
    found: dict[str, Any] = {"ours": {}, "peers": {"transformers": {}}, "ratios": {}}
    half = multiplies_bf16(torch.device("cpu"))
    for name in names:
        writer = CausalLM.load(name, batch_size=BATCH)
        rng = np.random.default_rng(0)
        prompts = [field_prompt(draw_brief(rng)) for _ in range(PRODUCTS[name])]
        rates = rates_of(runs_of(writer, prompts, half))
        for (who, key), (cpu, wall) in rates.items():
            told = found["ours"] if who == "ours" else found["peers"]["transformers"]
            told[f"copies_per_s_{name}{key}"], told[f"wall_copies_per_s_{name}{key}"] = cpu, wall
        speed = {run: cpu for run, (cpu, _) in rates.items()}
        found["ratios"][f"like_for_like_fp32_{name}"] = speed["ours", ""] / speed["transformers", ""]
        if half:
            like = speed["ours", "_bf16"] / speed["transformers", "_bf16"]
            found["ratios"][f"like_for_like_bf16_{name}"] = like
            used = speed["ours", "_bf16"] / speed["transformers", "_as_given"]
            found["ratios"][f"as_used_{name}"] = used
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
