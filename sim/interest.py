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
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.metrics import roc_auc_score

from copybandit.sim.calibration import fit_platt, judge_calibration
from copybandit.sim.events import ADD_TO_CART, KINDS, PURCHASE, VIEW, EventTable
from copybandit.sim.interest_features import ProductFeatures
from copybandit.sim.interest_pairs import Pairs, cut_in_time, purchase_pairs
from copybandit.sim.types import Bools, Floats, Ints, Product

EVENT_WEIGHT = {"view": 1.0, "search": 1.0, "add_to_cart": 2.0, "purchase": 3.0, "return": -2.0}
"""How much an event says for a product; a return takes a purchase back in part."""
SHRINKAGE = 6.0
"""Event weight at which half of a shopper's history is believed."""


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
