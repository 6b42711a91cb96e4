"""The parts of `copybandit fit` beside interest: funnel and conversion, demand from panels, wording from A/B tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.fit_inputs import ShopLog
from copybandit.sim.conversion import ConversionModel, fit_conversion
from copybandit.sim.demand import ChoiceReport, Coefficient, DemandModel, judge_choices, judge_demand
from copybandit.sim.demand_fit import fit_demand
from copybandit.sim.demand_response import PriceResponse, price_response
from copybandit.sim.funnel import Step, click_outcomes, funnel
from copybandit.sim.interest import InterestModel, paired
from copybandit.sim.panels import Panel, brands
from copybandit.sim.split import Split, split_groups
from copybandit.sim.types import DataError, Floats

CONVERSION_FEATURES = ("intercept", "interest", "log price")
LEAST_CONVERSIONS = 50


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What moves a click to a purchase, and how soon; each tuple in the order of `features`.

    Attributes:
        features: names; interest and log price are standardised over the clicks.
        conversion, conversion_error: log-odds of ever buying.
        delay, delay_error: log of the rate per day.
        n: first views of the fit shoppers.
        seen: share of judge shoppers' first views followed by a purchase within the window.
        expected: the same as the model has it, given each view's age.
    """

    features: tuple[str, ...]
    conversion: tuple[float, ...]
    conversion_error: tuple[float, ...]
    delay: tuple[float, ...]
    delay_error: tuple[float, ...]
    n: int
    seen: float
    expected: float


@dataclass(frozen=True, kw_only=True)
class FittedFunnel:
    """Rates of the log; conversion is None where views or purchases after them are too few."""

    steps: tuple[Step, ...]
    model: ConversionModel | None
    conversion: ConversionReport | None


def fit_funnel(shop: ShopLog, split: Split, interest: InterestModel, x: Floats) -> FittedFunnel:
    """Rates of the whole log, and delayed conversion from the fit shoppers' first views, told on the judge shoppers'."""
    steps = funnel(shop.events)
    if not steps[0].n or steps[2].rate * steps[2].n < LEAST_CONVERSIONS:
        return FittedFunnel(steps=steps, model=None, conversion=None)
    features = _conversion_features(shop, interest, x)
    parts = []
    for people in (split.fit, split.judge):
        rows = people[shop.events.shopper]
        parts.append(click_outcomes(shop.events.take(rows), features[rows])[0])
    fit, judge = parts
    try:
        model = fit_conversion(fit)
    except DataError:
        return FittedFunnel(steps=steps, model=None, conversion=None)
    age = np.where(judge.converted, judge.window, judge.days)
    report = ConversionReport(
        features=CONVERSION_FEATURES,
        conversion=tuple(model.conversion.tolist()),
        conversion_error=tuple(model.conversion_error.tolist()),
        delay=tuple(model.delay.tolist()),
        delay_error=tuple(model.delay_error.tolist()),
        n=len(fit.converted),
        seen=float(judge.converted.mean()),
        expected=float(model.probability_within(judge.x, age).mean()),
    )
    return FittedFunnel(steps=steps, model=model, conversion=report)


def _conversion_features(shop: ShopLog, interest: InterestModel, x: Floats) -> Floats:
    """Features of each event, shape (n, 3); 0 beside the intercept for a search."""
    events = shop.events
    known = events.product >= 0
    product = np.where(known, events.product, 0)
    # A purchase must not explain itself, so the taste is that of the first half of the log.
    early = events.take(events.time <= np.median(events.time.astype(np.int64)).astype("datetime64[us]"))
    taste = paired(interest.shopper_vectors(early, x), x, events.shopper, product)
    price = np.log([item.price for item in shop.products])[product]
    columns = [np.where(known, (v - v.mean()) / max(float(v.std()), 1e-9), 0.0) for v in (taste, price)]
    return np.stack([np.ones(len(events)), *columns], axis=1)


@dataclass(frozen=True, kw_only=True)
class DemandSummary:
    """A panel's demand on households that it was not fitted on.

    Attributes:
        name: of the panel.
        report: log-loss, accuracy and calibration.
        share_log_loss: log-loss of the fit households' market shares.
        response: of each brand's sales to its price.
        elasticity: own-price, in the long run, mean over brands.
        conditional: every trip of the panel buys, so that the elasticity is of the choice alone.
        coefficients: with standard errors.
    """

    name: str
    report: ChoiceReport
    share_log_loss: float
    response: PriceResponse
    elasticity: float
    conditional: bool
    coefficients: tuple[Coefficient, ...]


@dataclass(frozen=True, kw_only=True)
class FittedDemand:
    """A demand model and what it is worth."""

    model: DemandModel
    summary: DemandSummary


def fit_panel(name: str, panel: Panel, seed: int) -> FittedDemand:
    """Fit to two in five households and judge on two in five others."""
    households = np.array(panel.household_ids)[panel.household]
    split = split_groups(households, seed)
    model = fit_demand(panel, split.fit, np.random.default_rng([seed, 9]))
    held = panel.take(split.judge)
    response = price_response(model, held, brands(panel.alternatives), np.random.default_rng([seed, 13]))
    return FittedDemand(
        model=model,
        summary=DemandSummary(
            name=name,
            report=judge_demand(model, held),
            share_log_loss=_share_log_loss(panel, split),
            response=response,
            elasticity=response.mean,
            conditional=not model.outside,
            coefficients=model.coefficients,
        ),
    )


def _share_log_loss(panel: Panel, split: Split) -> float:
    width = len(panel.alternatives) + bool((panel.choice < 0).any())
    count = np.bincount(panel.choice[split.fit] % width, minlength=width) + 0.5
    share = np.broadcast_to(count / count.sum(), (int(split.judge.sum()), width))
    return judge_choices(np.asarray(share), panel.choice[split.judge]).log_loss
