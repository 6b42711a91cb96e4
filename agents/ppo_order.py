"""In which order PPO reads prompts and rows: pure functions of the seed, so that a resumed run needs to be told nothing.

Orders are those that TRL's loop draws from global random state when nothing else touches it: of prompts, torch's random
sampler under its loader, which draws two numbers per epoch and shuffles by the second; of a batch's rows, NumPy's legacy
generator, one permutation per pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from copybandit.generators.sampling import left_pad
from copybandit.sim.types import Ints


class PromptLoader:
    """Batches of prompts for ever, from a given update on; the last rows of an epoch that fill no batch are left out."""

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        batch_size: int,
        seed: int,
        pad_id: int,
        first: int,
        rows: slice = slice(None),
    ) -> None:
        """Read `rows` of each batch of `batch_size` prompts, token ids; `first` is the update to begin with, from 1."""
        self._prompts, self._size, self._seed = prompts, batch_size, seed
        self._pad_id, self._first, self._rows = pad_id, first, rows

    def batch(self, update: int) -> list[int]:
        """Indices of the whole batch of an update."""
        epoch, place = divmod(update - 1, len(self._prompts) // self._size)
        order = epoch_order(len(self._prompts), self._seed, epoch)
        return list(order[place * self._size : (place + 1) * self._size])

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        update = self._first
        while True:
            rows = [self._prompts[index] for index in self.batch(update)[self._rows]]
            yield {"input_ids": left_pad(rows, self._pad_id, torch.device("cpu"))[0]}
            update += 1


@lru_cache(maxsize=2)
def epoch_order(n: int, seed: int, epoch: int) -> tuple[int, ...]:
    """A permutation of n prompts for each seed and epoch, 0 the first."""
    drawn = torch.empty(2 * epoch + 2, dtype=torch.int64)
    drawn.random_(generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(int(drawn[-1]))
    return tuple(torch.randperm(n, generator=generator).tolist())


class RowOrders:
    """Permutations of a batch's rows, one per pass, from the pass after `passes` on."""

    def __init__(self, rows: int, seed: int, passes: int) -> None:
        self._rows = rows
        self._random = np.random.RandomState(seed % 2**32)
        for _ in range(passes):
            self.next()

    def next(self) -> Ints:
        """The next permutation, shape (rows,)."""
        return np.asarray(self._random.permutation(self._rows))
