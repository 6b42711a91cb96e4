"""Heads of packed rows that look at their rows up to themselves, with the gradient known: for rows whose scores are few.

    P = softmax(R(q) R(k)^T / sqrt(d) + bias),   o = P v,   bias = 0 up to a query's place, -inf after it
    dP = do v^T,   dS = P * (dP - sum(dP * P)),   dq = R^T(dS k) / sqrt(d),   dk = R^T(dS^T q) / sqrt(d),   dv = P^T do

Turning (R), laying out by head and rounding are one step each way. Angles are turned and softmax is summed in single
precision; what is multiplied stays in the precision it came in.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from copybandit.agents.packed_rows import PackedRows


def looked(heads: Tensor, turn: Tensor, rows: PackedRows, queries: int) -> Tensor:
    """What the heads saw, shape (n, queries * size).

    Args:
        heads: shape (n, queries + 2 kv, size), packed; the two coordinates that R turns stand side by side.
        turn: shape (longest, 1, size / 2), the complex unit of each place and pair.
        rows: how they are packed.
        queries: heads of queries; keys and values have (equally) fewer.
    """
    result: Tensor = _Looked.apply(heads, turn, rows, queries)  # type: ignore[no-untyped-call]  # as torch leaves it
    return result


class _Looked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, heads: Tensor, turn: Tensor, rows: PackedRows, queries: int) -> Tensor:
        table, kv = rows.apart(heads), (heads.shape[1] - queries) // 2
        turned = _turned(table[:, :, : queries + kv], turn)
        query = _by_head(turned[:, :, :queries], heads.dtype, rows.rows * kv)
        key = _by_head(turned[:, :, queries:], heads.dtype, rows.rows * kv)
        value = _by_head(table[:, :, queries + kv :], heads.dtype, rows.rows * kv)
        later = torch.ones(rows.longest, rows.longest, dtype=torch.bool, device=heads.device).triu(1)
        bias = torch.zeros_like(later, dtype=heads.dtype).masked_fill_(later, float("-inf"))
        scores = torch.baddbmm(
            bias.repeat(queries // kv, 1), query, key.transpose(1, 2), alpha=heads.shape[2] ** -0.5
        )
        seen = scores.softmax(-1)
        ctx.save_for_backward(turn, query, key, value, seen)
        ctx.rows, ctx.queries = rows, queries
        return rows.together(_by_place(torch.bmm(seen, value), rows)).flatten(1)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        turn, query, key, value, seen = ctx.saved_tensors
        rows, queries, size = ctx.rows, ctx.queries, query.shape[2]
        kv = len(key) // rows.rows
        asked = _by_head(rows.apart(slope.view(len(slope), queries, size)), seen.dtype, len(key))
        of_seen = torch.bmm(asked, value.transpose(1, 2))
        of_scores = torch._softmax_backward_data(of_seen, seen, -1, seen.dtype).mul_(size**-0.5)
        parts = [
            torch.bmm(of_scores, key),
            torch.bmm(of_scores.transpose(1, 2), query),
            torch.bmm(seen.transpose(1, 2), asked),
        ]
        back = torch.cat([_by_place(part, rows) for part in parts], 2)
        back[:, :, : queries + kv] = _turned(back[:, :, : queries + kv], turn.conj())
        return rows.together(back), None, None, None


def _turned(heads: Tensor, turn: Tensor) -> Tensor:
    """Heads of a table, shape (b, t, heads, size), turned by each place's angles, in single precision."""
    turned = heads.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    torch.view_as_complex(turned.view(*turned.shape[:-1], -1, 2)).mul_(turn)
    return turned


def _by_head(table: Tensor, dtype: torch.dtype, groups: int) -> Tensor:
    """A table of shape (b, t, heads, size) as (groups, heads t b / groups, size)."""
    heads = table.transpose(1, 2).to(dtype, memory_format=torch.contiguous_format)
    return heads.reshape(groups, -1, table.shape[-1])


def _by_place(heads: Tensor, rows: PackedRows) -> Tensor:
    """What `_by_head` made, as a table again."""
    return heads.view(rows.rows, -1, rows.longest, heads.shape[-1]).transpose(1, 2)
