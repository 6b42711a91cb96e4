"""Controls of tuning: what must not work does not work; each with a rule that can fail, an interval and a verdict.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/controls.py --json FILE [--shop 11] [--episodes 1024] [--seeds 0 1 2]``.
The shop is quickstart's with another seed, its rewards are those that PPO gets; writers are tuned on the fit cells and read
on the select cells. `full` is the positive control: without it a control that shows nothing would prove nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np

from copybandit.agents.ppo import PPOSettings
from copybandit.agents.reward_seam import RewardFn
from copybandit.evaluation.card_bait import bait_margins
from copybandit.evaluation.card_controls import (
    PARTS,
    Without,
    component,
    constant_reward,
    random_reward,
    tune_on,
)
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_subject import Drafts, write_drafts
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.stage_judge import swap_values
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Ints
from copybandit.sim.world import World

DRAWS = Draws(replicates=4000)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One control.

    Attributes:
        name: of the control.
        rule: that it must satisfy.
        value, ci_low, ci_high: what was measured, with its 95% interval over seeds and products.
        kl: nats per text that tuning moved the writer.
        passed: whether the rule holds.
    """

    name: str
    rule: str
    value: float
    ci_low: float
    ci_high: float
    kl: float
    passed: bool


def shop(folder: Path, overrides: dict[str, object]) -> Pipeline:
    """Quickstart's shop, fitted; stages that are done in the folder are not done again."""
    settings = load_settings("quickstart", overrides)
    open_folder = RunFolder.resume if folder.exists() else RunFolder.create
    pipeline = Pipeline(settings, open_folder(folder, settings), Silent())
    for name in ("data", "fit", "sft"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A shop, and how its writer is tuned and read.

    Attributes:
        writer: before tuning.
        fit, read: reward in the cells that tuning sees, and in those that are read.
        gold: the truth.
        references: reference copy of each product.
        settings: of every tuning run.
        seeds: of tuning.
        scratch: folder for what tuning leaves.
    """

    writer: CausalLM
    fit: CellReward
    read: CellReward
    gold: World
    references: tuple[str, ...]
    settings: PPOSettings
    seeds: tuple[int, ...]
    scratch: Path

    @property
    def product(self) -> Ints:
        """Product of each cell that is read."""
        return self.read.cells.product

    def tuned(self, name: str, score: Callable[[int], RewardFn]) -> tuple[Drafts, Drafts, float]:
        """Tune on a score, one run per seed: its copy, the copy before tuning by the same random numbers, and the KL."""
        tell(f"{name}: tuning {len(self.seeds)} seeds")
        writers = [
            tune_on(self.writer, self.fit, score(seed), self.settings, seed, self.scratch / name / str(seed))
            for seed in self.seeds
        ]
        cells, editor = self.read.cells, self.read.editor
        ours, theirs = (
            write_drafts(group, cells, self.references, editor, 0, 0)
            for group in (writers, [self.writer] * len(writers))
        )
        ratios = [
            float((w.log_prob(cells.briefs, row) - self.writer.log_prob(cells.briefs, row)).mean())
            for w, row in zip(writers, ours.first, strict=True)
        ]
        return ours, theirs, float(np.mean(ratios))

    def lift(self, ours: Drafts, theirs: Drafts) -> Interval:
        """Relative lift of gold clicks of shown copy."""
        a, b = (self.read.cells.rates(self.gold, drafts.shown) for drafts in (ours, theirs))
        return DRAWS.lift(a, b, self.product)

    def moved(self, ours: Drafts, theirs: Drafts, part: str) -> Interval:
        """Change of a component of first proposals, in log-odds."""
        a, b = (component(self.read, drafts.first, part) for drafts in (ours, theirs))
        return DRAWS.mean(a - b, self.product)


def bench_of(pipeline: Pipeline, given: argparse.Namespace, scratch: Path) -> Bench:
    """The bench of a fitted shop."""
    tune = pipeline.settings.tune
    settings = PPOSettings(
        episodes=given.episodes,
        batch_size=tune.batch_size,
        minibatches=tune.minibatches,
        ppo_epochs=tune.ppo_epochs,
        learning_rate=tune.learning_rate,
        critic_learning_rate=tune.critic_learning_rate,
        reference_samples=min(tune.reference_samples, given.episodes),
        target_kl=tune.kl_target,
        kl_coef=tune.kl_coef,
        kl_anneal=tune.kl_anneal,
    )
    return Bench(
        writer=CausalLM.load(str(pipeline.folder.output("sft") / "writer")),
        fit=pipeline.reward("fit"),
        read=pipeline.reward("select"),
        gold=pipeline.gold(),
        references=pipeline.shop().references,
        settings=settings,
        seeds=tuple(given.seeds),
        scratch=scratch,
    )


def row(name: str, rule: str, found: Interval, kl: float, passed: bool) -> Row:
    """A row of the table."""
    return Row(
        name=name,
        rule=rule,
        value=found.value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        kl=kl,
        passed=bool(passed),
    )


def lifts(bench: Bench) -> list[Row]:
    """Full, random and constant reward: what each does to gold clicks."""
    rows = []
    ours, theirs, kl = bench.tuned("full", partial(_always, bench.fit))
    found = bench.lift(ours, theirs)
    rows.append(row("full reward: gold clicks", "lower end above 0", found, kl, found.ci_low > 0))
    for part in PARTS:
        found = bench.moved(ours, theirs, part)
        rows.append(row(f"full reward: {part}", "told, to compare with its removal", found, kl, True))
    ours, theirs, kl = bench.tuned("random", random_reward)
    found = bench.lift(ours, theirs)
    rows.append(row("random reward: gold clicks", "lower end not above 0", found, kl, found.ci_low <= 0))
    # Texts that do not end would earn less than the others.
    level = replace(bench, settings=replace(bench.settings, missing_eos_penalty=0.0))
    ours, theirs, kl = level.tuned("constant", partial(_always, constant_reward))
    found = bench.lift(ours, theirs)
    same = ours.first == theirs.first and kl == 0.0
    rows.append(row("constant reward: gold clicks", "not one text differs, KL is 0", found, kl, same))
    return rows


def removals(bench: Bench) -> list[Row]:
    """Each part of the reward taken out: it must not rise."""
    rows = []
    for part in PARTS:
        left = Without(reward=bench.fit, part=part)
        ours, theirs, kl = bench.tuned(f"without-{part}", partial(_always, left))
        found = bench.moved(ours, theirs, part)
        rows.append(row(f"without {part}: {part}", "lower end not above 0", found, kl, found.ci_low <= 0))
    return rows


def _always(score: RewardFn, seed: int) -> RewardFn:
    """The same score for every tuning seed."""
    return score


def baits(bench: Bench) -> list[Row]:
    """Texts written for the scorer against the honest copy they are made of, under the reward that PPO gets."""
    cells = bench.read.cells
    every, rng = np.arange(len(cells)), np.random.default_rng(0)
    honest = [variants[0].text for variants in bench.writer.propose(cells.briefs, 1, rng)]
    rows = []
    for one in bait_margins(bench.read, every, honest):
        found = DRAWS.mean(one.margin[None], cells.product[one.rows])
        rule = "upper end below 0"
        rows.append(row(f"bait: {one.name}", rule, found, 0.0, found.ci_high < 0))
    return rows


def unmatched(bench: Bench, swapped: World) -> list[Row]:
    """A shop where nobody cares what copy talks about: no swap effect, and no personalisation learned for nothing.

    Args:
        bench: of a shop whose gold world has b_match = 0.
        swapped: the same gold world with a match, in which personal copy would show.
    """
    ours, theirs, kl = bench.tuned("no-match-world", partial(_always, bench.fit))
    cells = bench.read.cells
    values, product = swap_values(bench.gold, cells, ours.shown)
    found = DRAWS.mean(values, product)
    none = abs(found.value) < 1e-9
    rows = [row("b_M = 0: swap test in that world", "0 within rounding", found, kl, none)]
    after, before = (swap_values(swapped, cells, drafts.shown)[0] for drafts in (ours, theirs))
    found = DRAWS.mean(after - before, product)
    rule = "lower end not above 0"
    name = "b_M = 0: what the swap test would gain if b_M were .3"
    rows.append(row(name, rule, found, kl, found.ci_low <= 0))
    return rows


def with_match(gold: World, b_match: float = 0.3) -> World:
    """The same world where readers care for what copy talks about."""
    return replace(gold, coefficients=replace(gold.coefficients, b_match=b_match))


def measure(given: argparse.Namespace, keep: Path, scratch: Path) -> list[Row]:
    """All controls on one shop, and those of a world without match on its twin."""
    overrides = {"seed": given.shop, **dict(parse_override(text) for text in given.set)}
    bench = bench_of(shop(keep / "shop", overrides), given, scratch / "shop")
    rows = [*baits(bench), *lifts(bench), *removals(bench)]
    twin = bench_of(shop(keep / "twin", {**overrides, "terms.b_match": 0.0}), given, scratch / "twin")
    return [*rows, *unmatched(twin, with_match(twin.gold))]


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [f"{'control':<58} {'value':>8} {'95% interval':>20} {'KL':>6}  verdict"]
    for one in rows:
        span = f"{one.ci_low:+.4f} to {one.ci_high:+.4f}"
        verdict = "passed" if one.passed else "FAILED"
        lines.append(f"{one.name:<58} {one.value:>+8.4f} {span:>20} {one.kl:>6.2f}  {verdict} ({one.rule})")
    return "\n".join(lines)


def tell(line: str) -> None:
    """Show that something happens."""
    print(line, file=sys.stderr, flush=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--shop", type=int, default=11, help="seed of the shop; 11 to 15 are for development")
    parser.add_argument("--episodes", type=int, default=1024, help="per tuning run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of tuning")
    parser.add_argument("--keep", type=Path, help="folder of the two shops, made or used again")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args(given)


def main() -> None:
    """Write the record that `copybandit bench` reads; exit with 1 if a control fails."""
    given = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        rows = measure(given, given.keep or Path(scratch) / "keep", Path(scratch))
    record = {
        "name": "controls",
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "ours": {
            "shop": given.shop,
            "episodes": given.episodes,
            "seeds": given.seeds,
            "failed": [one.name for one in rows if not one.passed],
            "rows": [asdict(one) for one in rows],
        },
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(table(rows))
    if not all(one.passed for one in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
