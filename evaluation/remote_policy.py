"""A policy of another project, in a process of its own: it is shown requests and told rewards, and answers with choices.

Requests lie in a file ``requests.npz`` for each batch: variant (n, k) with -1 for absent, prior (n, k), x (n, k, d) with
what the copy says and the state beyond the prior, context (n, p), place (n,), which product of the assortment. A line of
JSON asks {"start": settings, "seed": s, "places": P, "k": k}, then in turns {"choose": file}, which is answered with
{"column": [n columns]}, and {"learn": [n rewards]}. Each answer holds "cpu_s", the seconds of CPU time that the other
project took, reading its input not counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from copybandit.agents.batch import Batch
from copybandit.evaluation.bench_peers import Runner
from copybandit.sim.types import DataError, Floats, Ints

Settings = Mapping[str, float | str]


class RemotePolicy:
    """A learner that passes everything on; its choices are drawn over there, so its vector holds one 1.

    Args:
        name: for logs.
        runner: the process.
        settings: of the policy.
        seed: of its draws.
        shape: products in the assortment, and variants of each; variant v is of product v // k.
        scratch: folder for the requests.
    """

    def __init__(
        self, name: str, runner: Runner, settings: Settings, seed: int, shape: tuple[int, int], scratch: Path
    ) -> None:
        self.name, self.cpu_s = name, 0.0
        self._runner, self._file, self._k = runner, scratch / "requests.npz", shape[1]
        self._ask({"start": dict(settings), "seed": seed, "places": shape[0], "k": shape[1]})

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k): 1 for the column it chose."""
        variants = np.maximum(batch.candidates, 0)
        np.savez(
            self._file,
            variant=batch.candidates,
            prior=batch.prior,
            x=np.concatenate([batch.actions[variants], batch.state[:, :, 1:]], axis=2),
            context=batch.context,
            place=batch.candidates.max(axis=1) // self._k,
        )
        column = np.asarray(self._ask({"choose": str(self._file)}).get("column"), dtype=np.int64)
        n, k = batch.candidates.shape
        if column.shape != (n,) or not ((column >= 0) & (column < k)).all():
            raise DataError(
                f"{self.name}: must answer with {n} columns in [0, {k}), got {column.shape}; mend its runner"
            )
        return np.asarray(np.eye(k)[column])

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Tell it the rewards of the batch it last chose for."""
        self._ask({"learn": reward.tolist()})

    def _ask(self, question: Mapping[str, object]) -> Mapping[str, object]:
        answer = self._runner.ask(json.dumps(question))
        self.cpu_s += float(answer["cpu_s"])
        return answer
