"""Unusable batches and settings are refused in one line that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from copybandit.agents.batch import ABSENT, Batch, Learner
from copybandit.agents.policies import BetaThompson, ExploreThenCommit, LinUCB, PriorGreedy
from copybandit.sim.types import DataError

M, Q, P = 24, 5, 3
PRIOR = np.random.default_rng(0).uniform(0.005, 0.05, M)
ACTIONS = np.random.default_rng(1).normal(size=(M, Q))


def make_batch() -> Batch:
    """20 rows of 4 distinct variants."""
    rng = np.random.default_rng(2)
    candidates = np.argsort(rng.random((20, M)), axis=1)[:, :4].astype(np.int32)
    return Batch(
        context=rng.normal(size=(20, P)),
        actions=ACTIONS,
        candidates=candidates,
        state=PRIOR[candidates][:, :, None],
        time=np.zeros(20),
    )


def test_bad_settings_are_refused_in_one_line() -> None:
    cases: list[tuple[Callable[[], Learner], str]] = [
        (lambda: PriorGreedy(epsilon=0), "epsilon must be in"),
        (lambda: ExploreThenCommit(n_actions=M, smoothing=0), "smoothing > 0"),
        (lambda: BetaThompson(np.array([0.0, 0.1])), "prior must be in"),
        (lambda: BetaThompson(PRIOR, strength=np.inf), "strength must be above 0"),
        (lambda: LinUCB(n_actions=M, n_features=300), "at most 256"),
        (lambda: LinUCB(n_actions=M, n_features=Q, ridge=0), "ridge"),
        (lambda: LinUCB(n_actions=M, n_features=Q, interactions=((0, 9),)), "interactions"),
    ]
    for make, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="3 columns, got 5"):
        LinUCB(n_actions=M, n_features=3).predict(make_batch())


def test_bad_batches_are_refused_in_one_line() -> None:
    good = make_batch()
    nan_prior = good.state.copy()
    nan_prior[2, :, 0] = np.nan
    sure = good.state.copy()
    sure[..., 0] = 1.0
    twice = good.candidates.copy()
    twice[3] = 5
    nobody = good.candidates.copy()
    nobody[3] = ABSENT
    cases: list[tuple[Callable[[], Batch], str]] = [
        (lambda: replace(good, state=nan_prior), "state must be finite"),
        (lambda: replace(good, context=np.full((20, P), np.inf)), "context must be finite"),
        (lambda: replace(good, actions=np.where(ACTIONS > 2, np.nan, ACTIONS)), "actions must be finite"),
        (lambda: replace(good, time=np.full(20, np.nan)), "time must be finite"),
        (lambda: replace(good, state=sure), r"prior must be in \(0, 1\)"),
        (lambda: replace(good, state=good.state[:, :2]), "state must be"),
        (lambda: replace(good, candidates=twice), "row 3: candidates must be distinct"),
        (lambda: replace(good, candidates=nobody), "row 3: candidates must name a variant"),
        (lambda: replace(good, actions=ACTIONS[:3]), "candidates must be in"),
        (lambda: replace(good, context=good.context[:5]), "context must be"),
        (lambda: replace(good, actions=ACTIONS[:, 0]), "actions must be"),
        (lambda: replace(good, candidates=good.candidates[:, :0]), "candidates must be"),
    ]
    for make, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)
