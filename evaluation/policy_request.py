"""What is asked of saved policies, and the folder that the answer goes to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.evaluation.card_request import PARTS, CardRequest, Part
from copybandit.evaluation.checkpoint_kind import Checkpoint
from copybandit.evaluation.storage import plain
from copybandit.sim.types import DataError

BASELINES = ("uniform", "prior_greedy")
"""Policies without features that any other may be compared with by name."""


@dataclass(frozen=True, kw_only=True)
class PolicyRequest:
    """Policies, or writers with policies, in the shop of a run.

    Attributes:
        checkpoints: all of one kind, policies or pairs.
        run: folder of the run whose shop judges them.
        against: one of `BASELINES`, or a checkpoint of the same kind.
        learn: whether they learn in the season; pairs always do, since what their policy knew was of other copy.
        seasons: how many are played.
        impressions: of each season; None takes the run's own number.
        part: split whose products a pair writes for.
        seed: of the seasons.

    Raises:
        DataError: no season, an unknown split, writers, or one season of learning, which has no interval.
    """

    checkpoints: tuple[Checkpoint, ...]
    run: Path
    against: str = "uniform"
    learn: bool = False
    seasons: int = 5
    impressions: int | None = None
    part: Part = "select"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.checkpoints or any(one.kind == "writer" for one in self.checkpoints):
            raise DataError(
                "evaluate: seasons are for policies and pairs, got none or a writer; name policies"
            )
        if self.part not in PARTS:
            raise DataError(f"--part must be one of {', '.join(PARTS)}, got {self.part!r}; correct it")
        if self.seasons < 1 + self.learns or (self.impressions is not None and self.impressions < 1):
            raise DataError(
                f"--seasons must be at least {1 + self.learns} {'where policies learn ' if self.learns else ''}and "
                f"--impressions at least 1, got {self.seasons} and {self.impressions}; raise them"
            )

    @property
    def pairs(self) -> bool:
        """Whether writers write what is shown."""
        return self.checkpoints[0].kind == "pair"

    @property
    def learns(self) -> bool:
        """Whether policies learn in the season."""
        return self.learn or self.pairs

    def season_seeds(self, shop: int) -> tuple[int, ...]:
        """Of each season; other ones than the shop's own, which policies have learned from."""
        drawn = np.random.SeedSequence([shop, self.seed, 7]).generate_state(self.seasons)
        return tuple(int(seed) for seed in drawn)

    def folder(self, *, comparing: bool) -> Path:
        """Where the answer goes unless another place is named: in the run's folder, the same for the same question."""
        asked = [
            comparing, self.against, self.learns, self.seasons, self.impressions, self.part, self.seed,
            sorted(str(path.resolve()) for one in self.checkpoints for path in (one.writer, one.policy) if path),
        ]  # fmt: skip
        return answer_folder(self.run, "compare" if comparing else self.checkpoints[0].kind, asked)


def writers_folder(request: CardRequest) -> Path:
    """The same for writers that are ranked."""
    paths = sorted(str(path.resolve()) for path in request.checkpoints)
    return answer_folder(
        request.run, "compare", [request.against, request.part, request.seed, request.products, paths]
    )


def answer_folder(run: Path, name: str, asked: object) -> Path:
    """RUN/evaluations/NAME-DIGEST."""
    digest = hashlib.sha256(json.dumps(plain(asked)).encode()).hexdigest()[:8]
    return run / "evaluations" / f"{name}-{digest}"


def new_folder(out: Path | None) -> Path | None:
    """The folder that was named, if one was.

    Raises:
        DataError: it is there already.
    """
    if out is not None and out.exists():
        raise DataError(f"{out} exists; pass another --out, or remove it")
    return out
