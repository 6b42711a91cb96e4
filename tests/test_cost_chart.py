"""The picture of costs: it is drawn, and what cannot be drawn is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from copybandit.evaluation.cost_chart import CostCurve, cost_chart
from copybandit.sim.types import DataError

AT = np.array([2.0, 8.0, 64.0])


def curve(against: str, act: str, scale: float) -> CostCurve:
    return CostCurve(against=against, name="linucb", act=act, at=AT, microseconds=scale * AT)


def test_every_curve_leaves_its_mark() -> None:
    one = [curve("candidates", "decide", 1.0)]
    two = [*one, curve("candidates", "learn", 3.0)]
    pictures = [imread(io.BytesIO(cost_chart(curves))) for curves in (one, two)]
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    wide = imread(io.BytesIO(cost_chart([*two, curve("features", "decide", 1.0)])))
    assert wide.shape[1] > 1.9 * pictures[0].shape[1]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="at least one curve"):
        cost_chart([])
    with pytest.raises(DataError, match="costs above 0"):
        CostCurve(against="candidates", name="linucb", act="decide", at=AT, microseconds=0 * AT)
