"""How wording moves the click: an ensemble of linear models over encoders, in log-odds.

From A/B tests it is fitted within groups (one test, one image), so that nothing but the wording differs:
log CTR minus the group's mean, regressed on features minus the group's mean, weighted by clicks. Members differ by encoder
and by Bayesian bootstrap over groups (Rubin, 1981); their spread is the model's own doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from copybandit.sim.encoders import CharGrams, Encoder
from copybandit.sim.types import DataError, Floats, Ints


class Wording(Protocol):
    """Scores texts in log-odds, once per member of an ensemble."""

    @property
    def n_members(self) -> int:
        """Number of members."""
        ...

    def members(self, texts: Sequence[str]) -> Floats:
        """Scores, shape (n_members, n)."""
        ...


@dataclass(frozen=True, kw_only=True)
class LinearWording:
    """Ensemble over encoders.

    Attributes:
        encoders: one or more.
        coefficients: for each encoder, shape (members, dimension).
    """

    encoders: tuple[Encoder, ...]
    coefficients: tuple[Floats, ...]

    @property
    def n_members(self) -> int:
        """Number of members over all encoders."""
        return sum(len(block) for block in self.coefficients)

    def members(self, texts: Sequence[str]) -> Floats:
        """Scores of every member, shape (n_members, n)."""
        return np.concatenate(
            [
                block @ encoder.encode(texts).T
                for encoder, block in zip(self.encoders, self.coefficients, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Saturated:
    """A ceiling on what wording can do: limit * tanh(gain * score / limit), for the members of another model."""

    inner: LinearWording
    gain: float
    limit: float

    @property
    def n_members(self) -> int:
        """Number of members of the model inside."""
        return self.inner.n_members

    def members(self, texts: Sequence[str]) -> Floats:
        """Saturated scores, shape (n_members, n)."""
        return np.asarray(self.limit * np.tanh(self.gain * self.inner.members(texts) / self.limit))


@dataclass(frozen=True, kw_only=True)
class Idiosyncratic:
    """What style cannot say: an effect of its own for each wording of each product, added to another model.

    A random function of a text's character n-grams (a Gaussian process drawn through random Fourier features), so narrow
    that it does not carry over from product to product. The same text always has the same effect.

    Attributes:
        inner: the part that carries over.
        grams: reads the text.
        frequencies: shape (size of grams, d).
        phases, weights: shape (d,).
        sd: standard deviation of the effect.
    """

    inner: Saturated
    grams: CharGrams
    frequencies: Floats
    phases: Floats
    weights: Floats
    sd: float

    @classmethod
    def around(cls, inner: Saturated, sd: float, rng: np.random.Generator) -> Idiosyncratic:
        """Draw the function."""
        grams, d = CharGrams(size=2048), 64
        return cls(
            inner=inner,
            grams=grams,
            frequencies=6.0 * rng.normal(size=(grams.size, d)),
            phases=rng.uniform(0, 2 * np.pi, d),
            weights=rng.normal(size=d),
            sd=sd,
        )

    @property
    def n_members(self) -> int:
        """Number of members of the model inside."""
        return self.inner.n_members

    def members(self, texts: Sequence[str]) -> Floats:
        """Scores, shape (n_members, n)."""
        waves = np.cos(self.grams.sparse(texts) @ self.frequencies + self.phases)
        own = np.sqrt(2 / len(self.weights)) * waves @ self.weights
        return np.asarray(self.inner.members(texts) + self.sd * own)


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Arms of A/B tests; arms of one group differ in wording only.

    Attributes:
        texts: n texts.
        group: shape (n,), which test and image.
        clicks, impressions: shape (n,).
    """

    texts: Sequence[str]
    group: Ints
    clicks: Ints
    impressions: Ints

    def __post_init__(self) -> None:
        if not len(self.texts):
            raise DataError(
                "A/B tests: at least one group of two wordings is needed, got none; check the file's weeks"
            )


