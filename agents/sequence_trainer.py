"""Trains the sequence model of `copybandit.sim.sequence` with torch and hands it back as arrays.

After each event of a history the model must tell a product that the shopper turns to later, in another visit, from
products drawn as often as they are chosen: a softmax over the target and the batch's shared negatives. Because negatives
follow popularity, the score is what a shopper likes beyond what is popular. The step is chosen, and the
score calibrated, on a quarter of the shoppers that training does not see.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from copybandit.sim.calibration import fit_platt, judge_calibration
from copybandit.sim.events import ADD_TO_CART, PURCHASE, VIEW, EventTable
from copybandit.sim.interest import SHRINKAGE
from copybandit.sim.interest_pairs import Pairs, cut_in_time, purchase_pairs
from copybandit.sim.sequence import LENGTH, SequenceModel, SequenceScorer
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class SequenceSettings:
    """How the model is trained.

    Attributes:
        width: h of the model.
        epochs: at most so many passes; the best of them is kept.
        patience: passes without a better one after which training stops.
        batch_size: windows per step.
        negatives: products that share a step's softmax.
        horizon: a target lies at most so many events after its position.
        dropout: of item vectors, so that no residual is relied on alone.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
    """

    width: int = 64
    epochs: int = 20
    patience: int = 3
    batch_size: int = 64
    negatives: int = 512
    horizon: int = 60
    dropout: float = 0.5
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2


class _Net(nn.Module):
    """The same formula as `SequenceModel`, on batches of whole windows."""

    def __init__(self, x: Floats, width: int, dropout: float) -> None:
        super().__init__()
        self.x = torch.as_tensor(x, dtype=torch.float32)
        self.project = nn.Linear(x.shape[1], width)
        self.residual = nn.Embedding(len(x), width)
        self.bias = nn.Embedding(len(x), 1)
        nn.init.normal_(self.residual.weight, std=0.02)
        nn.init.zeros_(self.bias.weight)
        self.unit = nn.GRU(width, width, batch_first=True)
        self.from_state = nn.Linear(width, width, bias=False)
        self.from_mean = nn.Linear(width, width, bias=False)
        self.drop = nn.Dropout(dropout)

    def items(self, index: Tensor) -> Tensor:
        """Item vectors of indices of any shape."""
        vectors: Tensor = self.project(self.x[index]) + self.residual(index)
        return vectors

    def states(self, window: Tensor) -> Tensor:
        """Shopper vectors after each event of windows (b, L), padded by -1 behind; shape (b, L, h)."""
        there = (window >= 0).unsqueeze(-1)
        entry = self.drop(self.items(window.clamp(min=0))) * there
        state, _ = self.unit(entry)
        mean = entry.cumsum(1) / (there.cumsum(1) + SHRINKAGE)
        vectors: Tensor = self.from_state(state) + self.from_mean(mean)
        return vectors


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """Histories cut into windows of at most `LENGTH` events.

    Attributes:
        item: shape (w, L), -1 behind.
        first, last: shape (w, L), places in `future` of the first and last event that may be a position's target;
            last < first where there is none.
        future: shape (n,), all events' products, shopper after shopper, in order of time.
    """

    item: Ints
    first: Ints
    last: Ints
    future: Ints

    @classmethod
    def cut(cls, events: EventTable, shoppers: Bools, horizon: int) -> _Windows:
        """Cut the histories of the shoppers of a mask."""
        own = np.isin(events.kind, [VIEW, ADD_TO_CART, PURCHASE]) & shoppers[events.shopper]
        order = np.flatnonzero(own)[np.lexsort((events.time[own], events.shopper[own]))]
        shopper, product = events.shopper[order], events.product[order]
        day = events.time[order].astype("datetime64[D]").astype(np.int64)
        n = len(order)
        if not n:
            raise DataError("sequence model: fit shoppers must have events, got none; give a longer log")
        new_shopper = np.r_[True, shopper[1:] != shopper[:-1]]
        new_visit = new_shopper | np.r_[True, day[1:] != day[:-1]]
        begin = np.flatnonzero(new_shopper)
        end_of = np.repeat(np.r_[begin[1:], n], np.diff(np.r_[begin, n]))
        visits = np.flatnonzero(new_visit)
        next_visit = np.repeat(np.r_[visits[1:], n], np.diff(np.r_[visits, n]))
        place = np.arange(n) - np.repeat(begin, np.diff(np.r_[begin, n]))
        row = np.cumsum(place % LENGTH == 0) - 1
        shape = (row[-1] + 1, LENGTH)
        item, first, last = np.full(shape, -1), np.zeros(shape, np.int64), np.full(shape, -1)
        column = place % LENGTH
        item[row, column] = product
        first[row, column] = next_visit
        last[row, column] = np.minimum(end_of, next_visit + horizon) - 1
        return cls(item=item, first=first, last=last, future=product)

    def targets(self, rows: Ints, rng: np.random.Generator) -> Ints:
        """A random later product for each position of some windows, shape (b, L); -1 where there is none."""
        first, last = self.first[rows], self.last[rows]
        pick = first + (rng.random(first.shape) * (last - first + 1)).astype(np.int64)
        there = (last >= first) & (self.item[rows] >= 0)
        return np.where(there, self.future[np.where(there, pick, 0)], -1)


def fit_sequence(
    events: EventTable,
    x: Floats,
    fit: Bools,
    rng: np.random.Generator,
    settings: SequenceSettings | None = None,
    advance: Callable[[], None] = lambda: None,
) -> SequenceModel:
    """Train on the fit shoppers of a log.

    Args:
        events: what may be seen; its products in the order of `x`.
        x: shape (m, d), features of the catalogue, as of `ProductFeatures.products`.
        fit: shape (n_shoppers,), who to train on; a quarter of them chooses the step and calibrates.
        rng: draws the quarter, the targets, the negatives and the seed of the weights.
        settings: defaults if not given.
        advance: called after each pass.

    Raises:
        DataError: when the shoppers have no events, or held-out ones no later purchase.
    """
    settings = settings or SequenceSettings()
    held = fit & (rng.random(len(fit)) < 0.25)
    before, after = cut_in_time(events)
    tune = purchase_pairs(after, held, len(x), rng)
    windows = _Windows.cut(events, fit & ~held, settings.horizon)
    torch.manual_seed(int(rng.integers(2**31)))
    net = _Net(x, settings.width, settings.dropout)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best, best_auc, waited = None, -math.inf, 0
    for _ in range(settings.epochs):
        _epoch(net, optimizer, windows, settings, rng)
        found, auc = _calibrated(net, x, before, tune)
        advance()
        waited += 1
        if auc > best_auc:
            best, best_auc, waited = found, auc, 0
        if waited >= settings.patience:
            break
    assert best is not None
    return best


def _epoch(
    net: _Net,
    optimizer: torch.optim.Optimizer,
    windows: _Windows,
    settings: SequenceSettings,
    rng: np.random.Generator,
) -> None:
    net.train()
    order = rng.permutation(len(windows.item))
    for start in range(0, len(order), settings.batch_size):
        rows = order[start : start + settings.batch_size]
        target = windows.targets(rows, rng)
        if (target >= 0).any():
            loss = _loss(net, windows, rows, target, settings.negatives, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()


def _loss(
    net: _Net, windows: _Windows, rows: Ints, target: Ints, n_negatives: int, rng: np.random.Generator
) -> Tensor:
    """Softmax cross-entropy of each position's target against shared negatives."""
    there = torch.as_tensor(target >= 0)
    vectors = net.states(torch.as_tensor(windows.item[rows]))[there]
    right = torch.as_tensor(target)[there]
    wrong = torch.as_tensor(rng.choice(windows.future, n_negatives))
    wrong_items, right_items = net.items(wrong), net.items(right)
    own = (vectors * right_items).sum(-1, keepdim=True) + net.bias(right)
    other = vectors @ wrong_items.T + net.bias(wrong).T
    other = other.masked_fill(right[:, None] == wrong[None, :], -1e9)
    scores = torch.cat([own, other], dim=1)
    return functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))


def _calibrated(net: _Net, x: Floats, before: EventTable, tune: Pairs) -> tuple[SequenceModel, float]:
    """The model as arrays, calibrated on pairs of held-out shoppers, and its AUC on them."""
    model = _arrays(net)
    score = SequenceScorer(model=model, x=x).score(before, tune.shopper, tune.product)
    platt = fit_platt(score, tune.label)
    auc = judge_calibration(score, tune.label).auc
    return replace(model, slope=max(float(platt.slopes[0]), 1e-3), intercept=platt.intercept), auc


def _arrays(net: _Net) -> SequenceModel:
    found = {name: value.numpy().astype(np.float64) for name, value in net.state_dict().items()}
    return SequenceModel(
        features=found["project.weight"].T,
        offset=found["project.bias"],
        residual=found["residual.weight"],
        bias=found["bias.weight"][:, 0],
        input_gates=found["unit.weight_ih_l0"].T,
        state_gates=found["unit.weight_hh_l0"].T,
        gate_bias=np.stack([found["unit.bias_ih_l0"], found["unit.bias_hh_l0"]]),
        from_state=found["from_state.weight"].T,
        from_mean=found["from_mean.weight"].T,
        slope=1.0,
        intercept=0.0,
    )
