"""Sums over the processes of one run, and the two means of TRL's loop that must be taken over all of them.

TRL 1.12 whitens advantages within each process and averages losses that are means over each process's own tokens, so
the same batch gives other gradients on two processes than on one. Over all processes,

    whitened = (a - mean) / sd of all answer tokens,       loss = sum over all tokens / number of all tokens;

accelerate averages gradients over processes, so each contributes its own sum over all tokens' number times the processes.
In a single process both are TRL's own functions, to the last bit.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, distributed

from copybandit.sim.types import DataError


def processes() -> tuple[int, int]:
    """Which of how many processes this one is, as the launcher says; (0, 1) without one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def rows_of(batch_size: int, minibatches: int) -> slice:
    """This process's rows of a batch.

    Raises:
        DataError: minibatches cannot be shared out evenly.
    """
    rank, world = processes()
    if batch_size % (world * minibatches):
        raise DataError(
            f"ppo: batch_size must be a multiple of processes times minibatches, got {batch_size} for {world} times "
            f"{minibatches}; change one of them"
        )
    share = batch_size // world
    return slice(rank * share, (rank + 1) * share)


def everywhere(values: Tensor) -> Tensor:
    """Sum of a tensor over all processes; itself where there is one."""
    if processes()[1] == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def gathered(text: str) -> list[str]:
    """The text of each process, in order."""
    if processes()[1] == 1:
        return [text]
    own = torch.tensor(list(text.encode()), dtype=torch.uint8, device=_device())
    sizes = everywhere(_in_place(torch.tensor([len(own)], device=own.device)))
    rows = own.new_zeros(len(sizes), int(sizes.max()))
    rows[processes()[0], : len(own)] = own
    return [bytes(row[:n].tolist()).decode() for row, n in zip(everywhere(rows).cpu(), sizes, strict=True)]


def decided(code: int) -> int:
    """What process 0 decides, on all of them."""
    rank, world = processes()
    if world == 1:
        return code
    return int(everywhere(torch.tensor([code if rank == 0 else 0], device=_device())).item())


def _in_place(value: Tensor) -> Tensor:
    """Zeros for all processes, shape (processes,), but for this one's value of shape (1,)."""
    rank, world = processes()
    row = value.new_zeros(world)
    row[rank] = value[0]
    return row


def _device() -> torch.device:
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")


def mean_of_all(values: Tensor, mask: Tensor) -> Tensor:
    """Share of this process, times their number, in the mean over the masked places of all; differentiable."""
    n = everywhere(mask.sum().double())
    return processes()[1] * (values * mask).sum() / n.to(values.dtype)


def whitened_by_all(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """(values - mean) / sd, mean and sd over the masked places of all processes; the mean stays unless `shift_mean`."""
    n = everywhere(mask.sum().double())
    mean = everywhere((values * mask).double().sum()) / n
    spread = everywhere(((values - mean).square() * mask).sum()) / (n - 1)
    whitened = (values - mean) * torch.rsqrt(spread + 1e-8)
    return (whitened if shift_mean else whitened + mean).to(values.dtype)
