"""TRL's own PPO loop, read with a few of its names bound to ours.

`PPOTrainer.train` is one function of 400 lines with no seam in it, but every helper it calls it looks up by name. Here the
same code runs in a namespace of its own, in which some names lead here; TRL's module stays as it is. What that mends:

    np.random.permutation       order of rows: a function of the seed, so that a run can be resumed; and `stop_kl`, since a
                                pass over 0 rows is no pass
    selective_log_softmax       takes log probabilities that are there already (`ChosenTokens`), and is told every one:
                                metrics over answer tokens only, where TRL averages padding
    batch_generation            writes the whole batch by `PolicyModule.rollout`, and keeps no scores of tokens not written;
                                processes draw what one process would have drawn for their rows
    masked_whiten, masked_mean  over all processes, see `copybandit.agents.ppo_processes`
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from copybandit.agents.policy_module import ChosenTokens, PolicyModule
from copybandit.agents.ppo_order import RowOrders
from copybandit.agents.ppo_processes import everywhere, mean_of_all, processes, whitened_by_all
from copybandit.agents.trl_guard import importing_trl
from copybandit.sim.types import DataError

with importing_trl():
    from trl.experimental.ppo import PPOTrainer


def trl_names() -> dict[str, Any]:
    """What TRL's loop finds under the names it uses."""
    return PPOTrainer.train.__globals__


def mended_train(mends: dict[str, object]) -> Callable[[PPOTrainer], None]:
    """`PPOTrainer.train` with names bound to `mends`; the rest are TRL's.

    Raises:
        DataError: this TRL's loop does not use one of the names.
    """
    train = PPOTrainer.train
    if unknown := set(mends) - set(train.__code__.co_names):
        raise DataError(
            f"ppo: TRL's loop must call {', '.join(sorted(unknown))}, which this release does not; "
            "run: pip install 'trl>=1.10,<1.13'"
        )
    return types.FunctionType(train.__code__, {**trl_names(), **mends}, train.__name__)


@dataclass(frozen=True, kw_only=True)
class PassMeasures:
    """Means over the answer tokens of one pass, each minibatch measured before its step.

    Attributes:
        ratio: probability under the policy over that under the one that wrote the batch.
        clip_fraction: share of tokens whose ratio is outside the clip range.
        approx_kl: ratio - 1 - log ratio, nats per token.
    """

    ratio: float
    clip_fraction: float
    approx_kl: float


class Loop:
    """What runs under TRL's names, and what it saw of the update in work."""

    def __init__(self, args: Any, pad_id: int, orders: RowOrders, stop_kl: float | None) -> None:
        """Serve a trainer with these `args` of TRL's; `orders` begin where the run does."""
        self._args, self._pad_id, self._orders, self._stop_kl = args, pad_id, orders, stop_kl
        self._rows = args.local_batch_size
        self._trl = trl_names()
        self.begin()

    def begin(self) -> None:
        """Forget the update before."""
        self._args.local_batch_size = self._rows
        self._written: Tensor | None = None
        self._order: list[int] = []
        self._sums: list[Tensor] = []

    @property
    def passes(self) -> int:
        """Passes made over the batch."""
        return len(self._sums)

    def measures(self) -> tuple[PassMeasures, ...]:
        """What each pass saw."""
        return tuple(_measures(sums) for sums in self._sums)

    def entropy(self) -> float:
        """Mean negative log probability of an answer, nats, over all processes."""
        assert self._written is not None
        total = -(self._written * self._seen).sum(1).mean()
        return float(everywhere(total)) / processes()[1]

    def mends(self) -> dict[str, object]:
        """Names of TRL's loop, and what they lead to."""
        single = processes()[1] == 1
        return {
            "batch_generation": self._batch_generation,
            "masked_mean": self._trl["masked_mean"] if single else mean_of_all,
            "masked_whiten": self._trl["masked_whiten"] if single else whitened_by_all,
            "np": SimpleNamespace(random=SimpleNamespace(permutation=self._permutation)),
            "selective_log_softmax": self._log_probs,
        }

    def _batch_generation(
        self, model: PolicyModule, queries: Tensor, _chunk: int, _pad_id: int, generation_config: Any
    ) -> tuple[Tensor, ChosenTokens]:
        rank, world = processes()
        self._skip_draws(model, rank * len(queries))
        found = model.rollout(queries, generation_config.max_new_tokens)
        self._skip_draws(model, (world - 1 - rank) * len(queries))
        return found

    def _skip_draws(self, model: PolicyModule, rows: int) -> None:
        """Pass by the random numbers of the rows of other processes."""
        generator, shape = model.generator, (rows, self._args.response_length)
        if rows:
            torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)

    def _permutation(self, _rows: int) -> Any:
        """Order of the next pass; TRL then reads how many rows there are, which are none once `stop_kl` is passed."""
        order = self._orders.next()
        if self._sums and self._stop_kl is not None and _measures(self._sums[-1]).approx_kl > self._stop_kl:
            self._args.local_batch_size = 0
        else:
            self._order = order.tolist()
            self._sums.append(torch.zeros(4, dtype=torch.float64, device=self._seen.device))
        return order

    def _log_probs(self, tokens: ChosenTokens, chosen: Tensor) -> Tensor:
        """Log probabilities of chosen tokens, shape (b, t): of the batch as written, by the reference, then in each pass."""
        found = tokens.log_prob
        if torch.is_grad_enabled():
            self._measure(found.detach(), len(chosen))
        elif self._written is None:
            self._written, self._seen = found, chosen != self._pad_id
        return found

    def _measure(self, now: Tensor, rows: int) -> None:
        assert self._written is not None
        taken, self._order = self._order[:rows], self._order[rows:]
        seen = self._seen[taken]
        log_ratio = (now - self._written[taken]).masked_fill(~seen, 0.0).double()
        ratio = log_ratio.exp()
        clipped = (ratio - 1).abs() > self._args.cliprange
        sums = (seen, ratio * seen, clipped, ratio - 1 - log_ratio)
        self._sums[-1] += torch.stack([part.sum() for part in sums])


def _measures(sums: Tensor) -> PassMeasures:
    n, ratio, clipped, kl = everywhere(sums).tolist()
    return PassMeasures(ratio=ratio / n, clip_fraction=clipped / n, approx_kl=kl / n)
