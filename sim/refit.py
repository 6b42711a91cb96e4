"""Fit the wording and match terms of a World anew from an online log, from what was believed before.

    P(click) = examine * sigmoid(offset + a + season + b_M m + f(t)'b + q(p)),   (b_M, b, q, a, season) ~ the prior

on a likelihood weighted by `copybandit.sim.refit_log.weights_of`. The prior of b has the mean and covariance of the old
ensemble (see `believed`), its covariance over `discount`: what was believed fades week by week (West and Harrison, Bayesian
Forecasting and Dynamic Models, 1997, 2.4). The new ensemble is drawn from the posterior in mirrored pairs around its mean.

Of a guarded wording the ensemble inside is fitted; the guard stays. Each text's own effect, of standard deviation
`Guarded.own`, is one more nuisance here, or one lucky text would pass for all that share its features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim.encoders import Joined
from copybandit.sim.guarded import Guarded
from copybandit.sim.refit_log import Known, Weights, known_terms, weights_of
from copybandit.sim.refit_rows import Calibration, Mode, NormalPrior, WeightedRows, calibration, climb, fitted
from copybandit.sim.rounds import Fitted
from copybandit.sim.split import split_groups
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Bools, DataError, Floats, Ints
from copybandit.sim.wording import LinearWording, Wording
from copybandit.sim.world import World

SHARED = ("base", "season sine", "season cosine", "b_match")
"""Shared terms that are fitted, the first as a change of the world's own."""
SETTLED = 1e-4
"""Largest last step of a fit that is believed, in log-odds."""


@dataclass(frozen=True, kw_only=True)
class RefitSettings:
    """How to fit anew.

    Attributes:
        discount: share of the prior's information on wording and match that is kept, in (0, 1]; 1 forgets nothing.
        match_sd: prior standard deviation of b_match around its old value.
        base_sd, season_sd, product_sd: prior standard deviations of the change of base, of the weekly wave, and of what
            everybody thinks of a product, in log-odds.
        max_weight: a row counts at most so many times.
        weighted: by inverse propensity; off for comparison only.
        pairs: half the members of the new ensemble.
        held_share: of the shoppers, kept out of the fit that the report judges.
    """

    discount: float = 1.0
    match_sd: float = 0.15
    base_sd: float = 1.0
    season_sd: float = 0.2
    product_sd: float = 0.3
    max_weight: float = 20.0
    weighted: bool = True
    pairs: int = 64
    held_share: float = 0.2

    def __post_init__(self) -> None:
        if not (
            0 < self.discount <= 1 and 0 < self.held_share < 1 and self.max_weight >= 1 and self.pairs >= 1
        ):
            raise DataError(
                "refit: discount must be in (0, 1], held_share in (0, 1), max_weight and pairs at least 1, got "
                f"{self.discount}, {self.held_share}, {self.max_weight} and {self.pairs}; correct them"
            )
        deviations = (self.match_sd, self.base_sd, self.season_sd, self.product_sd)
        if not min(deviations) > 0:
            raise DataError(
                f"refit: match_sd, base_sd, season_sd and product_sd must be above 0, got {deviations}; raise the one below"
            )


@dataclass(frozen=True, kw_only=True)
class RefitReport:
    """What a fit saw and what it is worth.

    Attributes:
        n, n_held, clicks: rows, rows of held-out shoppers, and clicks.
        weights: of all rows.
        before, after: on held-out rows, of the old world and of one fitted to the others' rows.
    """

    n: int
    n_held: int
    clicks: int
    weights: Weights
    before: Calibration
    after: Calibration


@dataclass(frozen=True, kw_only=True)
class Refit:
    """A world fitted anew.

    Attributes:
        world: the new one.
        shared: one coefficient for each name in `SHARED`.
        coefficients: posterior mean of the wording's coefficients, shape (d,).
        covariance: theirs, shape (d, d).
        report: what it is worth.
    """

    world: World
    shared: tuple[Fitted, ...]
    coefficients: Floats
    covariance: Floats
    report: RefitReport


def refit(
    world: World,
    rounds: Rounds,
    settings: RefitSettings,
    rng: np.random.Generator,
    label: Ints | None = None,
) -> Refit:
    """Fit wording and match anew.

    Args:
        world: what was believed; its wording is a linear ensemble, guarded or not.
        rounds: the online log in order of time, and the texts it shows.
        settings: how.
        rng: draws the ensemble and the held-out shoppers.
        label: shape (n_shoppers,), segments; see `known_terms`.

    Raises:
        DataError: another kind of wording, a log of another shop, or one without chance in it.
    """
    encoder, mean, covariance = believed(world.wording)
    weights = weights_of(rounds.feedback, settings.max_weight, weighted=settings.weighted)
    prior = _prior(world, mean, covariance / settings.discount, settings, len(rounds.texts))
    rows = _rows(world, rounds, encoder, known_terms(world, rounds, label), weights)
    held = _held(rows, settings, rng)
    found, some = climb(rows, prior), climb(rows.take(~held), prior)
    if not found.moved < SETTLED:
        raise DataError(
            f"refit: the fit must settle, got a last step of {found.moved:.3g} log-odds; give a longer log"
        )
    s, d = len(SHARED), len(mean)
    wording = found.covariance[s : s + d, s : s + d]
    kept = rows.take(held)
    return Refit(
        world=_renewed(world, rounds.texts, encoder, found, d, settings, rng),
        shared=tuple(fitted(found.theta[i], found.covariance[i, i]) for i in range(s)),
        coefficients=found.theta[s : s + d],
        covariance=wording,
        report=RefitReport(
            n=len(rows.weight),
            n_held=int(held.sum()),
            clicks=int(rows.known.click.sum()),
            weights=weights,
            before=calibration(kept, prior.mean),
            after=calibration(kept, some.theta),
        ),
    )


