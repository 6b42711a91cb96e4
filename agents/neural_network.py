"""A small network whose last layer is the features of a linear policy: what it computes, not how it is fitted.

    z = [context, copy, product, state], standardised and cut at +-`CUT`
    h = tanh(z A + (c x a) B_ca + (c x p) B_cp + (a x p) B_ap + bias),   a x p = (a U_a) * (p U_p)
    phi = (tanh(h C + z D + bias) - centre) / spread,   f = 1 + phi . out

Crosses are products of low-rank projections, so that who reads and what the copy says may matter together. Until it is
fitted for the first time phi is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from copybandit.sim.types import DataError, Floats

CUT = 8.0
"""Size of a standardised input beyond which it counts no more."""
LEAST_SPREAD = 1e-3
"""Standard deviation, relative to the largest size where that is above 1, below which a column is taken for a constant."""


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Columns of the blocks of the input, and sizes of the network; all but ``hidden`` and ``width`` may be 0."""

    context: int
    copy: int
    product: int
    state: int
    rank: int
    hidden: int
    width: int

    def __post_init__(self) -> None:
        if min(self.context, self.copy, self.product, self.state, self.rank) < 0 or self.inputs < 1:
            raise DataError(
                f"network: columns must be >= 0 and at least one, got {self}; give it something to read"
            )
        if min(self.hidden, self.width) < 1:
            raise DataError(
                f"network: hidden and width must be at least 1, got {self.hidden} and {self.width}; raise them"
            )

    @property
    def inputs(self) -> int:
        """Columns of z."""
        return self.context + self.copy + self.product + self.state


@dataclass(frozen=True, kw_only=True)
class Network:
    """Weights; with z (.., i) the last layer has shape (.., width).

    Attributes:
        of_context, of_copy, of_product: shape (columns, rank), projections for crosses.
        context_copy, context_product, copy_product: shape (rank, hidden).
        first: shape (i, hidden), with first_bias (hidden,).
        second: shape (hidden, width), with second_bias (width,).
        skip: shape (i, width), from the input straight to the last layer.
        out: shape (width,).
    """

    of_context: Floats
    of_copy: Floats
    of_product: Floats
    context_copy: Floats
    context_product: Floats
    copy_product: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    skip: Floats
    out: Floats

    def arrays(self) -> dict[str, Floats]:
        """Weights by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """What makes inputs and units comparable.

    Attributes:
        input_centre, input_spread: shape (i,).
        centre, spread: shape (width,), of the last layer before it is standardised.
    """

    input_centre: Floats
    input_spread: Floats
    centre: Floats
    spread: Floats

    def arrays(self) -> dict[str, Floats]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def inputs(self, raw: Floats) -> Floats:
        """Standardised inputs, the same shape."""
        return np.asarray(np.clip((raw - self.input_centre) / self.input_spread, -CUT, CUT))

    def units(self, layer: Floats) -> Floats:
        """The standardised last layer, the same shape."""
        return np.asarray((layer - self.centre) / self.spread)


def plain_scaling(widths: Widths) -> Scaling:
    """One that changes nothing."""
    return Scaling(
        input_centre=np.zeros(widths.inputs),
        input_spread=np.ones(widths.inputs),
        centre=np.zeros(widths.width),
        spread=np.ones(widths.width),
    )


def moments(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, 1 where it hardly varies; rows (n, c)."""
    spread = rows.std(axis=0)
    return rows.mean(axis=0), np.where(
        spread > LEAST_SPREAD * np.abs(rows).max(axis=0, initial=1.0), spread, 1.0
    )


def new_network(widths: Widths, rng: np.random.Generator) -> Network:
    """Weights before fitting: normal, of the size that keeps units at about unit variance; ``out`` is 0."""

    def normal(rows: int, columns: int) -> Floats:
        return rng.normal(scale=1 / np.sqrt(max(rows, 1)), size=(rows, columns))

    w = widths
    return Network(
        of_context=normal(w.context, w.rank),
        of_copy=normal(w.copy, w.rank),
        of_product=normal(w.product, w.rank),
        context_copy=normal(w.rank, w.hidden),
        context_product=normal(w.rank, w.hidden),
        copy_product=normal(w.rank, w.hidden),
        first=normal(w.inputs, w.hidden),
        first_bias=np.zeros(w.hidden),
        second=normal(w.hidden, w.width),
        second_bias=np.zeros(w.width),
        skip=normal(w.inputs, w.width),
        out=np.zeros(w.width),
    )


def last_layer(net: Any, z: Any, widths: Widths, tanh: Callable[[Any], Any]) -> Any:
    """The last layer before it is standardised; one formula for NumPy's arrays and torch's tensors.

    Args:
        net: a `Network`, or its like with tensors.
        z: shape (.., i), standardised.
        widths: of the blocks of z.
        tanh: of the library.
    """
    end = widths.context + widths.copy
    context = z[..., : widths.context] @ net.of_context
    copy = z[..., widths.context : end] @ net.of_copy
    product = z[..., end : end + widths.product] @ net.of_product
    crosses = (context * copy) @ net.context_copy + (context * product) @ net.context_product
    hidden = tanh(z @ net.first + crosses + (copy * product) @ net.copy_product + net.first_bias)
    return tanh(hidden @ net.second + z @ net.skip + net.second_bias)
