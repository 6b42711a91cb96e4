"""Episodes per second of PPO, ours against the recipe in TRL's documentation: same model, prompts, batch, epochs.

    copybandit bench ppo --json ppo.json [--only smollm2] [--seconds 600]
    python tests/benchmarks/ppo.py --device cuda --json ppo_cuda.json --seconds 240
    python tests/benchmarks/ppo.py --curves --json curves.json [--device cuda]

An update writes 16 answers of at most 16 tokens to prompts of 24 and passes over them 4 times in one minibatch (tiny: 64
answers, 2 passes). The stock recipe is TRL's `PPOTrainer` as its example runs it: policy, reference, value and reward model
of the same backbone, all weights trained in single precision; its reward model is read as it reads one. Ours trains an
adapter of rank 16 (`lora`) or all weights (`full`), rounded to bfloat16 where the processor multiplies it. Each is a process
of its own that is asked for one update at a time; they take turns, after one to warm up, until the time is up; a number is
the median of the turns. `floor_s_` is what the update's products alone take at the rate this machine multiplies their
shapes at, measured in the same run; `floor_share_` is the part of that in what was reached (see
`copybandit.evaluation.tuning_cost`). `--curves` tunes on a reward of style for 256 episodes from 3 seeds: what is earned by
the episode must not suffer from being earned faster.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np
import torch

from copybandit.agents.corpus import draw_brief
from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.agents.reward_seam import Reward
from copybandit.evaluation import tuning_cost
from copybandit.evaluation.bench_turns import Asked, turns
from copybandit.generators.decoding import multiplies_bf16
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.generators.smollm2 import has_smollm2
from copybandit.sim.types import Ints

PROMPT, ANSWER, RANK, TURNS = 24, 16, 16, 5
SHAPES = {"tiny": (64, 2), "smollm2": (16, 4)}
"""Rows and epochs of an update."""
RATES = {"stock": 1e-5, "full": 1e-5, "lora": 1e-4}
"""Learning rates: adapters take ten times that of all weights."""
CURVE, SEEDS = 256, (0, 1, 2)
BATCHES = (64, 256, 1024)


def plain_words(index: Ints, texts: list[str]) -> Reward:
    """Share of words of at most four letters: a style, smooth in what is written."""
    words = [text.split() for text in texts]
    return Reward(total=np.array([np.mean([len(word) <= 4 for word in row]) for row in words]))


def prompts_of(writer: CausalLM, count: int) -> list[str]:
    """Different prompts of exactly `PROMPT` tokens, cut from drawn briefs."""
    rng, found = np.random.default_rng(0), dict[str, None]()
    while len(found) < count:
        (ids,) = writer.prompt_ids([f"{field_prompt(draw_brief(rng))} {field_prompt(draw_brief(rng))}"])
        text = writer.tokenizer.decode(ids[:PROMPT])
        if writer.prompt_ids([text]) == [ids[:PROMPT]]:
            found[text] = None
    return list(found)


@dataclass(frozen=True, kw_only=True)
class Side:
    """Who tunes what: the arguments of a process that answers with one update at a time."""

    who: str
    writer: str
    rows: int
    epochs: int
    updates: int
    device: str = "cpu"
    seed: int = 0
    style: bool = False


def ours(side: Side, told: Callable[[float, float], bool]) -> None:
    """Tune by `tune_ppo`; `told` gets reward and length of each update, and says whether to go on."""
    writer = CausalLM.load(side.writer, max_new_tokens=ANSWER, temperature=1.0, device=side.device)
    half = multiplies_bf16(writer.device)
    settings = PPOSettings(
        episodes=side.rows * side.updates, batch_size=side.rows, minibatches=1, ppo_epochs=side.epochs,
        learning_rate=RATES[side.who], reference_samples=64, missing_eos_penalty=0.0 if side.style else 1.0,
        lora_rank=RANK if side.who == "lora" else None, precision="bfloat16" if half else "float32",
    )  # fmt: skip

    def on_update(update: PPOUpdate) -> bool:
        return told(update.reward, update.length)

    with tempfile.TemporaryDirectory() as out:
        prompts = prompts_of(writer, max(256, side.rows))
        tune_ppo(writer, prompts, plain_words, settings, side.seed, out, on_update)


def stock(side: Side, told: Callable[[float, float], bool]) -> None:
    """Tune as TRL's example does, with its own callbacks, loader, generation and models."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, TrainerCallback
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    writer = CausalLM.load(side.writer, max_new_tokens=ANSWER, device=side.device)
    rows = writer.prompt_ids(prompts_of(writer, max(256, side.rows)))

    class Told(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:
            reward = scored.last.reward if side.style else 0.0
            if not told(reward, float(ANSWER)):
                raise KeyboardInterrupt

    with tempfile.TemporaryDirectory() as folder:
        source = str(writer.save(Path(folder) / "writer"))
        policy, reference = (
            AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32) for _ in range(2)
        )
        value, judge = (
            AutoModelForSequenceClassification.from_pretrained(source, num_labels=1, dtype=torch.float32)
            for _ in range(2)
        )
        scored = style_judge(writer, side) if side.style else judge
        config = PPOConfig(
            output_dir=folder, per_device_train_batch_size=side.rows, num_ppo_epochs=side.epochs, num_mini_batches=1,
            gradient_accumulation_steps=1, total_episodes=side.rows * side.updates, response_length=ANSWER,
            temperature=1.0, stop_token="eos", missing_eos_penalty=None if side.style else 1.0, seed=side.seed,
            learning_rate=RATES["stock"], num_sample_generations=0, bf16=False, use_cpu=side.device == "cpu",
            save_strategy="no", report_to=[],
        )  # fmt: skip
        trainer = PPOTrainer(
            args=config, processing_class=writer.tokenizer, model=policy, ref_model=reference, reward_model=scored,
            value_model=value, train_dataset=Dataset.from_dict({"input_ids": rows}), callbacks=[Told()],
        )  # fmt: skip
        trainer.train()  # type: ignore[no-untyped-call]  # TRL leaves it without annotations


