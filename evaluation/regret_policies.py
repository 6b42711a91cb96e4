"""Our policies in the comparison of regret: as `run` ships them, and with settings chosen from a grid of 8 in another shop.

A tuned policy is the shipped one, made anew with a row of its grid in place of what it had, and a uniform share of
`EPSILON`. Grids move what a policy explores by and how far it believes what it was told before the season.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from copybandit.agents.stateful import Lasting
from copybandit.evaluation.named_policies import named_policy
from copybandit.evaluation.regret_shop import Ground
from copybandit.sim.types import DataError

Row = Mapping[str, float]
"""Arguments of a policy by name."""
EPSILON = 0.01
"""Uniform share of the tuned ones, unless their grid says otherwise."""
TUNED = " tuned"


def grid(**choices: tuple[float, ...]) -> tuple[Row, ...]:
    """All combinations."""
    return tuple(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))


PRECISE, OWN = (1000.0, 4000.0), (2.0, 6.0, 20.0, 60.0)
"""Prior precisions of what variants share, and of what each has of its own (one click is worth 1)."""
GRIDS: Mapping[str, tuple[Row, ...]] = {
    "linucb": grid(ridge=PRECISE, residual_ridge=OWN[:2], alpha=(0.0, 0.5)),
    "lints": grid(ridge=PRECISE, residual_ridge=OWN),
    "epsilon_greedy": grid(strength=OWN, epsilon=(0.01, 0.03)),
    "explore_then_commit": grid(explore=(50.0, 100.0, 200.0, 300.0), smoothing=(10.0, 50.0)),
    "squarecb": grid(ridge=PRECISE, residual_ridge=OWN[:2], scale=(100.0, 1000.0)),
    "softmax": grid(ridge=PRECISE, residual_ridge=OWN[:2], temperature=(0.001, 0.005)),
    "logistic_thompson": grid(ridge=PRECISE, residual_ridge=OWN),
    "bootstrap_bag": grid(strength=OWN, epsilon=(0.01, 0.03)),
    "horizon_index": grid(strength=OWN, spread=(0.1, 0.5)),
    "neural_linear": grid(ridge=PRECISE, residual_ridge=OWN[:2], rate=(0.003, 0.01)),
}
USUAL = (
    "linucb tuned", "lints tuned", "epsilon_greedy tuned", "explore_then_commit tuned",
    "linucb", "lints", "squarecb", "logistic_thompson", "softmax", "thompson", "epsilon_greedy", "bootstrap_bag", "ucb1",
    "explore_then_commit", "uniform",
)  # fmt: skip
"""Who plays unless others are asked for."""
NAMES = tuple(dict.fromkeys((*USUAL, *(name + TUNED for name in GRIDS), "horizon_index", "neural_linear")))
"""Who can be asked for."""


def rows_of(name: str) -> tuple[Row, ...]:
    """Settings to choose from: those of a grid, or one row that changes nothing.

    Raises:
        DataError: nobody has this name.
    """
    if name not in NAMES:
        raise DataError(f"regret: contenders must be among {', '.join(NAMES)}, got {name}; correct the name")
    return GRIDS[name.removesuffix(TUNED)] if name.endswith(TUNED) else ({},)


def our_policy(name: str, ground: Ground, row: Row, n_impressions: int) -> Lasting:
    """A fresh one.

    Args:
        name: one of `NAMES`.
        ground: the shop it is made for.
        row: of `rows_of`.
        n_impressions: of the whole season.
    """
    shipped = named_policy(name.removesuffix(TUNED), ground.goods, ground.fitted, n_impressions)
    if not name.endswith(TUNED):
        return shipped
    make: Callable[..., Lasting] = type(shipped)
    return make(**{**shipped.settings(), "epsilon": EPSILON, **row})
