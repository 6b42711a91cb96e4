"""What kind of checkpoint a folder is: a writer, a policy, both together, or what RLlib saves.

FOLDER               config.json or adapter.json: a writer; manifest.json: a policy, with whatever is around it
WRITER+POLICY        two folders: the writer writes the variants, the policy chooses among them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from copybandit.agents.checkpoint_manifest import MANIFEST
from copybandit.evaluation.card_request import WRITER_FILES
from copybandit.sim.types import DataError

Kind = Literal["writer", "policy", "pair"]
RLLIB_FILES = ("rllib_checkpoint.json", "algorithm_state.pkl", "class_and_ctor_args.pkl")
"""A checkpoint of RLlib holds one of them."""
JOIN = "+"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was named on the command line.

    Attributes:
        kind: of it.
        name: as it was named.
        writer: folder of the writer; None for a policy alone.
        policy: folder of the policy; None for a writer alone.
    """

    kind: Kind
    name: str
    writer: Path | None = None
    policy: Path | None = None

    def __post_init__(self) -> None:
        there = {"writer": (True, False), "policy": (False, True), "pair": (True, True)}[self.kind]
        if (self.writer is not None, self.policy is not None) != there:
            raise DataError(f"checkpoint {self.name}: a {self.kind} must have its folders; name them")


def checkpoint_of(name: str) -> Checkpoint:
    """The checkpoint that a name stands for.

    Raises:
        DataError: it is none, or one of RLlib.
    """
    path = Path(name)
    if not path.exists() and JOIN in name:
        return _pair(name)
    if any((path / file).is_file() for file in WRITER_FILES):
        return Checkpoint(kind="writer", name=name, writer=path)
    if (path / MANIFEST).is_file():
        return Checkpoint(kind="policy", name=name, policy=path)
    if any((path / file).is_file() for file in RLLIB_FILES):
        raise DataError(
            f"checkpoint {name}: must be a saved writer or policy, got one of RLlib, which only the RLlib part can read and "
            "this version lacks; with copybandit[rllib] play it in copybandit.envs, and value what it logs: copybandit ope"
        )
    wanted = ", ".join(WRITER_FILES)
    raise DataError(
        f"checkpoint {name}: must be the folder of a saved writer, and holds neither of {wanted}, or of a saved policy, and "
        f"holds no {MANIFEST}; correct the path"
    )


def _pair(name: str) -> Checkpoint:
    """The two halves of WRITER+POLICY; a + may also stand in a folder's own name."""
    places = [place for place, letter in enumerate(name) if letter == JOIN]
    for place in places:
        if Path(name[:place]).is_dir() and Path(name[place + 1 :]).is_dir():
            first, second = checkpoint_of(name[:place]), checkpoint_of(name[place + 1 :])
            if (first.kind, second.kind) != ("writer", "policy"):
                raise DataError(
                    f"checkpoint {name}: must be WRITER+POLICY, got {first.kind}+{second.kind}; correct the order"
                )
            return Checkpoint(kind="pair", name=name, writer=first.writer, policy=second.policy)
    raise DataError(
        f"checkpoint {name}: must be two folders joined by {JOIN}, and one is not there; correct it"
    )


def one_kind(names: Sequence[str]) -> tuple[Checkpoint, ...]:
    """The checkpoints of names, which are all of one kind.

    Raises:
        DataError: none, one twice, one that is none, or two kinds.
    """
    found = tuple(checkpoint_of(name) for name in names)
    if not found:
        raise DataError("evaluate needs a checkpoint, got none; name folders of saved writers or policies")
    places = {tuple(path.resolve() for path in (one.writer, one.policy) if path) for one in found}
    if len(places) < len(found):
        raise DataError(
            "evaluate: each checkpoint must be another one, got one folder twice; name each one once"
        )
    if len(kinds := sorted({one.kind for one in found})) > 1:
        raise DataError(
            f"evaluate: checkpoints must be of one kind, got {' and '.join(kinds)}; evaluate them one by one"
        )
    return found
