"""Neural-linear: Thompson sampling with LinTS on the last layer of a small network over context, copy and product.

The network (`neural_network`) learns what to look at: now and then it is fitted to the rows still remembered. The head, a
`LinTS` on its last layer, learns from every row as it comes and knows what it does not know. After a fit the head is
learned anew from the remembered rows, for its features are others now; what lay further back is forgotten by it.
Riquelme, Tucker, Snoek, ICLR 2018. Rows that fitted the network teach the head as well, so its doubt is a little small.

Embeddings are columns of ``Batch.actions``: the copy's, then, in the last ``n_product``, the product's. Torch is needed for
fitting alone and is imported then.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from types import ModuleType
from typing import Unpack

import numpy as np

from copybandit.agents.batch import Batch, check_feedback
from copybandit.agents.explain_parts import FeatureNames, Parts
from copybandit.agents.forgetful import check_forget
from copybandit.agents.neural_memory import RowMemory
from copybandit.agents.neural_network import (
    Network,
    Scaling,
    Widths,
    last_layer,
    moments,
    new_network,
    plain_scaling,
)
from copybandit.agents.neural_settings import NetworkOptions, NetworkSettings
from copybandit.agents.policy_lints import LinTS
from copybandit.agents.stateful import Arrays, Settings, check_state, part, within
from copybandit.sim.types import DataError, Floats, Ints

SLICE = 8192
"""Remembered rows that the head learns at once."""


class NeuralLinear:
    """Chooses each candidate as often as the head thinks it the best.

    Args:
        n_actions: number of variants m.
        n_features: columns q of ``Batch.actions``.
        n_context: columns p of ``Batch.context``.
        n_product: how many of the last columns of ``Batch.actions`` are the product's embedding.
        n_linear: how many of the first columns of ``Batch.actions`` the head also reads as they are, beside the last layer;
            what is linear in them is then learned from the first row on.
        state_channels: channels of ``Batch.state`` that the network reads.
        points: at which the head compares candidates, even, at least 8; see `policy_best`.
        epsilon: share of uniform exploration, in (0, 1].
        ridge: 1 / (prior variance of a coefficient of the head); its features have unit variance.
        residual_ridge: 1 / (prior variance of a variant's own scalar).
        options: of the network.

    Raises:
        DataError: a setting is out of range.
    """

    name = "neural_linear"

    def __init__(
        self,
        *,
        n_actions: int,
        n_features: int,
        n_context: int,
        n_product: int = 0,
        n_linear: int = 0,
        state_channels: tuple[int, ...] = (),
        points: int = 32,
        epsilon: float = 0.02,
        ridge: float = 100.0,
        residual_ridge: float = 44.0,
        **options: Unpack[NetworkOptions],
    ) -> None:
        self.network = NetworkSettings(**options)
        if not 0 <= n_product <= n_features or not 0 <= n_linear <= n_features:
            raise DataError(
                f"neural_linear: n_product and n_linear must be in [0, {n_features}], got {n_product} and {n_linear}; "
                "count columns of actions"
            )
        self.n_actions, self.n_features, self.n_linear = n_actions, n_features, n_linear
        self.state_channels = state_channels
        self.points, self.epsilon, self.ridge, self.residual_ridge = points, epsilon, ridge, residual_ridge
        self._widths = Widths(
            context=n_context,
            copy=n_features - n_product,
            product=n_product,
            state=len(state_channels),
            rank=self.network.rank,
            hidden=self.network.hidden,
            width=self.network.width,
        )
        self._begin()

    def _begin(self) -> None:
        """Nothing learned, nothing remembered."""
        self._memory = RowMemory(kept=self.network.kept, inputs=self._widths.inputs)
        self._net = new_network(self._widths, np.random.default_rng([self.network.seed, 0]))
        self._scaling = plain_scaling(self._widths)
        self._fitted_at = 0
        self._head = self._new_head()

    def settings(self) -> Settings:
        """Arguments that make the like of it."""
        return {
            "n_actions": self.n_actions,
            "n_features": self.n_features,
            "n_context": self._widths.context,
            "n_product": self._widths.product,
            "n_linear": self.n_linear,
            "state_channels": self.state_channels,
            "points": self.points,
            "epsilon": self.epsilon,
            "ridge": self.ridge,
            "residual_ridge": self.residual_ridge,
            **asdict(self.network),
        }

    def action_probs(self, batch: Batch, rng: np.random.Generator) -> Floats:
        """Shape (n, k), posterior probability of being the best, mixed with the floor; ``rng`` is not used."""
        return self._head.action_probs(self._represented(batch), rng)

    def parts(self, batch: Batch, names: FeatureNames) -> Parts:
        """The head's parts, all units of the network in one: they have no names."""
        seen, plain = self._represented(batch), 2 + self.n_linear
        units = tuple(f"unit {unit}" for unit in range(self._widths.width))
        given = FeatureNames(state=("", *names.actions[: self.n_linear], *units))
        parts = self._head.parts(seen, given)
        learned = parts.value[..., plain:-1].sum(axis=2, keepdims=True)
        return replace(
            parts,
            kinds=(*parts.kinds[:plain], "feature", "record"),
            names=(*parts.names[:plain], "what the network sees in it", ""),
            value=np.concatenate([parts.value[..., :plain], learned, parts.value[..., -1:]], axis=2),
        )

    def update(self, batch: Batch, column: Ints, reward: Floats, weight: Floats) -> None:
        """Teaches the head, remembers the rows, and fits the network when it is time.

        Raises:
            DataError: unusable feedback, or it is time and torch is missing; nothing is learned then.
        """
        seen = self._represented(batch)
        check_feedback(batch, column, reward, weight)
        told = np.flatnonzero(weight > 0)
        due = self._memory.rows + len(told) - self._fitted_at >= self.network.every
        fitting = _fitting() if due else None
        self._head.update(seen, column, reward, weight)
        self._memory.add(
            self._inputs(batch)[told, column[told]],
            batch.shown(column)[told],
            batch.prior[told, column[told]],
            reward[told],
            weight[told],
        )
        if fitting is not None:
            self._fit(fitting)

    def forget(self, keep: float, variants: Ints | None = None) -> None:
        """Shrinks what the head learned, and how much the remembered rows count when it is learned anew.

        With keep 0 everything is as at the start, the network too. Of some variants alone nothing that is shared fades
        before the next fit, which counts their rows for less.
        """
        check_forget(keep, variants, self.n_actions)
        if keep == 0 and variants is None:
            self._begin()
            return
        self._head.forget(keep, variants)
        self._memory.fade(keep, variants)

    def _fit(self, fitting: ModuleType) -> None:
        """Fits the network to what is remembered, then the head to its new features."""
        memory, settings = self._memory, self.network
        prior, reward, weight = memory.told
        scaling = self._scaling if self._fitted_at else self._first_scaling()
        z = scaling.inputs(memory.input)
        self._net = fitting.fit_network(
            self._net,
            fitting.Rows(z=z, prior=prior, reward=reward, weight=weight),
            self._widths,
            steps=settings.steps,
            rate=settings.rate,
            ridge=self.ridge,
            decay=settings.decay,
            rng=np.random.default_rng([settings.seed, 1, memory.rows]),
        )
        centre, spread = moments(last_layer(self._net, z, self._widths, np.tanh))
        self._scaling = replace(scaling, centre=centre, spread=spread)
        self._fitted_at = memory.rows
        self._learn_head(reward, weight)

    def _learn_head(self, reward: Floats, weight: Floats) -> None:
        self._head = self._new_head()
        prior, _, _ = self._memory.told
        for start in range(0, len(self._memory), SLICE):
            rows = slice(start, start + SLICE)
            raw = self._memory.input[rows]
            n = len(raw)
            batch = Batch(
                context=np.empty((n, 0)),
                actions=np.empty((self.n_actions, 0)),
                candidates=self._memory.variant[rows, None].astype(np.int32),
                state=np.concatenate([prior[rows, None], self._features(raw)], axis=1)[:, None, :],
                time=np.zeros(n),
            )
            self._head.update(batch, np.zeros(n, dtype=np.int64), reward[rows], weight[rows])

    def _first_scaling(self) -> Scaling:
        """Inputs are standardised as they are when the network is fitted first, and so for good."""
        centre, spread = moments(self._memory.input)
        return replace(self._scaling, input_centre=centre, input_spread=spread)

    def _new_head(self) -> LinTS:
        return LinTS(
            points=self.points,
            epsilon=self.epsilon,
            n_actions=self.n_actions,
            n_features=0,
            state_channels=tuple(range(1, 1 + self.n_linear + self._widths.width)),
            ridge=self.ridge,
            residual_ridge=self.residual_ridge,
        )

    def _represented(self, batch: Batch) -> Batch:
        """The requests as the head sees them: the warm start and its features as state, nothing else."""
        phi = self._features(self._inputs(batch))
        return Batch(
            context=np.empty((len(batch), 0)),
            actions=np.empty((len(batch.actions), 0)),
            candidates=batch.candidates,
            state=np.concatenate([batch.state[..., :1], phi], axis=2),
            time=batch.time,
        )

    def _features(self, raw: Floats) -> Floats:
        """The first columns of actions, then the standardised last layer, which is 0 before the first fit."""
        first = self._widths.context
        plain = raw[..., first : first + self.n_linear]
        if not self._fitted_at:
            units = np.zeros((*raw.shape[:-1], self._widths.width))
        else:
            z = self._scaling.inputs(raw)
            units = self._scaling.units(last_layer(self._net, z, self._widths, np.tanh))
        return np.concatenate([plain, units], axis=-1)

    def _inputs(self, batch: Batch) -> Floats:
        """Context, copy, product and state of each candidate, shape (n, k, i)."""
        q, p, channels = batch.actions.shape[1], batch.context.shape[1], batch.state.shape[2]
        if q != self.n_features:
            raise DataError(
                f"neural_linear: actions must have {self.n_features} columns, got {q}; give the embeddings it was made for"
            )
        if p != self._widths.context:
            raise DataError(
                f"neural_linear: needs {self._widths.context} context columns, got {p}; give the context it was made for"
            )
        if any(not 0 <= channel < channels for channel in self.state_channels):
            raise DataError(
                f"neural_linear: state_channels must be in [0, {channels}), got {self.state_channels}; "
                "give the state it was made for"
            )
        n, k = batch.candidates.shape
        context = np.broadcast_to(batch.context[:, None, :], (n, k, p))
        state = batch.state[..., list(self.state_channels)]
        return np.concatenate([context, batch.actions[batch.candidates], state], axis=2)

    def get_state(self) -> Arrays:
        """What feedback changes: head, network, its scaling and the rows remembered; views."""
        return {
            **within("head", self._head.get_state()),
            **within("network", self._net.arrays()),
            **within("scaling", self._scaling.arrays()),
            **within("memory", self._memory.get_state()),
            "fitted_at": np.array(self._fitted_at),
        }

    def set_state(self, state: Arrays) -> None:
        """Takes a state over, whole or not at all."""
        check_state(self.get_state(), state)
        self._head.set_state(part("head", state))
        self._net = Network(**{name: array.copy() for name, array in part("network", state).items()})
        self._scaling = Scaling(**{name: array.copy() for name, array in part("scaling", state).items()})
        self._memory.set_state(part("memory", state))
        self._fitted_at = int(state["fitted_at"])


def _fitting() -> ModuleType:
    """`neural_fit`, which needs torch."""
    try:
        from copybandit.agents import neural_fit
    except ImportError as error:
        raise DataError(
            f"neural_linear: fitting needs torch, got none ({error}); run: pip install 'copybandit[train]'"
        ) from error
    return neural_fit
