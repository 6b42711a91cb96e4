"""What a shopper cares for, from behaviour: a factorised logistic model on text, category and price.

A product is a vector x of its LSA text, category and price band. A shopper is the weighted mean s of the products in the
history, shrunk towards nothing when the history is short, so that a cold shopper has the average taste. The logit is
a + b s'Mx with M of low rank: ridge-whitened cross-covariance of early history and later choices (as in canonical
correlation analysis), which learns that who likes one thing likes another. Scale b and intercept a are a Platt calibration
on shoppers that M has not seen, later purchases against products of like popularity; the same shoppers set the strength
of the ridge. A cold product or a piece of copy is scored through the same x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from copybandit.sim.calibration import fit_platt, judge_calibration
from copybandit.sim.encoders import Lsa
from copybandit.sim.events import ADD_TO_CART, KINDS, PURCHASE, VIEW, EventTable
from copybandit.sim.types import Bools, DataError, Floats, Ints, Product

EVENT_WEIGHT = {"view": 1.0, "search": 1.0, "add_to_cart": 2.0, "purchase": 3.0, "return": -2.0}
"""How much an event says for a product; a return takes a purchase back in part."""
SHRINKAGE = 6.0
"""Event weight at which half of a shopper's history is believed."""


@dataclass(frozen=True, kw_only=True)
class ProductFeatures:
    """Turns products, and copy, into vectors of one space.

    Attributes:
        lsa: text encoder, fitted on product texts.
        categories: labels, in column order.
        price_knots: shape (3,), log prices of the low, middle and high band.
        centre: shape (d,), mean product.
        inferred: shape (d_text, d - d_text), reads category and price band off a text.
        block_scale: weights of text, category and price.
    """

    lsa: Lsa
    categories: tuple[str, ...]
    price_knots: Floats
    centre: Floats
    inferred: Floats
    block_scale: tuple[float, float, float] = (1.0, 0.7, 0.5)

    @classmethod
    def fit(cls, products: Sequence[Product], dimension: int = 100) -> ProductFeatures:
        """Fit encoder, categories and price bands on a catalogue."""
        lsa = Lsa.fit([interest_text(product) for product in products], dimension)
        categories = tuple(sorted({product.category for product in products}))
        knots = np.quantile(np.log([product.price for product in products]), (0.1, 0.5, 0.9))
        blank = cls(
            lsa=lsa, categories=categories, price_knots=knots, centre=np.zeros(1), inferred=np.zeros((1, 1))
        )
        raw = blank._raw(products)
        x = raw - raw.mean(axis=0)
        text, rest = x[:, : lsa.dimension], x[:, lsa.dimension :]
        gram = text.T @ text
        inferred = np.linalg.solve(gram + 0.5 * np.trace(gram) / len(gram) * np.eye(len(gram)), text.T @ rest)
        return replace(blank, centre=raw.mean(axis=0), inferred=inferred)

    def _raw(self, products: Sequence[Product]) -> Floats:
        text, category, price = self.block_scale
        column = {label: index for index, label in enumerate(self.categories)}
        onehot = np.zeros((len(products), len(self.categories)))
        for row, product in enumerate(products):
            if product.category in column:
                onehot[row, column[product.category]] = category
        logs = np.log([product.price for product in products])
        width = max(float(np.diff(self.price_knots).mean()), 0.1)
        bands = price * np.exp(-(((logs[:, None] - self.price_knots) / width) ** 2))
        return np.hstack([text * self.lsa.encode([interest_text(p) for p in products]), onehot, bands])

    def products(self, products: Sequence[Product]) -> Floats:
        """Centred product vectors, shape (m, d)."""
        return self._raw(products) - self.centre

    def texts(self, texts: Sequence[str]) -> Floats:
        """Copy as if it were a product known by its text alone, not centred, shape (n, d)."""
        block = self.block_scale[0] * self.lsa.encode(texts)
        return np.hstack([block, block @ self.inferred])


def interest_text(product: Product) -> str:
    """Text that says what a product is, its category included."""
    return f"{product.category}. {product.text}"


@dataclass(frozen=True, kw_only=True)
class InterestModel:
    """Fitted interest: logit(u, p) = intercept + shopper_vector(u) . product_vector(p).

    Attributes:
        features: product encoder.
        matrix: shape (d, d), the b M of the module's formula.
        mean_profile: shape (d,), subtracted from every profile.
        intercept: a of the module's formula.
        centre, scale: mean and standard deviation of the logit over random shopper-product pairs.
    """

    features: ProductFeatures
    matrix: Floats
    mean_profile: Floats
    intercept: float
    centre: float
    scale: float

    def score(self, events: EventTable, products: Floats, shopper: Ints, product: Ints) -> Floats:
        """Logits of pairs of shopper and product, each of shape (n,), given histories and product vectors (m, d)."""
        return self.intercept + paired(self.shopper_vectors(events, products), products, shopper, product)

    def shopper_vectors(self, events: EventTable, products: Floats) -> Floats:
        """Vectors of all shoppers of a log, given product vectors (m, d); shape (n_shoppers, d)."""
        return np.asarray((profiles(events, products, self.features) - self.mean_profile) @ self.matrix)


