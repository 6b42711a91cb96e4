"""Fits the demand model of `copybandit.sim.demand` by simulated maximum likelihood with analytic gradients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from copybandit.sim.demand import SHELF, DemandModel, attributes, chosen_index
from copybandit.sim.logit import Tastes, Trips, normal_draws, score
from copybandit.sim.panels import Panel
from copybandit.sim.types import Bools, DataError, Floats, Ints

RIDGE = 0.02
"""Precision of a normal prior on each parameter (sd 7): keeps finite what the rows leave open, moves nothing else."""
SMOOTHINGS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Candidates for the smoothing of loyalty; the likeliest on the fit rows is taken."""


@dataclass(frozen=True, kw_only=True)
class DemandForm:
    """What the model knows.

    Attributes:
        last: the last purchase counts.
        loyalty: the smoothed past counts.
        households_differ: intercepts and price sensitivity differ between households; else the price
            coefficient may have either sign.
        log2_types: logarithm to base 2 of the number of types that stand for the households.
    """

    last: bool = True
    loyalty: bool = True
    households_differ: bool = True
    log2_types: int = 9


def fit_demand(
    panel: Panel, rows: Bools, rng: np.random.Generator, form: DemandForm | None = None
) -> DemandModel:
    """Fit on some households of a panel.

    Args:
        panel: all rows.
        rows: shape (n,), the rows to fit on; all or none of a household's.
        rng: draws the types of households.
        form: what the model knows; all of it by default.

    Raises:
        DataError: for fewer than two households, a household in part, or a fit that does not converge.
    """
    form = form or DemandForm()
    panel = _whole_households(panel, rows)
    fits = [_Fit.prepare(panel, form, s) for s in (SMOOTHINGS if form.loyalty else SMOOTHINGS[:1])]
    draws = _draws(len(panel.alternatives), form, rng)
    theta, best = fits[0].start(), None
    for fit in fits:
        theta, objective = fit.maximise(theta, draws)
        if best is None or objective > best[0]:
            best = objective, fit, theta
    assert best is not None
    return best[1].model(panel, best[2], draws)


def _whole_households(panel: Panel, rows: Bools) -> Panel:
    fitted, left = np.unique(panel.household[rows]), panel.household[~rows]
    if len(fitted) < 2:
        raise DataError(
            f"demand: must be fitted on at least two households, got {len(fitted)}; fit on more rows"
        )
    if np.isin(left, fitted).any():
        name = panel.household_ids[int(left[np.isin(left, fitted)][0])]
        raise DataError(
            f"demand: a household must be fitted on whole or not at all, got household {name!r} in part; "
            "split by household"
        )
    kept = np.flatnonzero(rows)
    return panel.take(kept[np.argsort(panel.household[kept], kind="stable")])