def believed(wording: object) -> tuple[Joined, Floats, Floats]:
    """A linear ensemble, guarded or not, as one encoder, and its coefficients' mean, shape (d,), and covariance, (d, d).

    The covariance over m members is taken with weight m / (m + d), its diagonal with the rest: so few draws know the size of
    each coefficient's doubt better than how doubts go together.

    Raises:
        DataError: another kind of wording.
    """
    wording = wording.inner if isinstance(wording, Guarded) else wording
    if not isinstance(wording, LinearWording):
        raise DataError(
            f"refit: the wording must be a linear ensemble, got {type(wording).__name__}; refit a fitted world"
        )
    encoder = Joined(encoders=wording.encoders)
    width = [own.dimension for own in wording.encoders]
    starts = np.cumsum([0, *width])
    rows = np.zeros((wording.n_members, starts[-1]))
    first = 0
    for block, start, size in zip(wording.coefficients, starts, width, strict=False):
        rows[first : first + len(block), start : start + size] = block
        first += len(block)
    mean = rows.mean(axis=0)
    sample = (rows - mean).T @ (rows - mean) / len(rows)
    share = len(rows) / (len(rows) + len(mean))
    own = np.diag(sample)
    own = np.maximum(own, max(1e-12, 1e-6 * float(own.max(initial=0))))
    return encoder, mean, share * sample + (1 - share) * np.diag(own) + 1e-9 * np.diag(own)


def _own(wording: Wording) -> float:
    """Standard deviation of each text's own effect; 0 where the wording knows of none."""
    return wording.own if isinstance(wording, Guarded) else 0.0


def _rows(world: World, rounds: Rounds, encoder: Joined, known: Known, weights: Weights) -> WeightedRows:
    """Text columns are features beyond the reference copy, then one column a product, then, with own effects, one a text."""
    features = encoder.encode(rounds.texts) - encoder.encode(world.references)[rounds.product]
    texts = [features, np.eye(len(world.references))[rounds.product]]
    return WeightedRows(
        known=known,
        shared=np.column_stack([np.ones(len(known.click)), known.season, known.match]),
        texts=np.hstack([*texts, np.eye(len(features))] if _own(world.wording) else texts),
        weight=weights.value,
        shopper=rounds.feedback.shopper,
    )


def _prior(
    world: World, mean: Floats, covariance: Floats, settings: RefitSettings, texts: int
) -> NormalPrior:
    shared = (settings.base_sd, *[settings.season_sd] * 2, settings.match_sd / np.sqrt(settings.discount))
    own = _own(world.wording)
    nuisance = np.r_[np.full(len(world.references), settings.product_sd), np.full(texts if own else 0, own)]
    s, d = len(SHARED), len(mean)
    precision = np.diag(np.r_[np.array(shared) ** -2, np.zeros(d), nuisance**-2])
    precision[s : s + d, s : s + d] = np.linalg.inv(covariance)
    return NormalPrior(
        mean=np.r_[0.0, 0.0, 0.0, world.coefficients.b_match, mean, np.zeros(len(nuisance))],
        precision=precision,
    )


def _held(rows: WeightedRows, settings: RefitSettings, rng: np.random.Generator) -> Bools:
    """Rows of the shoppers that are held out, shape (n,)."""
    share = settings.held_share
    rest = (1 - share) / 2
    return split_groups(rows.shopper, int(rng.integers(2**31)), (rest, rest, share)).judge


def _renewed(
    world: World,
    texts: tuple[str, ...],
    encoder: Joined,
    found: Mode,
    d: int,
    settings: RefitSettings,
    rng: np.random.Generator,
) -> World:
    s = len(SHARED)
    root = np.linalg.cholesky(found.covariance[s : s + d, s : s + d] + 1e-12 * np.eye(d))
    draws = rng.standard_normal((settings.pairs, d)) @ root.T
    members = found.theta[s : s + d] + np.concatenate([draws, -draws])
    wording, c = LinearWording(encoders=(encoder,), coefficients=(members,)), world.coefficients
    return replace(
        world,
        wording=_guarded_as(world.wording, wording, (*texts, *world.references)),
        coefficients=replace(c, base=c.base + float(found.theta[0]), b_match=max(float(found.theta[3]), 0.0)),
    )


def _guarded_as(before: Wording, new: LinearWording, texts: tuple[str, ...]) -> Wording:
    """The new ensemble behind the old guard, whose ceiling keeps its place among the scores of known texts.

    A log tells differences between texts, not the level of scores, so the ceiling stays as many standard deviations of
    those scores from their mean as it was.
    """
    if not isinstance(before, Guarded):
        return new
    old, now = (wording.members(texts).mean(axis=0) for wording in (before.inner, new))
    place = (before.ceiling - old.mean()) / max(float(old.std()), 1e-12)
    return replace(before, inner=new, ceiling=float(now.mean() + place * now.std()))
