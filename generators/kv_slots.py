"""Keys and values of rows that come and go: a prompt's stand once for several of its copies.

A slot holds one prompt and at most `SHARE` of its copies. Places of a slot, W + g T of them:

    | prompt, ending at W | token 0 of copies 0 ... g-1 | token 1 of copies 0 ... g-1 | ... |

The copies' queries look at all places of their slot at once, and a bias hides what is not theirs: padding, the other copies'
tokens, and what an earlier prompt left behind. Sharing reads a prompt's keys once instead of g times, at the price of
scores that are computed and thrown away; beyond a few copies the price is higher than the gain. Keys stand transposed in
single precision and as they come in bfloat16, as either's product with the queries reads them fastest: keys and values are
more than a processor's cache holds, so that half the bytes are near half the time. Softmax is in single precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 4
"""Copies that share a slot, at most."""
HIDDEN = torch.finfo(torch.float32).min / 2
"""Bias that leaves a weight of exactly 0, and is a number where nothing else is seen."""


class Slots:
    """Blocks of keys and values of all layers, and which row writes where.

    Rows are numbered as they came; `keep` closes the gaps.
    """

    def __init__(
        self, *, layers: int, prompts: int, copies: int, width: int, room: int, kv: int, groups: int, size: int,
        device: torch.device, dtype: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        """Make room for `prompts` prompts of at most `width` tokens, and `room` tokens of each of their copies."""
        self.copies, self._width, self._kv, self._groups = copies, width, kv, groups
        self._parts = -(-copies // SHARE)
        self._share = -(-copies // self._parts)
        # An odd multiple of 16: keys a power of two apart fall into the same few lines of a processor's cache.
        self._places = -(-(width + self._share * room) // 16) * 16 | 16
        count = prompts * self._parts
        # Places that were never written must hold numbers: hidden is a weight of 0, and 0 times garbage may be none.
        shape = (count, kv, self._places, size)
        self._values = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        self._keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        if dtype == torch.float32:
            self._keys = [keys.view(count, kv, size, self._places).transpose(2, 3) for keys in self._keys]
        self._asked = torch.zeros(count, kv, self._share, groups, size, dtype=dtype, device=device)
        self._bias = torch.full((count, self._share, groups, self._places), HIDDEN, device=device)
        empty = torch.empty(0, dtype=torch.long, device=device)
        # Of each row: its slot, which copy of it, the length of its prompt as padded, its next position, tokens written.
        self._slot, self._copy, self._padded, self._next, self._age = (empty,) * 5

    def vacant(self) -> int:
        """How many prompts find room now."""
        return len(self._free()) // self._parts

    def _free(self) -> Tensor:
        taken = torch.zeros(len(self._bias), dtype=torch.bool, device=self._slot.device)
        taken[self._slot] = True
        return (~taken).nonzero().squeeze(1)

    def add(self, mask: Tensor) -> None:
        """Give prompts, mask of shape (b, p), and their copies a place; their rows come last."""
        b, width = mask.shape
        self._new = self._free()[: b * self._parts]
        self._new_at = slice(self._width - width, self._width)
        shown = torch.zeros_like(mask, dtype=self._bias.dtype).masked_fill_(mask == 0, HIDDEN)
        self._bias[self._new] = HIDDEN
        self._bias[self._new, :, :, self._new_at] = shown.repeat_interleave(self._parts, 0)[:, None, None]
        copy = torch.arange(self.copies, device=mask.device)
        slots = self._new.view(b, self._parts)[:, copy // self._share]
        self._slot = torch.cat([self._slot, slots.flatten()])
        self._copy = torch.cat([self._copy, (copy % self._share).repeat(b)])
        self._padded = torch.cat([self._padded, copy.new_full((b * self.copies,), width)])
        self._next = torch.cat([self._next, mask.sum(1).repeat_interleave(self.copies)])
        self._age = torch.cat([self._age, copy.new_zeros(b * self.copies)])

    def write_prompts(self, layer: int, pairs: Tensor) -> None:
        """Keep keys and values, shape (b, 2 * kv heads, p, size), of the prompts that came last."""
        keys, values = pairs.to(self._asked.dtype).repeat_interleave(self._parts, 0).chunk(2, 1)
        self._keys[layer][self._new, :, self._new_at] = keys
        self._values[layer][self._new, :, self._new_at] = values

    def step(self) -> Tensor:
        """Give each row's next token a place that the row sees; returns its position, shape (rows,)."""
        self._place = self._width + self._age * self._share + self._copy
        self._bias[self._slot, self._copy, :, self._place] = 0
        self._used = int(self._slot.max()) + 1
        self._seen = slice(self._width - int(self._padded.max()), int(self._place.max()) + 1)
        # (slots * kv heads, copies * group, places): heads of a group are further queries of the same keys.
        shown = self._bias[: self._used, None, ..., self._seen].flatten(2, 3)
        self._shown = shown.expand(-1, self._kv, -1, -1).flatten(0, 1)
        position = self._next
        self._age, self._next = self._age + 1, self._next + 1
        return position

    def attend(self, layer: int, heads: Tensor) -> Tensor:
        """Keep each row's key and value, and show its query what it may see.

        Args:
            layer: which.
            heads: shape (rows, heads + 2 * kv heads, size): queries, keys, values.

        Returns:
            What the heads saw, shape (rows, heads * size).
        """
        keys, values = self._keys[layer], self._values[layer]
        query, key, value = heads.to(keys.dtype).tensor_split(
            [heads.shape[1] - 2 * self._kv, heads.shape[1] - self._kv], 1
        )
        keys[self._slot, :, self._place] = key
        values[self._slot, :, self._place] = value
        # Where a copy has ended, its last query stays and is answered in vain.
        self._asked[self._slot, :, self._copy] = query.reshape(len(heads), self._kv, -1, heads.shape[2])
        asked = self._asked[: self._used]
        scores = torch.bmm(
            asked.flatten(2, 3).flatten(0, 1),
            keys[: self._used, :, self._seen].flatten(0, 1).transpose(1, 2),
        )
        seen = torch.add(self._shown, scores, alpha=asked.shape[-1] ** -0.5).softmax(-1).to(keys.dtype)
        mixed = torch.bmm(seen, values[: self._used, :, self._seen].flatten(0, 1))
        return mixed.view(asked.shape)[self._slot, :, self._copy].flatten(1)

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these."""
        self._slot, self._copy, self._padded, self._next, self._age = (
            of[rows] for of in (self._slot, self._copy, self._padded, self._next, self._age)
        )
