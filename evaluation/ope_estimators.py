"""Every off-policy estimator is three choices over one row format: a shrinkage g, a model or none, a divisor.

    value = mean(v) + sum g(w) (r - q) / N,   w = pi_e/pi_b, v and q 0 without a model, N = n or sum g(w)

    IPS       g = w                                       unbiased where pi_b > 0 wherever pi_e > 0
    SNIPS     g = w, N = sum w                            biased by O(1/n), shorter intervals (Swaminathan, Joachims 2015)
    DM        g = 0, model                                as good as q; its interval knows nothing of q's error
    DR        g = w, model                                unbiased if w or q is right (Dudik, Langford, Li, ICML 2011)
    SNDR      g = w, model, N = sum w                     (Thomas, Brunskill, ICML 2016)
    clipped, switch_dr, dr_os                             less variance for bias; c by `copybandit.evaluation.ope_tuning`
    MIPS, KERNEL, BALANCED                                IPS over the rows of `copybandit.evaluation.ope_weights`

None is valid for actions the log could never have shown, so new copy is judged in simulation, never here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.ope_rows import Rows
from copybandit.evaluation.ope_shrink import Clipped, Optimistic, Plain, Shrink, Switch, Zero
from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """One estimator.

    Attributes:
        name: what reports call it.
        shrink: g.
        model: whether q and v of the rows are used.
        normalised: whether N is sum g instead of n.

    Raises:
        DataError: no weights, but no model either, or normalised by them.
    """

    name: str
    shrink: Shrink
    model: bool = False
    normalised: bool = False

    def __post_init__(self) -> None:
        if not self.weighs and (self.normalised or not self.model):
            raise DataError(
                f"estimator {self.name}: without weights it must have a model and no normalisation, got "
                f"model={self.model}, normalised={self.normalised}; use DM"
            )

    @property
    def weighs(self) -> bool:
        """Whether the log's propensities matter."""
        return not isinstance(self.shrink, Zero)


IPS = Estimator(name="ips", shrink=Plain())
SNIPS = Estimator(name="snips", shrink=Plain(), normalised=True)
DM = Estimator(name="dm", shrink=Zero(), model=True)
DR = Estimator(name="dr", shrink=Plain(), model=True)
SNDR = Estimator(name="sndr", shrink=Plain(), model=True, normalised=True)
MIPS = Estimator(name="mips", shrink=Plain())
KERNEL = Estimator(name="kernel", shrink=Plain())
BALANCED = Estimator(name="balanced", shrink=Plain())
USUAL = (IPS, SNIPS, DM, DR)
"""What reports show."""


def clipped(c: float) -> Estimator:
    """IPS with weights of at most c."""
    return Estimator(name="clipped", shrink=Clipped(c=c))


def switch_dr(c: float) -> Estimator:
    """DR where the weight is at most c, the model alone elsewhere."""
    return Estimator(name="switch_dr", shrink=Switch(c=c), model=True)


def dr_os(c: float) -> Estimator:
    """DR with optimistic shrinkage."""
    return Estimator(name="dr_os", shrink=Optimistic(c=c), model=True)


def parts(rows: Rows, estimator: Estimator, cut: slice = slice(None), w: Floats | None = None) -> Floats:
    """The three numbers of each row that an estimator is made of; any interval can be made from them.

    Args:
        rows: n rounds.
        estimator: which.
        cut: which of the rounds, m of them; all if not given.
        w: shape (m,), their weights, if they are known already.

    Returns:
        Shape (3, m): v, b = g (r - q) and g. The value is mean(v) + sum(b) / N.

    Raises:
        DataError: the estimator needs columns that the rows lack.
    """
    reward = rows.reward[cut]
    out = np.zeros((3, len(reward)))
    v, b, g = out
    if estimator.model:
        v[:] = _needed("v", rows.v, estimator)[cut]
    if estimator.weighs:
        g[:] = estimator.shrink(rows.target_prob[cut] / rows.propensity[cut] if w is None else w)
        known = reward - _needed("q", rows.q, estimator)[cut] if estimator.model else reward
        np.multiply(g, known, out=b)
    return out


def _needed(name: str, values: Floats | None, estimator: Estimator) -> Floats:
    if values is None:
        raise DataError(f"ope: {estimator.name} needs {name}, got none; fit a model, see cross_fit")
    return values
