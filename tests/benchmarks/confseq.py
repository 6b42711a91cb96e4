"""Confidence sequences for off-policy values at real click rates, against vw-estimators' on the same rows.

Run: ``copybandit bench confseq --json FILE --install-peers``. The uniform log of three Open Bandit campaigns (10,000 rows,
some 40 clicks each) is judged for the shop's own Thompson policy; rows, weights and the largest possible weight come
from the peer's runner. Two-sided, 95%, valid at every time. `dr` has a constant reward model, the click rate that the
first tenth of the rows shows, and is a sequence over the other nine tenths; `clipped` needs no largest weight, as the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.evaluation.bench_peers import Runner, package_of, why_not
from copybandit.evaluation.confseq_bernstein import BernsteinSequence
from copybandit.evaluation.confseq_betting import BettingSequence
from copybandit.evaluation.confseq_clipped import ClippedSequence
from copybandit.evaluation.confseq_ope import OffPolicyTerms
from copybandit.evaluation.machine import versions
from copybandit.sim.types import Floats

PEER = Path(__file__).parent / "peers" / "vw-estimators"
CAMPAIGNS = ("all", "men", "women")


def sequences(reward: Floats, weight: Floats, w_max: float) -> dict[str, Any]:
    """Our intervals of one campaign, by name: ends, and CPU seconds."""
    early = len(reward) // 10
    rate = np.full(len(reward) - early, reward[:early].mean())
    plain, model = OffPolicyTerms(w_max=w_max), OffPolicyTerms.with_model(w_max)
    rate = model.capped(rate)
    ips = plain.terms(reward, weight)
    dr = model.terms(reward[early:], weight[early:], rate, rate)
    found = {}
    for name, known, start, terms in (
        ("betting_ips", plain, BettingSequence.start(plain.span), ips),
        ("betting_dr", model, BettingSequence.start(model.span), dr),
        ("bernstein_ips", plain, BernsteinSequence.start(plain.span), ips),
    ):
        began = time.process_time()
        bounds = known.cut(start.update(terms).bounds())
        seconds = time.process_time() - began
        found[name] = {"low": float(bounds.low[0]), "high": float(bounds.high[0]), "seconds": seconds}
    began = time.process_time()
    bounds = ClippedSequence.start().update(reward, weight).bounds()
    seconds = time.process_time() - began
    found["clipped"] = {"low": float(bounds.low[0]), "high": float(bounds.high[0]), "seconds": seconds}
    return found


def main() -> None:
    """Ask the peer, compare, print and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file to write")
    given = parser.parse_args()
    reason = why_not(PEER, "confseq")
    ours, theirs, ratios = {}, {}, {}
    if reason is None:
        runner = Runner(PEER, "confseq")
        for campaign in CAMPAIGNS:
            row = runner.ask(campaign)
            reward, weight = np.array(row.pop("reward")), np.array(row.pop("weight"))
            value = float(np.mean(weight * reward))
            ours[campaign] = {"ips": value, "w_max": row["w_max"], **sequences(reward, weight, row["w_max"])}
            theirs[campaign] = row
            wide = row["high"] - row["low"]
            names = ("betting_ips", "betting_dr", "bernstein_ips", "clipped")
            ratios[campaign] = {
                name: wide / (ours[campaign][name]["high"] - ours[campaign][name]["low"]) for name in names
            }
            print(
                campaign,
                f"{value:.6f} VW {row['low']:.4f}-{row['high']:.4f}",
                ours[campaign],
                ratios[campaign],
            )
        runner.close()
    record = {
        "name": "confseq",
        "machine": {"cores": os.cpu_count(), **versions()},
        "ours": ours,
        "peers": {package_of(PEER): theirs},
        "ratios": ratios,
        "skipped": [reason] if reason else [],
    }
    given.json.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    if reason:
        print(reason)


if __name__ == "__main__":
    main()
