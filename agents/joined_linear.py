"""Linear layers of one input as one product, with the gradients that tuning asks for.

    y = x W^T + s (x A^T) B^T,   dx = dy W + s (dy B) A,   dW = dy^T x,   dA = s (dy B)^T x,   dB = s dy^T (x A^T)

W is rounded once for as long as it stays what it is, until the next step where W itself is trained; under an adapter (LoRA,
arXiv 2106.09685) that is for ever, and W is also laid out as the processor multiplies it. Weights keep single precision,
and so do the gradients' sums; only what is multiplied is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from copybandit.generators.products import Product, matrix_product


class JoinedLinear:
    """A `Product` of plain or LoRA-adapted linear layers without bias; outputs stand side by side.

    Attributes:
        trained: the weights W that are trained, none under an adapter.
        adapted: whether the adapter takes part.
    """

    def __init__(self, layers: Sequence[nn.Module], dtype: torch.dtype, order: Tensor | None = None) -> None:
        """Join layers of one input.

        Args:
            layers: plain or LoRA-adapted linear layers without bias.
            dtype: what is multiplied is rounded to.
            order: shape (out,), which output stands where; None for as they come.
        """
        self._weights: list[Tensor] = [_weight(layer) for layer in layers]
        self._lora = [_low_rank(layer) for layer in layers if hasattr(layer, "base_layer")]
        self._dtype, self._order = dtype, order
        self._inverse = None if order is None else order.argsort()
        self.trained = tuple(weight for weight in self._weights if weight.requires_grad)
        self.adapted = bool(self._lora)
        self._marks: tuple[int, ...] = ()
        self._rank_marks: tuple[int, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """Product with x, shape (n, in)."""
        low, high = self._low_rank() if self._lora and self.adapted else (None, None)
        if not torch.is_grad_enabled():
            return self._adapted(self.times(x), x, low, high)[0]
        y: Tensor = _Product.apply(x, self, low, high, *self.trained)
        return y

    @staticmethod
    def _adapted(
        y: Tensor, x: Tensor, low: Tensor | None, high: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """y, changed in place by what the adapter adds, and x A^T."""
        if low is None or high is None:
            return y, None
        inner = x @ low.t()
        return y.addmm_(inner, high.t()), inner

    def _low_rank(self) -> tuple[Tensor, Tensor]:
        """A of all layers, shape (ranks, in), and B, shape (out, ranks), with its factor s."""
        if torch.is_grad_enabled():
            return self._joined_ranks()
        marks = tuple(part._version for pair in self._lora for part in pair[:2])
        if marks != self._rank_marks:
            self._ranks, self._rank_marks = self._joined_ranks(), marks
        return self._ranks

    def _joined_ranks(self) -> tuple[Tensor, Tensor]:
        low = torch.cat([a for a, _, _ in self._lora])
        high = torch.block_diag(*(b * scale for _, b, scale in self._lora))
        high = high if self._order is None else high[self._order]
        return low.to(self._dtype), high.to(self._dtype)

    def _lay_out(self) -> None:
        marks = tuple(weight._version for weight in self._weights)
        if marks == self._marks:
            return
        with torch.no_grad():
            rounded = [weight.to(self._dtype) for weight in self._weights]
            joined = torch.cat(rounded) if len(rounded) > 1 else rounded[0]
            matrix = joined if self._order is None else joined[self._order]
        if self.trained:
            # Soon to be laid out again: that would take longer than it saves.
            self._there, self._back = partial(_times, matrix.t()), partial(_times, matrix)
        else:
            self._there, self._back = matrix_product(matrix), matrix_product(matrix.t())
        self._marks = marks

    _there: Product
    _back: Product
    _ranks: tuple[Tensor, Tensor]

    def times(self, x: Tensor) -> Tensor:
        """Return x W^T, without adapter and without gradient, shape (n, out)."""
        self._lay_out()
        return self._there(x)

    def back(self, slope: Tensor) -> Tensor:
        """Return dy W, shape (n, in)."""
        return self._back(slope)

    def weight_gradients(self, slope: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Return dW of each layer in single precision, of dy, shape (n, out), and x, shape (n, in)."""
        whole = (slope.t() @ x).float()
        whole = whole if self._inverse is None else whole[self._inverse]
        parts: tuple[Tensor, ...] = whole.split([len(weight) for weight in self._weights])
        return parts


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    return x @ matrix


def _weight(layer: Any) -> Tensor:
    """W of a layer, under its adapter if it has one."""
    weight: Tensor = getattr(layer, "base_layer", layer).weight
    return weight


def _low_rank(layer: Any) -> tuple[Tensor, Tensor, float]:
    """A, shape (r, in), B, shape (out, r), and s of a layer's only adapter."""
    (name,) = layer.active_adapters
    return layer.lora_A[name].weight, layer.lora_B[name].weight, float(layer.scaling[name])


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, linear: JoinedLinear, low: Tensor | None, high: Tensor | None, *_: Tensor
    ) -> Tensor:
        y, inner = linear._adapted(linear.times(x), x, low, high)
        ctx.save_for_backward(x, low, high, inner)
        ctx.linear = linear
        return y

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Any, ...]:
        x, low, high, inner = ctx.saved_tensors
        weights = ctx.linear.weight_gradients(slope, x) if ctx.linear.trained else ()
        back = ctx.linear.back(slope) if ctx.needs_input_grad[0] else None
        if low is None:
            return back, None, None, None, *weights
        inside = slope @ high
        if back is not None:
            back.addmm_(inside, low)
        return back, None, inside.t() @ x, slope.t() @ inner, *weights
