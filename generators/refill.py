"""Which rows are written at the same time: rows that ended make room for the next prompts, so that the batch stays full."""

from __future__ import annotations

import torch
from torch import Tensor

from copybandit.generators.decoding import Decoder

REFILL = 8
"""New prompts are read once an eighth of the batch is free: reading one at a time costs more than it fills."""


class Refill:
    """Rows of b prompts with `copies` rows each; row i * copies + c is copy c of prompt i."""

    def __init__(
        self, decoder: Decoder, ids: Tensor, mask: Tensor, *, copies: int, room: int, end: int, at_once: int
    ) -> None:
        """Write prompts, ids and mask of shape (b, p), until `end` or `room` tokens; `at_once` rows at the same time."""
        self._decoder, self._ids, self._mask = decoder, ids, mask
        self._copies, self._room, self._end = copies, room, end
        self._full = max(1, at_once // copies)
        self._next, self.longest = 0, 0
        self._rows = self._age = self._last = torch.empty(0, dtype=torch.long, device=ids.device)
        # Where copies share a slot, a slot may hold few rows that still write: spare ones keep the batch full.
        held = min(len(ids), self._full * (1 if copies == 1 else 2))
        decoder.start(held, copies, ids.shape[1], room)

    def goes_on(self) -> bool:
        """Whether there is something left to write."""
        return bool(len(self._rows)) or self._next < len(self._ids)

    def read(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows that write a token next, how many they have, both of shape (rows,), and logits, shape (rows, v)."""
        logits = [self._decoder.step(self._last)] if len(self._rows) else []
        if taken := self._taken():
            new = slice(self._next, self._next + taken)
            width = int(self._mask[new].sum(1).max())
            logits.append(self._decoder.add(self._ids[new, -width:], self._mask[new, -width:]))
            first = self._next * self._copies
            rows = torch.arange(first, first + taken * self._copies, device=self._ids.device)
            self._rows = torch.cat([self._rows, rows])
            self._age = torch.cat([self._age, torch.zeros_like(rows)])
            self._next += taken
        return self._rows, self._age, logits[0] if len(logits) == 1 else torch.cat(logits)

    def _taken(self) -> int:
        """Prompts to read now."""
        waiting = len(self._ids) - self._next
        if not waiting:
            return 0
        free = self._full - -(-len(self._rows) // self._copies)
        taken = min(waiting, free, self._decoder.vacant())
        return taken if taken >= min(waiting, max(1, self._full // REFILL)) else 0

    def written(self, tokens: Tensor) -> None:
        """What each row wrote, shape (rows,); those that ended leave."""
        self._last, self._age = tokens, self._age + 1
        self.longest = max(self.longest, int(self._age.max()))
        stay = ((tokens != self._end) & (self._age < self._room)).nonzero().squeeze(1)
        if len(stay) < len(tokens):
            self._decoder.keep(stay)
            self._rows, self._age, self._last = self._rows[stay], self._age[stay], tokens[stay]
