"""A sequence model of interest: what a shopper did, in order, says what comes next.

Item i goes in as e_i = x_i W + b + r_i: its features (text, category, price band) and, where it was seen in training, a
residual of its own, so that a cold item is read by its features alone. A gated recurrent unit (Cho et al., 2014; GRU4Rec,
Hidasi et al., 2016) reads the last `LENGTH` events; its state and their mean, shrunk where there are few, make the shopper
vector u:

    logit(u, i) = intercept + slope (u . e_i + c_i),      u = h A + m B.

`copybandit.agents.sequence_trainer` trains it with torch; here it only runs, in NumPy, one step for all shoppers at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from copybandit.sim.events import ADD_TO_CART, PURCHASE, VIEW, EventTable
from copybandit.sim.interest import SHRINKAGE, paired
from copybandit.sim.types import Floats, Ints

LENGTH = 100
"""Events of a history that are read, the latest."""


@dataclass(frozen=True, kw_only=True)
class SequenceModel:
    """A trained sequence model of d features and width h.

    Attributes:
        features: shape (d, h), W of the module's formula.
        offset: shape (h,), b of it.
        residual: shape (m, h), r of it, in the order of the catalogue it was trained on; 0 where never seen.
        bias: shape (m,), c of it.
        input_gates: shape (h, 3 h), of the unit's reset, update and candidate gate, from the item.
        state_gates: shape (h, 3 h), from the state.
        gate_bias: shape (2, 3 h), of input and state.
        from_state, from_mean: shape (h, h), A and B.
        slope, intercept: Platt calibration on shoppers it was not trained on, matched negatives.
    """

    features: Floats
    offset: Floats
    residual: Floats
    bias: Floats
    input_gates: Floats
    state_gates: Floats
    gate_bias: Floats
    from_state: Floats
    from_mean: Floats
    slope: float
    intercept: float

    def items(self, x: Floats) -> Floats:
        """Item vectors of the catalogue it was trained on, given its features (m, d); shape (m, h)."""
        return np.asarray(x @ self.features + self.offset + self.residual)

    def cold_items(self, x: Floats) -> Floats:
        """Item vectors of products that it never saw, given their features (n, d); shape (n, h)."""
        return np.asarray(x @ self.features + self.offset)

    def shopper_vectors(self, sequences: Ints, items: Floats) -> Floats:
        """Vectors u of shoppers, shape (n, h), given sequences (n, L) of item indices, -1 in front where shorter."""
        h = items.shape[1]
        state, total = np.zeros((len(sequences), h)), np.zeros((len(sequences), h))
        for step in sequences.T:
            there = (step >= 0)[:, None]
            entry = np.where(there, items[step], 0.0)
            state = np.where(there, self._step(entry, state), state)
            total += entry
        mean = total / ((sequences >= 0).sum(axis=1) + SHRINKAGE)[:, None]
        return np.asarray(state @ self.from_state + mean @ self.from_mean)

    def _step(self, entry: Floats, state: Floats) -> Floats:
        """One step of the unit, in torch's convention, shapes (n, h)."""
        of_entry = np.split(entry @ self.input_gates + self.gate_bias[0], 3, axis=1)
        of_state = np.split(state @ self.state_gates + self.gate_bias[1], 3, axis=1)
        reset, update = (expit(of_entry[k] + of_state[k]) for k in (0, 1))
        candidate = np.tanh(of_entry[2] + reset * of_state[2])
        return np.asarray((1 - update) * candidate + update * state)


@dataclass(frozen=True, kw_only=True)
class SequenceScorer:
    """A `SequenceModel` over a catalogue whose features are `x`, shape (m, d)."""

    model: SequenceModel
    x: Floats

    def score(self, history: EventTable, shopper: Ints, product: Ints) -> Floats:
        """Logits of pairs of shape (n,), which index the tables of `history`; shape (n,)."""
        items = self.model.items(self.x)
        people, row = np.unique(shopper, return_inverse=True)
        vectors = self.model.shopper_vectors(sequences(history)[people], items)
        raw = paired(vectors, items, row, product) + self.model.bias[product]
        return self.model.intercept + self.model.slope * raw


def sequences(events: EventTable, length: int = LENGTH) -> Ints:
    """The last products that each shopper viewed, carted or bought, in order of time.

    Returns:
        Shape (n_shoppers, length), the latest last, -1 in front where there are fewer.
    """
    own = np.isin(events.kind, [VIEW, ADD_TO_CART, PURCHASE])
    order = np.flatnonzero(own)[np.lexsort((events.time[own], events.shopper[own]))]
    shopper = events.shopper[order]
    count = np.bincount(shopper, minlength=len(events.shopper_ids))
    from_end = np.repeat(np.cumsum(count), count) - 1 - np.arange(len(order))
    kept = from_end < length
    found = np.full((len(count), length), -1, np.int64)
    found[shopper[kept], length - 1 - from_end[kept]] = events.product[order[kept]]
    return found
