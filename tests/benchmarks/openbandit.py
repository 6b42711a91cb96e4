"""A policy learned from the uniform log of the Open Bandit sample, judged doubly robust on rows it did not learn from.

Run: ``copybandit bench openbandit --json FILE --log open_bandit/random/men``. Five folds of consecutive time. The policy is
named in advance: greedy with a uniform tenth on the linear model of items' features, the user's likes and users x items,
under the prior that an item's rate lies within half of the mean, one standard deviation. The verdict is computed from the
interval.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from copybandit.agents.policies import LinUCB
from copybandit.evaluation.machine import versions
from copybandit.evaluation.open_bandit_learning import AFFINITY, features_of, judge, users_of
from copybandit.sim.open_bandit import load_open_bandit

EPSILON, ITEM_SD, COEFFICIENT_SD = 0.1, 0.5, 0.2


def main() -> None:
    """Learn, judge, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    parser.add_argument("--log", type=Path, required=True, help="folder or csv of a campaign's log")
    parser.add_argument("--folds", type=int, default=5)
    given, started = parser.parse_args(), time.process_time()
    log = load_open_bandit(given.log)
    k, q, p = len(log.items), features_of(log).shape[1], users_of(log).shape[1]

    def make() -> LinUCB:
        return LinUCB(
            alpha=0.0,
            epsilon=EPSILON,
            n_actions=k,
            n_features=q,
            interactions=tuple((user, 0) for user in range(p)),
            state_channels=(AFFINITY,),
            ridge=COEFFICIENT_SD**-2,
            residual_ridge=ITEM_SD**-2,
        )

    found = judge(log, make, folds=given.folds)
    ours = {
        "policy": log.policy,
        "campaign": log.campaign,
        "rounds": len(log),
        "clicks": log.click.sum(),
        **asdict(found),
    }
    record = {
        "name": "openbandit",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": {**ours, "features": [q, p], "cpu_s": time.process_time() - started},
        "peers": {},
        "ratios": {},
        "skipped": [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for row in found.estimates:
        told = f"{row.value:.5f} [{row.ci_low:.5f}, {row.ci_high:.5f}] ESS {row.ess:.0f}"
        print(f"{row.estimator:6} {told} {'; '.join(row.warnings)}")
    print(f"logged {found.logged:.5f}\n{found.verdict}")


if __name__ == "__main__":
    main()
