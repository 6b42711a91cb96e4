"""Rows of prompt and answer side by side, without the places that only pad them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """b rows with n tokens in all, m of them answer.

    Attributes:
        ids: shape (b, prompt + t), the rows as they came.
        mask: shape (b, prompt + t), 1 for a token.
        prompt: width of the prompts.
        tokens: shape (n,), row after row.
        position: shape (n,), place of each token in its row.
        row: shape (n,), which row it stands in.
        longest: tokens of the longest row.
        asked: shape (m,), the token after which each answer token comes, as a place in `tokens`.
        answer: shape (m,), the answer tokens.
        slot: shape (m,), their places in a (b, t) table of answers, flattened.
        width: t.
    """

    ids: Tensor
    mask: Tensor
    prompt: int
    tokens: Tensor
    position: Tensor
    row: Tensor
    longest: int
    asked: Tensor
    answer: Tensor
    slot: Tensor
    width: int

    @classmethod
    def of(cls, ids: Tensor, mask: Tensor, prompt: int) -> PackedRows:
        """Pack rows of left-padded prompts and right-padded answers.

        Args:
            ids: shape (b, prompt + t); padded places may hold any token.
            mask: shape (b, prompt + t), 1 for a token, 0 for padding; no prompt is empty.
            prompt: width of the prompts.
        """
        row, column = mask.nonzero(as_tuple=True)
        tokens, width = ids[row, column], ids.shape[1] - prompt
        answered = (column >= prompt).nonzero().squeeze(1)
        return cls(
            ids=ids,
            mask=mask,
            prompt=prompt,
            tokens=tokens,
            position=(mask.cumsum(1) - 1)[row, column],
            row=row,
            longest=int(mask.sum(1).max()),
            asked=answered - 1,
            answer=tokens[answered],
            slot=row[answered] * width + column[answered] - prompt,
            width=width,
        )

    @property
    def rows(self) -> int:
        """B."""
        return len(self.ids)

    def table(self, values: Tensor) -> Tensor:
        """Values of the answer tokens, shape (m,), as a (b, t) table with zeros where there is none."""
        flat = values.new_zeros(self.rows * self.width)
        return flat.index_copy(0, self.slot, values).view(self.rows, self.width)

    def apart(self, packed: Tensor) -> Tensor:
        """Packed values, shape (n, ...), as (b, longest, ...): each row from its beginning, zeros after its end."""
        shape = (self.rows, self.longest, *packed.shape[1:])
        if self._even():
            return packed.view(shape)
        flat = packed.new_zeros(self.rows * self.longest, *packed.shape[1:])
        return flat.index_copy(0, self._place(), packed).view(shape)

    def together(self, rows: Tensor) -> Tensor:
        """What `apart` made, shape (b, longest, ...), packed again."""
        flat = rows.flatten(0, 1)
        return flat if self._even() else flat[self._place()]

    def _even(self) -> bool:
        return len(self.tokens) == self.rows * self.longest

    def _place(self) -> Tensor:
        return self.row * self.longest + self.position


def same_rows(kept: Tensor, given: Tensor) -> Tensor | None:
    """For each row given, shape (b, w), a kept row that equals it, shape (b,); None where they are not the same rows."""
    if kept.shape != given.shape:
        return None
    _, which = torch.cat([kept, given]).unique(dim=0, return_inverse=True)
    ours, theirs = which[: len(kept)].argsort(stable=True), which[len(kept) :].argsort(stable=True)
    if not torch.equal(which[: len(kept)][ours], which[len(kept) :][theirs]):
        return None
    return torch.empty_like(ours).index_copy_(0, theirs, ours)