def centred(values: Floats, group: NDArray[np.integer], weight: Floats) -> Floats:
    """Subtract each group's weighted mean, values of shape (n,) or (n, d)."""
    _, code = np.unique(group, return_inverse=True)
    flat = values.reshape(len(values), -1)
    total = np.zeros((code.max() + 1, flat.shape[1]))
    np.add.at(total, code, flat * weight[:, None])
    mass = np.bincount(code, weight)
    return (flat - (total / np.maximum(mass, 1e-12)[:, None])[code]).reshape(values.shape)


def log_ctr(arms: Arms) -> tuple[Floats, Floats]:
    """Log CTR of each arm with half a click added, and its precision (clicks), both of shape (n,)."""
    clicks = np.asarray(arms.clicks, dtype=np.float64)
    value = np.log((clicks + 0.5) / (np.asarray(arms.impressions) + 1.0))
    return value, clicks + 0.5


def ridge(x: Floats, y: Floats, weight: Floats, penalty: float) -> Floats:
    """Weighted ridge: argmin sum w (y - xb)^2 + penalty |b|^2, shape (d,)."""
    gram = (x * weight[:, None]).T @ x
    solved = np.linalg.solve(gram + penalty * np.eye(x.shape[1]), (x * weight[:, None]).T @ y)
    return np.asarray(solved, dtype=np.float64)


def fit_wording(
    arms: Arms,
    encoders: Sequence[Encoder],
    rng: np.random.Generator,
    members: int = 5,
    effect_sd: float = 0.15,
) -> LinearWording:
    """Fit the ensemble to arms of A/B tests.

    Args:
        arms: of the fit split only.
        encoders: fitted encoders; each gets `members` members.
        rng: draws the bootstrap weights.
        members: per encoder; the first of each is fitted with equal weights.
        effect_sd: prior standard deviation of the explained part of log CTR; sets the ridge penalty.
    """
    y, precision = log_ctr(arms)
    _, code = np.unique(arms.group, return_inverse=True)
    draws = rng.exponential(size=(members, code.max() + 1))
    draws[0] = 1.0
    blocks = []
    for encoder in encoders:
        features = encoder.encode(arms.texts)
        rows = []
        for draw in draws:
            weight = precision * draw[code]
            x = centred(features, arms.group, weight)
            energy = float((x**2).sum(axis=1).mean())
            rows.append(ridge(x, centred(y, arms.group, weight), weight, energy / effect_sd**2))
        blocks.append(np.array(rows))
    return LinearWording(encoders=tuple(encoders), coefficients=tuple(blocks))


@dataclass(frozen=True, kw_only=True)
class PairReport:
    """How well a wording model ranks arms of tests it has not seen.

    Attributes:
        pair_accuracy: share of pairs whose better arm is scored higher, all pairs; a tie counts half.
        pair_accuracy_significant: the same where |z| > 1.96.
        calibration_slope: slope of observed on predicted log-CTR difference within groups; 1 is calibrated.
        slope_interval: 95%, clustered by group.
        n_pairs, n_significant: counts.
    """

    pair_accuracy: float
    pair_accuracy_significant: float
    calibration_slope: float
    slope_interval: tuple[float, float]
    n_pairs: int
    n_significant: int


def judge_wording(score: Floats, arms: Arms, left: Ints, right: Ints, z: Floats) -> PairReport:
    """Compare scores of shape (n,) with what arms got; pairs are rows `left` and `right` with z of left minus right."""
    right_way = 0.5 + 0.5 * np.sign((score[left] - score[right]) * z)
    clear = np.abs(z) > 1.96
    y, precision = log_ctr(arms)
    x, y = centred(score, arms.group, precision), centred(y, arms.group, precision)
    slope = float((precision * x * y).sum() / max((precision * x * x).sum(), 1e-12))
    _, code = np.unique(arms.group, return_inverse=True)
    pull = np.bincount(code, precision * x * (y - slope * x))
    error = float(np.sqrt((pull**2).sum()) / max((precision * x * x).sum(), 1e-12))
    return PairReport(
        pair_accuracy=float(right_way.mean()) if len(z) else float("nan"),
        pair_accuracy_significant=float(right_way[clear].mean()) if clear.any() else float("nan"),
        calibration_slope=slope,
        slope_interval=(slope - 1.96 * error, slope + 1.96 * error),
        n_pairs=len(z),
        n_significant=int(clear.sum()),
    )
