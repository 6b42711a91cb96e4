"""Controls of tuning: what must not work does not work; each with a rule that can fail, an interval and a verdict.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/controls.py --json FILE [--shop 11] [--episodes 1024] [--seeds 0 1 2]``.
The shop is quickstart's with another seed, its rewards are those that PPO gets; writers are tuned on the fit cells and read
on the select cells. `full` and the paid canary are the positive controls: without them a control that shows nothing would
prove nothing. A part of the reward that is taken out is held to one side (it may fall); the canary, which is compared with
the writer that never had it, may not move at all.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import numpy as np

from copybandit.agents.reward_seam import RewardFn
from copybandit.evaluation.card_bait import bait_margins
from copybandit.evaluation.card_controls import PARTS, WithCanary, Without, constant_reward, random_reward
from copybandit.evaluation.card_shop import STAGES, staged
from copybandit.evaluation.control_bench import Bench, Written
from copybandit.evaluation.control_rows import EXACT, Row, falls, rises, row, still, table, unpaid
from copybandit.evaluation.intervals import Interval
from copybandit.evaluation.load_settings import load_settings, parse_override
from copybandit.evaluation.machine import versions
from copybandit.evaluation.progress import Silent
from copybandit.evaluation.stage_judge import swap_values
from copybandit.sim.world import World


def controls(bench: Bench) -> list[Row]:
    """What the whole reward moves, and what a random, a constant and a cut reward do not."""
    full = bench.tuned("full", partial(_always, bench.fit))
    lift = bench.lift(full)
    paid = {name: bench.moved(full, name) for name in PARTS}
    rows = [rises("full reward: gold clicks", lift, full.kl)]
    rows += [rises(f"full reward: {name}", found, full.kl) for name, found in paid.items()]
    rows += [random(bench, lift), constant(bench)]
    for name, found in paid.items():
        cut = bench.tuned(f"without-{name}", partial(_always, Without(reward=bench.fit, part=name)))
        rows.append(unpaid(f"without {name}: {name}", bench.moved(cut, name), cut.kl, found))
    return [*rows, *canaries(bench, full)]


def canaries(bench: Bench, without: Written) -> list[Row]:
    """The canary where it is paid, and where it is among the components and not paid: then nothing may differ.

    Args:
        bench: of the shop.
        without: what the whole reward made, which never had it.
    """
    singing = bench.tuned("canary", partial(_always, WithCanary(reward=bench.fit, paid=True)))
    silent = bench.tuned("canary-not-paid", partial(_always, WithCanary(reward=bench.fit, paid=False)))
    apart = Written(ours=silent.ours, theirs=without.ours, kl=silent.kl)
    same = silent.ours.first == without.ours.first and silent.kl == without.kl
    rule = "two-sided and exact: not one text differs from those of the full reward, and the KL is the same"
    return [
        rises("canary paid: canary", bench.sung(singing), singing.kl),
        row("canary taken out: canary, less full reward's", rule, bench.sung(apart), silent.kl, same),
    ]


def random(bench: Bench, paid: Interval) -> Row:
    """Noise as reward."""
    found = bench.tuned("random", random_reward)
    return still("random reward: gold clicks", bench.lift(found), found.kl, paid)


def constant(bench: Bench) -> Row:
    """One reward for every text; texts that do not end would earn less than the others."""
    level = replace(bench, settings=replace(bench.settings, missing_eos_penalty=0.0))
    found = level.tuned("constant", partial(_always, constant_reward))
    same = found.ours.first == found.theirs.first and found.kl == 0.0
    rule = "not one text differs, KL is 0"
    return row("constant reward: gold clicks", rule, bench.lift(found), found.kl, same)


def _always(score: RewardFn, seed: int) -> RewardFn:
    """The same score for every tuning seed."""
    return score


def baits(bench: Bench) -> list[Row]:
    """Texts written for the scorer against the honest copy they are made of, under the reward that PPO gets.

    The last row is what is left of the worst kind if no rule refuses it; it is told, not judged.
    """
    cells = bench.read.cells
    honest = [
        variants[0].text for variants in bench.writer.propose(cells.briefs, 1, np.random.default_rng(0))
    ]
    found = bait_margins(bench.read, np.arange(len(cells)), honest)
    rows = [
        falls(f"bait: {one.name}", bench.draws.mean(one.margin[None], cells.product[one.rows]))
        for one in found
    ]
    worst = max(found, key=lambda one: float(one.bare.mean()))
    bare = bench.draws.mean(worst.bare[None], cells.product[worst.rows])
    return [*rows, row(f"bait without the editor, worst: {worst.name}", "told, not judged", bare, 0.0, True)]


def unmatched(bench: Bench, swapped: World) -> list[Row]:
    """A shop where nobody cares what copy talks about: no swap effect, and no personalisation learned for nothing.

    Args:
        bench: of a shop whose gold world has b_match = 0.
        swapped: the same gold world with a match, in which personal copy would show.
    """
    found = bench.tuned("no-match-world", partial(_always, bench.fit))
    cells = bench.read.cells
    values, product = swap_values(bench.gold, cells, found.ours.shown)
    swap = bench.draws.mean(values, product)
    after, before = (swap_values(swapped, cells, each.shown)[0] for each in (found.ours, found.theirs))
    gained = bench.draws.mean(after - before, product)
    name = "b_M = 0: what the swap test would gain if b_M were .3"
    return [
        row("b_M = 0: swap test there", "0 within rounding", swap, found.kl, np.abs(values).max() < EXACT),
        row(name, "one-sided: lower end not above 0; it may fall", gained, found.kl, gained.ci_low <= 0),
    ]


def with_match(gold: World, b_match: float = 0.3) -> World:
    """The same world where readers care for what copy talks about."""
    return replace(gold, coefficients=replace(gold.coefficients, b_match=b_match))


def measure(given: argparse.Namespace, keep: Path, scratch: Path) -> list[Row]:
    """All controls on one shop, and those of a world without match on its twin."""
    overrides = {"seed": given.shop, **dict(parse_override(text) for text in given.set)}

    def bench(name: str, more: dict[str, object]) -> Bench:
        pipeline = staged(keep / name, load_settings("quickstart", overrides | more), STAGES, Silent())
        return Bench.of(pipeline, given.episodes, given.seeds, scratch / name, tell)

    shop, twin = bench("shop", {}), bench("twin", {"terms.b_match": 0.0})
    return [*baits(shop), *controls(shop), *unmatched(twin, with_match(twin.gold))]


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
    failed = [one.name for one in rows if not one.passed]
    asked = {"shop": given.shop, "episodes": given.episodes, "seeds": given.seeds}
    record = {
        "name": "controls",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {**asked, "failed": failed, "rows": [asdict(one) for one in rows]},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(table(rows))
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
