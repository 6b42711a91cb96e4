"""Everything a PPO run is, on disk: so that the update after resuming is the one that would have come.

    OUT/state-0006/state.safetensors    weights of policy (or adapter) and critic, Adam's moments, the sampler's state
    OUT/state-0006/state.json           prices, multipliers, scales, records of all updates, and whose run it is

A folder appears in one step, once its bytes are on the disk; the newest two are kept. What follows from seed and update
alone is not stored: the learning rate, the schedule of the price, the order of prompts and of rows.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from copybandit.agents.constraints import Constraint
from copybandit.agents.kl_price import KLPrice
from copybandit.agents.ppo import PPOSettings, PPOUpdate
from copybandit.agents.reward_scale import RewardScale
from copybandit.generators.adapters import weights_hash
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import whole_folder
from copybandit.sim.types import DataError

KEPT = 2
"""States kept in a folder."""
WEIGHTS, RECORD = "state.safetensors", "state.json"
_REMEDY = "resume with what the run began with, or tune into another folder"
FREE = ("checkpoint_every", "tensorboard")
"""Settings that may change in the middle of a run."""


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What must be the same for a state to be a run's own.

    Attributes:
        tokenizer, writer, prompts: hashes of the vocabulary, of the writer's weights before tuning, and of the prompts.
        seed: of the run.
        settings: in JSON's types, the writer's temperature and longest answer among them.
    """

    tokenizer: str
    writer: str
    prompts: str
    seed: int
    settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands, besides its tensors.

    Attributes:
        updates: one record per update.
        checkpoints: updates whose writers were saved.
        price: of KL, as it is in the next update.
        scale: of the reward.
        constraints: with their multipliers in the next update.
    """

    updates: tuple[PPOUpdate, ...]
    checkpoints: tuple[int, ...]
    price: KLPrice
    scale: RewardScale
    constraints: tuple[Constraint, ...]


def identity(writer: CausalLM, prompts: Sequence[str], settings: PPOSettings, seed: int) -> RunIdentity:
    """Whose run it is: `writer` is the one that was given, before tuning."""
    sampling = {"temperature": writer.temperature, "max_new_tokens": writer.max_new_tokens}
    fixed = {name: value for name, value in asdict(settings).items() if name not in FREE}
    return RunIdentity(
        tokenizer=_hash([sorted(writer.tokenizer.get_vocab().items()), writer.pad_id, writer.eos_id]),
        writer=weights_hash(writer.model),
        prompts=_hash(list(prompts)),
        seed=seed,
        settings=json.loads(json.dumps(fixed | sampling)),
    )


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class StateFolder:
    """The states of one run in its output folder."""

    def __init__(self, out_dir: Path, whose: Callable[[], RunIdentity]) -> None:
        """Keep states in `out_dir`; `whose` is asked when the first is saved or read, for it hashes all weights."""
        self._out, self._whose = out_dir, whose
        self._own: list[Path] = []
        self._identity: RunIdentity | None = None

    @property
    def identity(self) -> RunIdentity:
        """Whose run it is."""
        self._identity = self._identity or self._whose()
        return self._identity

    @property
    def newest(self) -> Path | None:
        """The newest state that this run has saved or read."""
        return self._own[-1] if self._own else None

    @contextmanager
    def writing(self, target: Path) -> Iterator[None]:
        """Say what was being written, and what is kept, when the disk is full or fails."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            number, told = getattr(error, "errno", None), getattr(error, "strerror", None)
            if found := re.search(r"os error (\d+)", str(error)):  # safetensors tells it in words
                number, told = int(found[1]), os.strerror(int(found[1]))
            kept = f"{self.newest} is kept" if self.newest else "there is none"
            told = f"{told or ' '.join(str(error).split())} while saving; of the run's states {kept}"
            raise OSError(number or errno.EIO, told, str(target)) from error

    def save(self, progress: Progress, tensors: dict[str, Tensor]) -> Path:
        """Write a state, then remove the ones it makes superfluous.

        Raises:
            OSError: it could not be written; what was there before is still there.
        """
        target = self._out / f"state-{len(progress.updates):04d}"
        record = {"identity": asdict(self.identity), "progress": asdict(progress)}
        with self.writing(target):
            shutil.rmtree(target, ignore_errors=True)  # of a run that began in this folder earlier
            with whole_folder(target) as half:
                save_file(_apart(tensors), half / WEIGHTS)
                (half / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
                for path in (half / WEIGHTS, half / RECORD):
                    _to_disk(path)
            _to_disk(self._out)
        self._own = [*self._own, target][-KEPT:]
        for path in set(_states(self._out)) - set(self._own):
            shutil.rmtree(path, ignore_errors=True)
        return target

    def load(self) -> tuple[Progress, dict[str, Tensor]] | None:
        """The newest whole state; None where there is none.

        Raises:
            DataError: it belongs to another run, or none of those that are there can be read.
        """
        there, told = sorted(_states(self._out), key=lambda path: (len(path.name), path.name)), ""
        for path in reversed(there):
            try:
                record = json.loads((path / RECORD).read_text(encoding="utf-8"))
                tensors = load_file(path / WEIGHTS)
                progress = msgspec.convert(record["progress"], Progress)
            except (OSError, ValueError, KeyError, SafetensorError) as error:
                told = told or f"{path}: {' '.join(str(error).split())}"
                continue  # damaged: the one before it is as good
            self._check(path, record.get("identity", {}))
            self._own = [path]
            return progress, tensors
        if there:
            raise DataError(
                f"{self._out}: a state must be readable to go on from, got {told}; remove the states to begin anew"
            )
        return None

    def _check(self, path: Path, found: dict[str, Any]) -> None:
        own = asdict(self.identity)
        for name in ("tokenizer", "writer", "prompts", "seed"):
            if found.get(name) != own[name]:
                raise DataError(
                    f"{path}: {name} must be {own[name]}, this run's, got {found.get(name)}; {_REMEDY}"
                )
        theirs, ours = found.get("settings", {}), own["settings"]
        for name in sorted({*theirs, *ours}):
            if (before := theirs.get(name)) != (now := ours.get(name)):
                raise DataError(
                    f"{path}: {name} must be {before!r}, as the run began, got {now!r}; {_REMEDY}"
                )


def remove_states(out_dir: Path) -> None:
    """Remove the states of a run that nothing will go on from: two times three copies of all weights."""
    for path in _states(out_dir):
        shutil.rmtree(path, ignore_errors=True)


def _states(out_dir: Path) -> Iterator[Path]:
    return out_dir.glob("state-[0-9]*")


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies that share no memory, which safetensors refuses."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _to_disk(path: Path) -> None:
    """Return when a file or folder is on the disk, not merely handed to it."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def state_tensors(
    policy: nn.Module, critic: nn.Module, optimizer: torch.optim.Optimizer, sampler: torch.Generator
) -> dict[str, Tensor]:
    """All that training changes, by name."""
    found = {f"policy.{name}": weight for name, weight in _trained(policy)}
    found |= {f"critic.{name}": weight for name, weight in _trained(critic)}
    for index, weight in enumerate(_in_order(optimizer)):
        found |= {f"adam.{index}.{key}": value for key, value in optimizer.state.get(weight, {}).items()}
    return {**found, "sampler": sampler.get_state()}


@torch.no_grad()
def restore(
    tensors: dict[str, Tensor],
    policy: nn.Module,
    critic: nn.Module,
    optimizer: torch.optim.Optimizer,
    sampler: torch.Generator,
) -> None:
    """Put what `state_tensors` found back into a run that was just set up alike."""
    for name, module in (("policy", policy), ("critic", critic)):
        for key, weight in _trained(module):
            weight.copy_(tensors[f"{name}.{key}"])
    weights = list(_in_order(optimizer))
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "adam":
            index, _, key = rest.partition(".")
            weight = weights[int(index)]
            # Fused Adam keeps moments and its count of steps where the weight lies.
            optimizer.state[weight][key] = value.to(weight.device)
    sampler.set_state(tensors["sampler"])


def _trained(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((name, weight) for name, weight in module.named_parameters() if weight.requires_grad)


def _in_order(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    return (weight for group in optimizer.param_groups for weight in group["params"])