def _draws(n_alternatives: int, form: DemandForm, rng: np.random.Generator) -> Floats:
    """Draws of the coefficients, shape (K, R): 0 for those that are common to all households."""
    if not form.households_differ:
        return np.zeros((n_alternatives + len(SHELF), 1))
    draws = np.zeros((n_alternatives + len(SHELF), 2**form.log2_types))
    draws[: n_alternatives + 1] = normal_draws(n_alternatives + 1, form.log2_types, rng)
    return draws


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """One likelihood and its parameters: the free means, then the free sds.

    Attributes:
        trips: rows of the fit.
        free_mean, free_sd: shape (K,), what is estimated.
        falling: shape (K,), coefficients that are log-normal and below 0.
    """

    trips: Trips
    free_mean: Bools
    free_sd: Bools
    falling: Bools
    smoothing: float
    reference_price: float
    outside: bool

    @classmethod
    def prepare(cls, panel: Panel, form: DemandForm, smoothing: float) -> _Fit:
        """Lay out rows that are sorted by household."""
        j, outside = len(panel.alternatives), bool((panel.choice < 0).any())
        reference = float(np.exp(np.log(panel.price[panel.available]).mean()))
        x, available = attributes(panel, outside=outside, reference_price=reference, smoothing=smoothing)
        start: Ints = np.flatnonzero(np.r_[True, np.diff(panel.household) != 0])
        free = np.r_[np.ones(j, np.bool_), x[:j, :, j:].any(axis=(0, 1))]
        free[-2:] &= (form.last, form.loyalty)
        spread = np.arange(j + len(SHELF)) <= (j if form.households_differ else -1)
        if not outside:
            free[0] = False  # only differences of intercepts are known
        trips = Trips(x=x, available=available, chosen=chosen_index(panel, outside=outside), start=start)
        return cls(
            trips=trips,
            free_mean=free,
            free_sd=spread,
            falling=spread & (np.arange(j + len(SHELF)) == j),
            smoothing=smoothing,
            reference_price=reference,
            outside=outside,
        )

    def tastes(self, theta: Floats, draws: Floats) -> Tastes:
        """Parameters as coefficients."""
        mean, sd = np.zeros(len(draws)), np.zeros(len(draws))
        split = int(self.free_mean.sum())
        mean[self.free_mean], sd[self.free_sd] = theta[:split], theta[split:]
        return Tastes(mean=mean, sd=sd, draws=draws, falling=self.falling)

    def start(self) -> Floats:
        """Where the search begins: no effects, households that differ by 1."""
        return np.concatenate([np.zeros(int(self.free_mean.sum())), np.ones(int(self.free_sd.sum()))])

    def objective(self, theta: Floats, draws: Floats) -> tuple[float, Floats]:
        """Penalised log-likelihood and its gradient."""
        value, by_mean, by_sd = score(self.trips, self.tastes(theta, draws))
        gradient = np.r_[by_mean[self.free_mean], by_sd[self.free_sd]]
        return value - RIDGE / 2 * float(theta @ theta), gradient - RIDGE * theta

    def maximise(self, theta: Floats, draws: Floats) -> tuple[Floats, float]:
        """Return the likeliest parameters and their objective."""
        n = len(self.trips.chosen)

        def loss(theta: Floats) -> tuple[float, Floats]:
            value, gradient = self.objective(theta, draws)
            return -value / n, -gradient / n

        found = minimize(
            loss, theta, jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-10, "gtol": 1e-6}
        )
        if not found.success and np.abs(found.jac).max() > 1e-3:
            raise DataError(
                f"demand: the fit must converge, got {found.message!r} after {found.nit} steps; fit on more "
                "households or a simpler form"
            )
        return np.asarray(found.x), -float(found.fun) * n

    def errors(self, theta: Floats, draws: Floats, step: float = 1e-4) -> Floats:
        """Standard errors: root of the diagonal of the inverse of the observed information."""
        columns = [
            (self.objective(theta - d, draws)[1] - self.objective(theta + d, draws)[1]) / (2 * step)
            for d in step * np.eye(len(theta))
        ]
        information = np.array(columns)
        variance = np.linalg.inv((information + information.T) / 2).diagonal()
        return np.asarray(np.sqrt(np.where(variance > 0, variance, np.nan)))

    def model(self, panel: Panel, theta: Floats, draws: Floats) -> DemandModel:
        """The model at these parameters."""
        tastes = self.tastes(theta, draws)
        error = np.full((2, len(draws)), np.nan)
        error[np.stack([self.free_mean, self.free_sd])] = self.errors(theta, draws)
        return DemandModel(
            alternatives=panel.alternatives,
            outside=self.outside,
            reference_price=self.reference_price,
            smoothing=self.smoothing,
            tastes=replace(
                tastes, sd=np.abs(tastes.sd), draws=draws * np.where(tastes.sd < 0, -1, 1)[:, None]
            ),
            mean_error=error[0],
            sd_error=error[1],
            households=np.array(panel.household_ids)[np.unique(panel.household)],
            log_likelihood=score(self.trips, tastes)[0],
        )