def style_judge(writer: CausalLM, side: Side) -> Any:
    """The reward of ours in the shape of TRL's reward model, standardised on the same samples."""
    from copybandit.agents.ppo_parts import reference_sample
    from copybandit.agents.reward_seam import ProgrammaticReward, PromptIndex

    prompts = prompts_of(writer, max(256, side.rows))
    settings = PPOSettings(reference_samples=64, missing_eos_penalty=0.0)
    sample = reference_sample(writer, prompts, plain_words, settings, np.random.default_rng(side.seed))
    index = PromptIndex(writer.prompt_ids(prompts))
    return ProgrammaticReward(plain_words, index, writer.decode, writer.eos_id, sample.scale)


def answer(side: Side) -> None:
    """Be a side: tune, and answer each line of the input with one update; the end of the input ends it."""
    out, sys.stdout = sys.stdout, sys.stderr
    start: list[float] = []

    def wait() -> bool:
        asked = bool(sys.stdin.readline())
        start[:] = [time.perf_counter(), time.process_time()]
        return asked

    def told(reward: float, length: float) -> bool:
        if side.device == "cuda":
            torch.cuda.synchronize()
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        print(
            json.dumps({"wall": wall, "cpu": cpu, "reward": reward, "length": length}), file=out, flush=True
        )
        return wait()

    if wait():
        (stock if side.who == "stock" else ours)(side, told)


def asked(side: Side) -> Asked:
    """A side's process."""
    return Asked(f"{side.who} of {side.writer}", [__file__, "--side", json.dumps(vars(side))])


def turns_of(sides: list[Side], seconds: float) -> tuple[dict[str, list[dict[str, float]]], list[str]]:
    """Updates of sides that take turns, by who does them; and why sides dropped out."""
    found, lost = turns([asked(side) for side in sides], TURNS, seconds)
    return {side.who: told for side, told in zip(sides, found, strict=True) if told}, lost


def speeds(names: list[str], seconds: float) -> dict[str, Any]:
    """Both, writer by writer, with floors and ratios."""
    record: dict[str, Any] = {"ours": {}, "peers": {"trl": {}}, "ratios": {}, "skipped": []}
    cpu = torch.device("cpu")
    half = torch.bfloat16 if multiplies_bf16(cpu) else torch.float32
    for name in names:
        rows, epochs = SHAPES[name]
        sides = [Side(who=who, writer=name, rows=rows, epochs=epochs, updates=99) for who in RATES]
        found, lost = turns_of(sides, seconds / len(names))
        record["skipped"] += lost
        config = CausalLM.load(name).model.config
        for who, told in found.items():
            wall = median(one["wall"] for one in told)
            into, key = (
                (record["peers"]["trl"], name) if who == "stock" else (record["ours"], f"{name}_{who}")
            )
            into[f"episodes_per_s_{key}"], into[f"turns_{key}"] = rows / wall, len(told)
            into[f"cpu_s_per_update_{key}"] = median(one["cpu"] for one in told)
            if who != "stock":
                shape = tuning_cost.Update(
                    rows=rows, prompt=PROMPT, answer=ANSWER, epochs=epochs, adapter=who == "lora"
                )
                floor = tuning_cost.floor_seconds(config, shape, half, cpu)
                into[f"length_{key}"] = median(one["length"] for one in told)
                into[f"gigaflop_{key}"] = tuning_cost.operations(config, shape) / 1e9
                into[f"floor_s_{key}"], into[f"floor_share_{key}"] = floor, floor / wall
                pairs = list(zip(told, found.get("stock", []), strict=False))
                record["ratios"] |= (
                    {f"{name}_{who}": median(b["wall"] / a["wall"] for a, b in pairs)} if pairs else {}
                )
        rates = [record["ours"].get(f"episodes_per_s_{name}_{who}", 0.0) for who in RATES]
        record["ours"][f"episodes_per_s_{name}"] = max(rates)
    return record


