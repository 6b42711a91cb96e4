"""Demand: which of a few products a household buys, or nothing, from price, display, feature ad and what it bought before.

U_ij = intercept_ij + price_i log(price_ij / reference price) + display, feature, last purchase and loyalty times their
coefficients; nothing has utility 0. Households differ in every intercept (normal) and in price sensitivity (log-normal, so
that nobody likes a higher price), see `copybandit.sim.logit`; the other coefficients are common. Each purchase
of a household tells more of its tastes: a prediction weighs the types by the household's own earlier choices, never later.

The form was chosen by cross-validation among the fit households of the panels Catsup, Cracker and Yogurt (mean log-loss of
the three, 4 folds twice). Last purchase with loyalty beats either alone (.573, .577, .582). Log price does as well as
price (.572, .573) and needs no unit. Correlated tastes, heavier tails, tastes for ads that differ and a
posterior that forgets gain no more than noise (.002) and are left out.

Price sensitivity is not shrunk by the form: on the fit and select households (3 folds) one sensitivity for all, a normal
one, price in levels, or neither display nor feature lose log-loss or gain at most .005 (Catsup .723 against .724, .723,
.739, .755; Cracker .517 against .524, .522, .517, .521; Yogurt .448 against .446, .443, .451, .455), and the long-run
elasticity moves by about a fifth at most. Linear regressions within households and brands, without any of it, find the same
(weighted by sales -1.1 for Cracker and -.8 for Yogurt, against -.97 and -.96 here).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.habits import habits, occasions
from copybandit.sim.logit import BLOCK, Tastes, belief, choice_probs, log_chosen
from copybandit.sim.panels import Panel
from copybandit.sim.split import check_disjoint
from copybandit.sim.types import Bools, DataError, Floats, Ints

SHELF = ("log_price", "display", "feature", "last", "loyalty")
"""Attributes after the J intercepts, in order."""


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """One coefficient of a demand model.

    Attributes:
        name: an alternative, for its intercept, or one of `SHELF`.
        value: of the mean household; of the median one where tastes are log-normal. 0 is not estimated.
        error: standard error of `value`; NaN where it is not estimated.
        sd: standard deviation between households; of the logarithm where tastes are log-normal.
        sd_error: standard error of `sd`; NaN where it is not estimated.
    """

    name: str
    value: float
    error: float
    sd: float
    sd_error: float


@dataclass(frozen=True, kw_only=True)
class DemandModel:
    """A fitted demand model of J alternatives; K = J + 5 coefficients in the order of `names`.

    Attributes:
        alternatives: J names.
        outside: whether buying nothing is an alternative.
        reference_price: geometric mean price of the rows it was fitted on.
        smoothing: of the loyalty, see `copybandit.sim.habits`.
        tastes: coefficients of the types of households.
        mean_error, sd_error: shape (K,), standard errors of `tastes.mean` and `tastes.sd`; NaN where not estimated.
        households: names of the households it was fitted on.
        log_likelihood: of the rows it was fitted on, simulated.
    """

    alternatives: tuple[str, ...]
    outside: bool
    reference_price: float
    smoothing: float
    tastes: Tastes
    mean_error: Floats
    sd_error: Floats
    households: NDArray[np.str_]
    log_likelihood: float

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each coefficient."""
        return (*self.alternatives, *SHELF)

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """Every coefficient with its standard error; the delta method where tastes are log-normal."""
        tastes = self.tastes
        value = np.where(tastes.falling, -np.exp(tastes.mean), tastes.mean)
        error = np.where(tastes.falling, np.exp(tastes.mean), 1.0) * self.mean_error
        columns = (value.tolist(), error.tolist(), tastes.sd.tolist(), self.sd_error.tolist())
        return tuple(
            Coefficient(name=name, value=v, error=e, sd=s, sd_error=se)
            for name, v, e, s, se in zip(self.names, *columns, strict=True)
        )

    def coefficient(self, name: str) -> Coefficient:
        """Return one coefficient, e.g. ``log_price``."""
        return self.coefficients[self.names.index(name)]

    def choice_probs(self, panel: Panel) -> Floats:
        """Probability of each choice at each trip, given the household's earlier trips in the panel.

        Args:
            panel: its alternatives are found by name; one that it lacks is absent from the shelf.

        Returns:
            Shape (n, J) in the panel's order of alternatives; (n, J + 1) with nothing last where the model has it.

        Raises:
            DataError: for an alternative, or a trip that buys nothing, that the model was not fitted on.
        """
        probs = np.empty((len(panel), len(self.alternatives) + self.outside))
        for rows, p, weight in self._walk(panel):
            probs[rows] = np.einsum("jnr,nr->nj", p, weight)
        column = [self.alternatives.index(name) for name in panel.alternatives]
        return probs[:, column + [len(self.alternatives)] * self.outside]

    def elasticity(self, panel: Panel) -> Floats:
        """Per cent that the probability of i changes when the price of j rises by 1 per cent, given the same past.

        E_ij = sum_r w_r b_r p_ir (1[i = j] - p_jr) / sum_r w_r p_ir for types of weight w and price coefficient b.

        Returns:
            Shape (n, J, J), [row, i, j] in the panel's order of alternatives; NaN where i is absent.

        Raises:
            DataError: as `choice_probs`.
        """
        j = len(self.alternatives)
        slope = self.tastes.coefficients[j]
        found = np.full((len(panel), j, j), np.nan)
        for rows, p, weight in self._walk(panel):
            share = (p * weight)[:j]
            pull = share * slope
            change = np.eye(j) * pull.sum(axis=2).T[:, :, None]
            change -= np.matmul(pull.transpose(1, 0, 2), p[:j].transpose(1, 2, 0))
            total = share.sum(axis=2).T[:, :, None]
            np.divide(change, total, out=change, where=total > 0)
            found[rows] = np.where(total > 0, change, np.nan)
        column = np.array([self.alternatives.index(name) for name in panel.alternatives])
        return np.asarray(found[:, column[:, None], column])

    def _walk(self, panel: Panel) -> Iterator[tuple[Ints, Floats, Floats]]:
        """Yield rows of one occasion, p (J, m, R) of each type, and the weights (m, R) of types by the past."""
        panel = panel.aligned(self.alternatives)
        chosen = chosen_index(panel, outside=self.outside)
        x, available = attributes(
            panel, outside=self.outside, reference_price=self.reference_price, smoothing=self.smoothing
        )
        coefficients = self.tastes.coefficients
        _, code = np.unique(panel.household, return_inverse=True)
        past = np.zeros((code.max() + 1, coefficients.shape[1]))
        most = max(1, BLOCK // (len(x) * coefficients.shape[1]))
        for occasion in occasions(panel.household):
            for rows in np.split(occasion, range(most, len(occasion), most)):
                p = choice_probs(x[:, rows], available[:, rows], coefficients)
                yield rows, p, belief(past[code[rows]])
                past[code[rows]] += log_chosen(p, chosen[rows])


def attributes(
    panel: Panel, *, outside: bool, reference_price: float, smoothing: float
) -> tuple[Floats, Bools]:
    """Attributes of the alternatives, shape (J, n, J + 5), and whether each is there, shape (J, n).

    With `outside`, nothing comes last, with attributes 0.
    """
    n, j = panel.price.shape
    x = np.zeros((j + outside, n, j + len(SHELF)))
    x[:j, :, :j] = np.eye(j)[:, None]
    relative = np.where(panel.available, panel.price, reference_price) / reference_price
    last, loyalty = habits(panel.household, panel.choice, j, smoothing)
    shelf = (np.log(relative), panel.display, panel.feature, last, loyalty)
    x[:j, :, j:] = np.stack(shelf, axis=2).transpose(1, 0, 2)
    available = np.ones((j + outside, n), np.bool_)
    available[:j] = panel.available.T
    return x, available


def chosen_index(panel: Panel, *, outside: bool) -> Ints:
    """Index of what was chosen, shape (n,); nothing is J.

    Raises:
        DataError: for a trip that buys nothing without `outside`.
    """
    nothing = panel.choice < 0
    if nothing.any() and not outside:
        raise DataError(
            f"panel row {int(np.argmax(nothing)) + 1}: must buy one of {', '.join(panel.alternatives)}, got "
            "nothing; fit the model on rows that buy nothing too, or leave them out"
        )
    return np.where(nothing, len(panel.alternatives), panel.choice)


@dataclass(frozen=True, kw_only=True)
class ChoiceReport:
    """How predicted probabilities of choice agree with choices.

    Attributes:
        log_loss: mean of -log of the probability of what was chosen, in nats.
        accuracy: share of rows whose most probable alternative was chosen.
        ece: expected calibration error: over all pairs of row and alternative in 10 bins of equal width, the
            mean distance of predicted and observed share, weighted by pairs (Guo et al., 2017).
        ece_top: the same over the most probable alternative of each row alone.
        n: rows.
    """

    log_loss: float
    accuracy: float
    ece: float
    ece_top: float
    n: int


def judge_demand(model: DemandModel, panel: Panel) -> ChoiceReport:
    """Judge a model on households it has not seen, each trip predicted from the household's earlier ones.

    Raises:
        DataError: when a household of the panel was fitted on.
    """
    names = np.array(panel.household_ids)[np.unique(panel.household)]
    check_disjoint(model.households, names, what="household")
    return judge_choices(model.choice_probs(panel), panel.choice)


def judge_choices(probs: Floats, choice: Ints) -> ChoiceReport:
    """Judge probabilities of shape (n, J) by choices of shape (n,); -1, for nothing, is the last column."""
    n = len(choice)
    chosen = np.zeros(probs.shape)
    chosen[np.arange(n), choice] = 1.0
    top = probs.argmax(axis=1)
    hit = chosen[np.arange(n), top]
    return ChoiceReport(
        log_loss=float(-np.log(np.maximum(probs[np.arange(n), choice], 1e-300)).mean()),
        accuracy=float(hit.mean()),
        ece=calibration_error(probs.ravel(), chosen.ravel()),
        ece_top=calibration_error(probs[np.arange(n), top], hit),
        n=n,
    )


def calibration_error(probs: Floats, outcome: Floats, bins: int = 10) -> float:
    """Mean distance of predicted and observed share over bins of equal width; probs, outcome of shape (m,)."""
    code = np.minimum((probs * bins).astype(np.int64), bins - 1)
    return float(np.abs(np.bincount(code, probs - outcome, bins)).sum() / len(probs))
