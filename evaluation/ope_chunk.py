"""What any log looks like to `copybandit ope`: chunks of rows that a policy can be asked about, read as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.batch import Batch
from copybandit.evaluation.ope_gates import Finding
from copybandit.sim.types import DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows of a log that say nothing of a policy.

    Attributes:
        why: what they are, e.g. ``holdout``.
        rows: how many.
    """

    why: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows of a log; n of them, perhaps 0.

    Attributes:
        reward: shape (n,).
        propensity: shape (n,), of what was shown.
        component: shape (n,), who a row belongs to; rows of one lie in one fold of a reward model.
        requests: the n requests, with whatever a policy was told; None where the log does not know the candidates.
        column: shape (n,), the candidate that was shown; None likewise.
        action_probs: shape (n, k), the behavior policy; None where only the propensity was logged.
        scale: shape (n,), largest reward of each request: the warm start is a share of it.
        target_prob: shape (n,), the target policy's probability, where the log itself has it.
        q: shape (n,), a model's reward of what was shown, where the log itself has it.
        v: shape (n,), the same averaged over the target policy.
        left_out: rows read beside these that are not counted.
        read: rows read in all, for progress.
    """

    reward: Floats
    propensity: Floats
    component: Ints
    requests: Batch | None = None
    column: Ints | None = None
    action_probs: Floats | None = None
    scale: Floats | None = None
    target_prob: Floats | None = None
    q: Floats | None = None
    v: Floats | None = None
    left_out: tuple[LeftOut, ...] = ()
    read: int = 0

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def item(self) -> Ints:
        """Variant that was shown, shape (n,)."""
        assert self.requests is not None and self.column is not None
        return self.requests.shown(self.column)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A log that can be read again and again.

    Attributes:
        path: where it is.
        kind: what it is, for people.
        chunks: reads it from its beginning.
        plain: the same without features, where that costs less memory.
        rows: how many rows, the left out among them; None where only reading tells.
        n_actions: variants that there are; None where the log does not know.
        featured: whether requests hold what the policy knew; else context, features and warm start are empty.
        has_target: whether the log itself says how likely the target policy shows what was shown.
        warm: whether channel 0 of the state is a warm start of each candidate.
        findings: reasons to distrust whatever is estimated from it.
        notes: what a reader should know.
    """

    path: Path
    kind: str
    chunks: Callable[[], Iterator[Chunk]]
    plain: Callable[[], Iterator[Chunk]] | None = None
    rows: int | None = None
    n_actions: int | None = None
    featured: bool = False
    warm: bool = False
    has_target: bool = False
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def plain_requests(candidates: NDArray[np.integer[Any]], m: int) -> Batch:
    """Requests of which nothing but the candidates, (n, k), among m variants is known."""
    n, k = candidates.shape
    return Batch(
        context=np.empty((n, 0)),
        actions=np.empty((m, 0)),
        candidates=candidates.astype(np.int32),
        state=np.full((n, k, 1), 0.5),
        time=np.zeros(n),
    )


def check_drawn(chunk: Chunk, where: str) -> None:
    """Refuse rows whose propensity is not the probability that the logged distribution has of what was shown.

    Raises:
        DataError: such a row, or one whose distribution does not sum to 1.
    """
    assert chunk.action_probs is not None and chunk.column is not None
    if not len(chunk):
        return
    own = chunk.action_probs[np.arange(len(chunk)), chunk.column]
    total = chunk.action_probs.sum(axis=1)
    for rule, bad, got in (
        ("propensity must be that of action_probs", ~(np.abs(own - chunk.propensity) <= 1e-9), own),
        ("action_probs must sum to 1", ~(np.abs(total - 1) <= 1e-6), total),
        (
            "action_probs must be at least 0",
            chunk.action_probs.min(axis=1) < 0,
            chunk.action_probs.min(axis=1),
        ),
    ):
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{where}: {rule}, got {got[row]:.9g} beside a propensity of {chunk.propensity[row]:.9g}; the log was "
                "changed or written wrongly, export it again"
            )