def on_card(seconds: float) -> dict[str, Any]:
    """Samples and tokens a second of growing batches on a GPU, and what share of it they use."""
    card, half = torch.device("cuda"), torch.bfloat16
    config, bandwidth = CausalLM.load("smollm2").model.config, tuning_cost.copy_bandwidth(card, 4096)
    peak = tuning_cost.rate(8192, 8192, 8192, half, card)
    record: dict[str, Any] = {"ours": {}, "peers": {"trl": {}}, "ratios": {}, "skipped": []}
    record["ours"] |= {"gemm_tflop_per_s": peak / 1e12, "copy_tb_per_s": bandwidth / 1e12}
    end = time.perf_counter() + seconds
    plan = [(rows, who) for rows in BATCHES for who in RATES if who != "stock" or rows == BATCHES[0]]
    for place, (rows, who) in enumerate(plan):
        left = (end - time.perf_counter()) / (len(plan) - place)
        side = Side(who=who, writer="smollm2", rows=rows, epochs=4, updates=99, device="cuda")
        found, lost = turns_of([side], left)
        record["skipped"] += lost
        if who not in found:
            continue
        wall = median(one["wall"] for one in found[who])
        into, key = record["peers"]["trl"] if who == "stock" else record["ours"], f"{who}_{rows}"
        into[f"samples_per_s_{key}"] = rows / wall
        if who != "stock":
            shape = tuning_cost.Update(
                rows=rows, prompt=PROMPT, answer=ANSWER, epochs=4, adapter=who == "lora"
            )
            into[f"tokens_per_s_{key}"] = rows * median(one["length"] for one in found[who]) / wall
            into[f"flop_share_{key}"] = tuning_cost.operations(config, shape) / wall / peak
            into[f"bandwidth_share_{key}"] = tuning_cost.traffic(config, shape, 2) / wall / bandwidth
            into[f"floor_share_{key}"] = tuning_cost.floor_seconds(config, shape, half, card) / wall
    return record


def curves(name: str, device: str) -> dict[str, Any]:
    """Raw reward of every update over `CURVE` episodes, by side and seed, and what is earned in the mean and at the end."""
    rows, epochs = SHAPES[name]
    earned: dict[str, list[list[float]]] = {}
    for seed in SEEDS:
        for who in RATES:
            length = CURVE // rows
            side = Side(who=who, writer=name, rows=rows, epochs=epochs, updates=length, device=device)
            one = asked(replace(side, seed=seed, style=True))
            told = [update["reward"] for update in iter(one.turn, None)]
            print(f"{who} seed {seed}: {told[:1]} -> {told[-1:]} {one.close()}", file=sys.stderr, flush=True)
            earned.setdefault(who, []).append(told)
    found = {f"curve_{name}_{who}": several for who, several in earned.items()}
    for who, several in earned.items():
        quarters = [[float(part.mean()) for part in np.array_split(told, 4)] for told in several]
        found[f"quarters_{name}_{who}"] = quarters
    return {"ours": found, "peers": {}, "ratios": {}, "skipped": []}


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--only", choices=sorted(SHAPES), help="one writer only")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=1800.0, help="no new turn begins after them")
    parser.add_argument("--curves", action="store_true", help="reward by the episode instead of speed")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        answer(Side(**json.loads(given.side)))
        return
    if given.json is None:
        parser.error("needs a file to write, got none; pass --json FILE")
    names = [given.only] if given.only else ["tiny", *(["smollm2"] if has_smollm2() else [])]
    if given.curves:
        found = curves(names[-1], given.device)
    else:
        found = on_card(given.seconds) if given.device == "cuda" else speeds(names, given.seconds)
    found["skipped"] += [] if has_smollm2() else ["smollm2: its weights are not installed"]
    machine = {
        "processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "python": platform.python_version(), "torch": torch.__version__,
        "load_1_minute": os.getloadavg()[0],
    }  # fmt: skip
    if given.device == "cuda":
        machine["card"] = torch.cuda.get_device_name()
    given.json.write_text(json.dumps({"name": "ppo", "machine": machine, **found}, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
