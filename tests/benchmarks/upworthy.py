"""Clicks won by bandit policies on replayed headline tests (Upworthy): ours, which knows texts and past tests, and peers.

Run: ``OMP_NUM_THREADS=1 python tests/benchmarks/upworthy.py --json FILE``. The archive is found in COPYBANDIT_DATA, or give
``--data``. Clean weeks, headlines of one test and image, five folds by connected component, the archive's click rates as
arms. Form and constants of ours, the length of the A/B test and the width of the narrow UCB1 were chosen on half of the
components (`fold_groups(groups, 1, 2) == 0`) with other draws; `ours_unseen_half` is ours on the other half. Without the
extra `text` the text model reads characters instead of MiniLM.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from copybandit.agents.rate_prior import RatePrior
from copybandit.evaluation.replay_chart import save_replay
from copybandit.evaluation.replay_play import earnings
from copybandit.evaluation.replay_policies import EPSILON, PLAYERS
from copybandit.evaluation.replay_report import Standing, report
from copybandit.evaluation.replay_tests import Contests, contests_of
from copybandit.sim.sentence import Sentence, has_minilm
from copybandit.sim.split import fold_groups
from copybandit.sim.upworthy import load_ab_tests

FILE = "upworthy-exploratory-sample.csv.gz"
HORIZONS = (500, 2000, 8000)


def play_all(contests: Contests, replays: int, seed: int) -> tuple[Standing, ...]:
    """Every policy on the same contests."""
    standings = []
    for player in PLAYERS:
        start = time.process_time()
        earned = earnings(player.make, contests, HORIZONS, planned=player.planned, replays=replays, seed=seed)
        seconds = time.process_time() - start
        standings.append(Standing(player=player, earned=earned, seconds=seconds))
        lifts = ", ".join(
            f"{100 * (row.sum() / contests.usual.sum() - 1):+.1f}% at {horizon}"
            for horizon, row in zip(HORIZONS, earned, strict=True)
        )
        print(f"{player.name:20s} {lifts}   ({seconds:.0f} s)", flush=True)
    return tuple(standings)


def told(prior: RatePrior) -> dict[str, float]:
    """The prior of a fold."""
    return {name: float(getattr(prior, name)) for name in ("log_base", "spread", "strength", "slope")}


def main() -> None:
    """Replay, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--data", type=Path, help=f"the archive; default COPYBANDIT_DATA/{FILE}")
    parser.add_argument("--picture", type=Path, help="PNG to draw")
    parser.add_argument("--replays", type=int, default=20, help="of each contest")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and of the draws")
    parser.add_argument("--shrunk", action="store_true", help="take sampling noise out of the rates' spread")
    given = parser.parse_args()
    tests = load_ab_tests(given.data or Path(os.environ.get("COPYBANDIT_DATA", "../shared/data")) / FILE)
    start = time.process_time()
    sentence = Sentence.load() if has_minilm() else None
    contests = contests_of(tests, sentence, seed=given.seed, shrunk=given.shrunk)
    prepared = time.process_time() - start
    cell = tests.arms().group
    half = fold_groups(tests.groups()[np.bincount(cell)[cell] > 1], 1, 2)
    first = np.unique(contests.group, return_index=True)[1]
    standings = play_all(contests, given.replays, given.seed)
    record = {
        "name": "upworthy",
        "machine": {
            "processor": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        **report(contests, standings, HORIZONS, half[first] == 1),
        "setup": {
            "contests": len(contests),
            "arms": len(contests.rate),
            "components": len(np.unique(contests.component)),
            "replays": given.replays,
            "epsilon": EPSILON,
            "shrunk": given.shrunk,
            "encoder": "minilm, style, lsa" if has_minilm() else "characters, style, lsa",
            "seconds_to_prepare": prepared,
            "priors": [told(prior) for prior in contests.priors],
            "priors_without_text": [told(prior) for prior in contests.plain],
        },
        "skipped": [] if has_minilm() else ["minilm: the extra `text` is not installed"],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    if given.picture:
        save_replay(contests, standings, HORIZONS, given.picture)
    print(json.dumps({key: record[key] for key in ("ours", "ours_unseen_half", "best_peer")}, indent=2))


if __name__ == "__main__":
    main()
