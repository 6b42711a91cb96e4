"""Estimate the synthetic shop's wording effects from the Upworthy A/B tests and write sim/gold_wording.json.

python tests/benchmarks/gold_wording.py ../shared/data/upworthy-exploratory-sample.csv.gz sim/gold_wording.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from copybandit.sim.encoders import CharGrams, Style
from copybandit.sim.upworthy import load_ab_tests
from copybandit.sim.wording import Arms, centred, log_ctr, ridge

SIZE = 512


def main(source: str, target: str) -> None:
    """Fit style and character n-grams together by ridge within groups; every coefficient is kept to five digits."""
    tests = load_ab_tests(Path(source))
    group = np.unique(np.stack([tests.test, tests.image], axis=1), axis=0, return_inverse=True)[1].ravel()
    arms = Arms(texts=tests.text, group=group, clicks=tests.clicks, impressions=tests.impressions)
    style, grams = Style.fit(tests.text), CharGrams(size=SIZE)
    y, weight = log_ctr(arms)
    blocks = [centred(encoder.encode(tests.text), group, weight) for encoder in (style, grams)]
    scales = [np.sqrt((block**2).sum(axis=1).mean()) for block in blocks]
    x = np.hstack([block / scale for block, scale in zip(blocks, scales, strict=True)])
    beta = ridge(x, centred(y, group, weight), weight, 1 / 0.15**2)
    q = style.dimension
    beta_style, beta_grams = beta[:q] / scales[0], beta[q:] / scales[1]
    out = {
        "provenance": {
            "source": "Upworthy Research Archive, exploratory set (Matias et al., Scientific Data 8:195, 2021)",
            "arms": len(tests.text),
            "groups": int(group.max() + 1),
            "method": "within test and image, click-weighted ridge of log CTR on style and hashed character 3-5-grams, "
            "prior sd of the effect .15 each; weeks 201325-201402 left out",
            "command": "python tests/benchmarks/gold_wording.py UPWORTHY.csv sim/gold_wording.json",
        },
        "style": {
            "mean": _round(style.mean),
            "scale": _round(style.scale),
            "coefficients": _round(beta_style),
        },
        "grams": {"coefficients": _round(beta_grams)},
    }
    Path(target).write_text(json.dumps(out, indent=1) + "\n", "utf-8")


def _round(values: np.ndarray) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


if __name__ == "__main__":
    main(*sys.argv[1:3])
