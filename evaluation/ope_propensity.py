"""Propensities of a log that did not keep them: a multinomial logistic regression of the action on what was known.

    p(a | x) = softmax(W x + b)_a,   each row's from a model that did not see its fold

Right only where the policy chose on nothing but x, which no log can prove. What can be checked is balance: when the model is
right, the mean of m(x) 1[a shown] / p(a | x) is that of m(x) for every action; m are 1, x and x^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from copybandit.evaluation.ope_gates import WEIGHT_STD_ERRS, WEIGHT_TOLERANCE, Finding
from copybandit.sim.types import DataError, Floats, Ints

FOLDS = 2
MOST_ROWS = 200_000
"""Rows that the model learns from at most, drawn by chance."""
LEAST_ROWS = 20
"""Rows that each action needs in each fold."""


@dataclass(frozen=True, kw_only=True)
class Propensities:
    """A model for each fold.

    Attributes:
        models: one for each fold; it knows the others' rows.
        mean: shape (p,), of the context.
        spread: shape (p,), its standard deviation.
        findings: that propensities are estimated, and whether they balance.
    """

    models: tuple[LogisticRegression, ...]
    mean: Floats
    spread: Floats
    findings: tuple[Finding, ...] = ()

    def of(self, context: Floats, action: Ints, fold: Ints) -> Floats:
        """Probability of each row's action, shape (n,).

        Args:
            context: shape (n, p).
            action: shape (n,).
            fold: shape (n,), below `FOLDS`.

        Raises:
            DataError: an action that the models never saw.
        """
        found = np.empty(len(action))
        x = (context - self.mean) / self.spread
        for f, model in enumerate(self.models):
            rows = np.flatnonzero(fold == f)
            place = np.searchsorted(model.classes_, action[rows])
            known = model.classes_[np.minimum(place, len(model.classes_) - 1)] == action[rows]
            if not known.all():
                raise DataError(
                    f"propensity: every action must be among those learned, got {action[rows][~known][0]}; log more of it"
                )
            if len(rows):
                found[rows] = model.predict_proba(_with_column(x[rows]))[np.arange(len(rows)), place]
        return found


def estimate(context: Floats, action: Ints, fold: Ints) -> Propensities:
    """Learn from n rows.

    Args:
        context: shape (n, p), finite; p may be 0, and an action then has one propensity.
        action: shape (n,).
        fold: shape (n,), below `FOLDS`.

    Raises:
        DataError: less than two actions, or one that is too rare.
    """
    names, code = np.unique(action, return_inverse=True)
    seen = np.zeros((FOLDS, len(names)), dtype=np.int64)
    np.add.at(seen, (fold, code), 1)
    if len(names) < 2 or seen.min() < LEAST_ROWS:
        raise DataError(
            f"propensity: two actions or more must each have {LEAST_ROWS} rows in each half to be estimated, got "
            f"{len(names)} actions and {seen.min()} rows; log propensities, or leave the rare actions out"
        )
    mean, deviation = context.mean(axis=0), context.std(axis=0)
    spread = np.where(deviation > 1e-12, deviation, 1.0)
    x = _with_column((context - mean) / spread)
    models = tuple(
        LogisticRegression(max_iter=1_000).fit(x[fold != f], action[fold != f]) for f in range(FOLDS)
    )
    made = Propensities(models=models, mean=mean, spread=spread)
    return Propensities(
        models=models,
        mean=mean,
        spread=spread,
        findings=_findings(made.of(context, action, fold), context, action, names),
    )


def _findings(p: Floats, context: Floats, action: Ints, names: Ints) -> tuple[Finding, ...]:
    """That they are estimated, and whether 1, x and x^2, standardised, average alike over all rows and each action's."""
    told = "propensities should be logged, got estimated ones; an unseen cause of the choice biases every estimate"
    found = [Finding(gate="estimated", text=told, refuses=False)]
    square = _standardised(_standardised(context) ** 2)
    moments = np.hstack([np.ones((len(p), 1)), _standardised(context), square])
    worst, off, by = 0, 0.0, 0.0
    for name in names.tolist():
        apart = moments * (np.where(action == name, 1 / p, 0.0) - 1)[:, None]
        error = apart.std(axis=0) / np.sqrt(len(p))
        over = np.abs(apart.mean(axis=0)) / np.maximum(WEIGHT_TOLERANCE, WEIGHT_STD_ERRS * error)
        if over.max() > off:
            worst, off, by = name, float(over.max()), float(np.abs(apart.mean(axis=0))[over.argmax()])
    if off > 1:
        text = (
            f"estimated propensities must balance what was known between actions, got action {worst} off by {by:.3f} "
            "standard deviations; tell more of what the policy knew, or log propensities"
        )
        found.append(Finding(gate="balance", text=text, refuses=True))
    return tuple(found)


def _standardised(x: Floats) -> Floats:
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-12, deviation, 1.0))


def _with_column(x: Floats) -> Floats:
    """The regression needs a column, even where nothing is known."""
    return x if x.shape[1] else np.zeros((len(x), 1))