@dataclass(frozen=True, kw_only=True)
class InterestReport:
    """Held-out shoppers, later time, negatives of like popularity.

    Attributes:
        auc: of the model.
        auc_popularity: of popularity alone on the same pairs.
        calibration_slope: slope of a logistic regression of the label on the model's logit.
        ece: expected calibration error of the model's probabilities, 10 bins of equal width.
        n_pairs: positives plus negatives.
    """

    auc: float
    auc_popularity: float
    calibration_slope: float
    ece: float
    n_pairs: int


def profiles(events: EventTable, products: Floats, text: ProductFeatures) -> Floats:
    """Shrunk weighted mean of what each shopper looked at, bought and searched for, shape (n_shoppers, d).

    Args:
        events: a log.
        products: shape (m, d), product vectors.
        text: places search queries in the same space.
    """
    shares, queries = history_shares(events, len(products))
    return np.asarray(shares @ np.vstack([products, text.texts(queries)]))


def history_shares(events: EventTable, n_products: int) -> tuple[sparse.csr_matrix, list[str]]:
    """How much each thing of a history counts: w / (sum of |w| + `SHRINKAGE`), w = the damped sum of event weights.

    Returns:
        Sparse, shape (n_shoppers, n_products + q), products before searches; and the q distinct queries.
    """
    queries, place = np.unique(events.query, return_inverse=True)
    seen = np.where(events.product >= 0, events.product, n_products + place)
    weight = np.array([EVENT_WEIGHT[kind] for kind in KINDS])[events.kind]
    shape = (len(events.shopper_ids), n_products + len(queries))
    history = sparse.csr_matrix((weight, (events.shopper, seen)), shape=shape)
    history.data = np.sign(history.data) * np.log1p(np.abs(history.data))
    mass = np.asarray(abs(history).sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags(1 / (mass + SHRINKAGE)) @ history), [str(q) for q in queries]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Shopper-product pairs with a label, each array of shape (n,)."""

    shopper: Ints
    product: Ints
    label: Ints


Negatives = Literal["matched", "uniform"]
"""How products that were not bought are drawn: as often as they are bought, or all alike."""


def purchase_pairs(
    events: EventTable,
    shoppers: Bools,
    n_products: int,
    rng: np.random.Generator,
    negatives: int = 3,
    scheme: Negatives = "matched",
) -> Pairs:
    """First purchases of the given shoppers in a log, each with `negatives` products that the shopper did not buy.

    Args:
        events: the later part of the log.
        shoppers: shape (n_shoppers,), which shoppers to use.
        n_products: size of the catalogue.
        rng: draws the negatives.
        negatives: per positive; a negative that the shopper did buy is dropped.
        scheme: how they are drawn; popularity alone tells uniform ones apart, matched ones hardly.
    """
    bought = events.kind == PURCHASE
    code = np.unique(events.shopper[bought] * n_products + events.product[bought])
    popularity = np.bincount(code % n_products, minlength=n_products).astype(np.float64)
    code = code[shoppers[code // n_products]]
    if not len(code):
        raise DataError("interest: at least one later purchase is needed, got none; give a longer log")
    chance = popularity if scheme == "matched" else np.ones(n_products)
    fake = rng.choice(n_products, size=(len(code), negatives), p=chance / chance.sum())
    fake_code = (code // n_products)[:, None] * n_products + fake
    fake_code = fake_code[~np.isin(fake_code, code)]
    both = np.concatenate([code, fake_code])
    label = np.repeat([1, 0], [len(code), len(fake_code)])
    return Pairs(shopper=both // n_products, product=both % n_products, label=label)


def cut_in_time(events: EventTable, share: float = 0.7) -> tuple[EventTable, EventTable]:
    """Split a log at the time before which `share` of its rows lie."""
    cut = np.sort(events.time)[int(share * (len(events.time) - 1))]
    return events.take(events.time <= cut), events.take(events.time > cut)


RANK = 12
RIDGES = (0.3, 1.0, 3.0)


def fit_interest(
    events: EventTable, products: Sequence[Product], fit: Bools, judge: Bools, rng: np.random.Generator
) -> tuple[InterestModel, InterestReport]:
    """Fit on the `fit` shoppers and report on the `judge` shoppers.

    Args:
        events: the whole log; histories come from its earlier part, labels from the later.
        products: the catalogue, in the log's product order.
        fit: shape (n_shoppers,), who the model is fitted on.
        judge: shape (n_shoppers,), who the report is about; disjoint from `fit`.
        rng: draws negatives, and the quarter of the fit shoppers that sets the scale.
    """
    features = ProductFeatures.fit(products)
    vectors = features.products(products)
    before, after = cut_in_time(events)
    taste = profiles(before, vectors, features)
    held = fit & (rng.random(len(fit)) < 0.25)
    mean_profile = taste[fit].mean(axis=0)
    tune = purchase_pairs(after, held, len(products), rng)
    matrix = _best_matrix(taste - mean_profile, vectors, after, fit & ~held, tune)
    logit = _logit(taste - mean_profile, matrix, vectors, tune)
    scaled = fit_platt(logit, tune.label)
    matrix = matrix * max(float(scaled.slopes[0]), 1e-3)
    intercept = scaled.intercept
    u = rng.integers(len(taste), size=20_000)
    p = rng.integers(len(vectors), size=20_000)
    everyone = (profiles(events, vectors, features) - mean_profile) @ matrix
    random_logit = (everyone[u] * vectors[p]).sum(axis=1)
    fitted = InterestModel(
        features=features,
        matrix=matrix,
        mean_profile=mean_profile,
        intercept=intercept,
        centre=float(random_logit.mean()),
        scale=max(float(random_logit.std()), 1e-6),
    )
    test = purchase_pairs(after, judge, len(products), rng)
    score = _logit(taste - mean_profile, matrix, vectors, test) + intercept
    return fitted, _report(score, test, after, len(products))


def _best_matrix(taste: Floats, vectors: Floats, after: EventTable, fit: Bools, tune: Pairs) -> Floats:
    """The low-rank M whose ridge ranks the pairs of `tune` best, shape (d, d)."""
    matrices = [_matrix(taste, vectors, after, fit, ridge) for ridge in RIDGES]
    scores = [roc_auc_score(tune.label, _logit(taste, matrix, vectors, tune)) for matrix in matrices]
    return matrices[int(np.argmax(scores))]


def _matrix(taste: Floats, vectors: Floats, after: EventTable, fit: Bools, ridge: float) -> Floats:
    chosen = np.isin(after.kind, [VIEW, ADD_TO_CART, PURCHASE]) & fit[after.shopper]
    shopper, product = after.shopper[chosen], after.product[chosen]
    share = np.bincount(product, minlength=len(vectors)) / max(len(product), 1)
    x = vectors - share @ vectors
    s = taste - taste[fit].mean(axis=0)
    cross = s[shopper].T @ x[product] / max(len(product), 1)
    whitened = (
        _ridge_inverse(s[fit].T @ s[fit] / fit.sum(), ridge)
        @ cross
        @ _ridge_inverse((x * share[:, None]).T @ x, ridge)
    )
    left, value, right = np.linalg.svd(whitened)
    return np.asarray((left[:, :RANK] * value[:RANK]) @ right[:RANK])


def _ridge_inverse(covariance: Floats, ridge: float) -> Floats:
    value, vector = np.linalg.eigh(covariance)
    return np.asarray(vector / (np.maximum(value, 0) + ridge * max(float(value.mean()), 1e-12)) @ vector.T)


def _logit(taste: Floats, matrix: Floats, vectors: Floats, pairs: Pairs) -> Floats:
    """B s'Mx of each pair, shape (n,)."""
    return paired(taste @ matrix, vectors, pairs.shopper, pairs.product)


def paired(left: Floats, right: Floats, row: Ints, column: Ints, block: int = 200_000) -> Floats:
    """left[row] . right[column] without the whole product, shape (n,); left (a, d), right (b, d)."""
    found = np.empty(len(row))
    for start in range(0, len(row), block):
        part = slice(start, start + block)
        found[part] = np.einsum("nd,nd->n", left[row[part]], right[column[part]])
    return found


def _report(score: Floats, test: Pairs, after: EventTable, n_products: int) -> InterestReport:
    bought = after.kind == PURCHASE
    popularity = np.bincount(after.product[bought], minlength=n_products)
    judged = judge_calibration(score, test.label)
    return InterestReport(
        auc=judged.auc,
        auc_popularity=float(roc_auc_score(test.label, popularity[test.product])),
        calibration_slope=judged.slope,
        ece=judged.ece,
        n_pairs=len(test.label),
    )
