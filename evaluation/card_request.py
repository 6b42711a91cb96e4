"""What a card is asked for, and the folder that it goes to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from copybandit.sim.types import DataError

Part = Literal["judge", "select"]
PARTS: tuple[Part, ...] = get_args(Part)
WRITER_FILES = ("config.json", "adapter.json")
"""A folder of a saved writer holds one of them: of a model, or of an adapter."""


@dataclass(frozen=True, kw_only=True)
class CardRequest:
    """What is judged on what.

    Attributes:
        checkpoints: folders of saved writers, one per seed of one method.
        run: folder of the run whose shop judges them.
        against: `sft`, the run's own writer before tuning, or any writer's spec.
        part: split of products and shoppers that is read.
        budget: nats per text that tuning was allowed; None takes the run's tune.kl_target.
        seed: of what is drawn.
        products: of the split, at most, evenly spaced; None reads all.

    Raises:
        DataError: no checkpoint, one that is no writer, one twice, an unknown part, or no product.
    """

    checkpoints: tuple[Path, ...]
    run: Path
    against: str = "sft"
    part: Part = "judge"
    budget: float | None = None
    seed: int = 0
    products: int | None = None

    def __post_init__(self) -> None:
        if self.products is not None and self.products < 1:
            raise DataError(f"--products must be at least 1, got {self.products}; leave it out to read all")
        if self.part not in PARTS:
            raise DataError(f"--part must be one of {', '.join(PARTS)}, got {self.part!r}; correct it")
        if not self.checkpoints:
            raise DataError("evaluate needs a checkpoint, got none; name folders of saved writers")
        if len({path.resolve() for path in self.checkpoints}) < len(self.checkpoints):
            raise DataError(
                "evaluate: each checkpoint is a seed of its own, got one folder twice; name each one once"
            )
        for path in self.checkpoints:
            if not any((path / name).is_file() for name in WRITER_FILES):
                raise DataError(
                    f"checkpoint {path}: must be the folder of a saved writer, and holds neither of "
                    f"{', '.join(WRITER_FILES)}; correct the path"
                )


def card_folder(request: CardRequest, out: Path | None) -> Path:
    """Folder that the card goes to: a new one in the run folder unless named.

    Raises:
        DataError: it is there already.
    """
    names = sorted(str(path.resolve()) for path in request.checkpoints)
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    folder = request.run / "cards" / f"{request.part}-{digest}" if out is None else out
    if folder.exists():
        raise DataError(f"{folder} exists; pass another --out, or remove it")
    return folder
