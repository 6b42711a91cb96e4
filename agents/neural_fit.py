"""Fits the network of `neural_network` to logged rows with torch; the same rows and seed give the same weights.

    minimise  sum_i w_i (prior_i f(x_i)^2 / 2 - reward_i f(x_i)) + ridge |out|^2 / 2 + decay |other weights|^2 / 2

by Adam on minibatches. But for a constant the sum is w (prior f - reward)^2 / (2 prior): least squares of the click with
the variance that clicks have, as in `policy_linear`; ridge is the precision of the head's prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch

from copybandit.agents.neural_network import Network, Widths, last_layer
from copybandit.sim.types import Floats

MINIBATCH = 256
"""Rows per step."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Logged rows: z (n, i), standardised, and prior, reward and weight, (n,)."""

    z: Floats
    prior: Floats
    reward: Floats
    weight: Floats


def fit_network(
    net: Network,
    rows: Rows,
    widths: Widths,
    *,
    steps: int,
    rate: float,
    ridge: float,
    decay: float,
    rng: np.random.Generator,
) -> Network:
    """Weights after some steps from those given; these where the steps lead to what is not finite.

    Args:
        net: where to start.
        rows: at least one.
        widths: of the blocks of the input.
        steps: of Adam.
        rate: its learning rate.
        ridge: precision of ``out``.
        decay: precision of the other weights.
        rng: draws the minibatches.
    """
    shapes = {name: array.shape for name, array in net.arrays().items()}
    sizes = [math.prod(shape) for shape in shapes.values()]
    flat = torch.from_numpy(np.concatenate([array.ravel() for array in net.arrays().values()]))
    precision = torch.from_numpy(np.repeat([ridge if name == "out" else decay for name in shapes], sizes))

    def named(vector: torch.Tensor) -> dict[str, torch.Tensor]:
        pieces = zip(shapes.items(), torch.split(vector, sizes), strict=True)
        return {name: piece.view(shape) for (name, shape), piece in pieces}

    n = len(rows.z)
    z, prior, reward, weight = (
        torch.from_numpy(np.ascontiguousarray(a)) for a in (rows.z, rows.prior, rows.reward, rows.weight)
    )
    flat.requires_grad_()
    optimizer = torch.optim.Adam(
        [flat], lr=rate
    )  # one vector: small weights one by one cost more than all at once
    for _ in range(steps):
        some = torch.from_numpy(rng.integers(n, size=min(MINIBATCH, n)))
        module = SimpleNamespace(**named(flat))
        f = 1 + last_layer(module, z[some], widths, torch.tanh) @ module.out
        loss = (weight[some] * (prior[some] * f.square() / 2 - reward[some] * f)).mean()
        optimizer.zero_grad()
        (loss + (precision * flat.square()).sum() / (2 * n)).backward()
        optimizer.step()
    found = {name: piece.detach().numpy().copy() for name, piece in named(flat).items()}
    return Network(**found) if all(np.isfinite(one).all() for one in found.values()) else net
