"""A slate in the log that all readers share: one row per filled place, its distribution the one given the places before.

The candidates of a row are those that were left for its place, so a row reads like any other decision; the product of the
propensities of a request's rows is the probability of its slate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from copybandit.agents.bandit_run import MICROSECONDS_PER_DAY
from copybandit.agents.batch import ABSENT
from copybandit.agents.slate import Slates
from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.types import DataError, Floats
from copybandit.sim.visits import Visits


def log_slates(
    visits: Visits, slates: Slates, *, click: Floats, epoch: np.datetime64, policy: str
) -> LoggedFeedback:
    """Rows in the order of requests, then places; ``position`` is the place, 1 the first.

    Of n requests with L places, ``click`` is (n, L), 0 or 1, and ignored where no candidate stands; ``epoch`` is day 0 of
    ``visits.time``.

    Raises:
        DataError: shapes do not fit.
    """
    _check(visits, slates, click)
    request, place = np.nonzero(slates.filled)
    told, none = click[request, place], np.zeros(len(request))
    day = np.rint(visits.time[request] * MICROSECONDS_PER_DAY).astype("timedelta64[us]")
    return LoggedFeedback(
        timestamp=epoch + day,
        shopper=visits.shopper[request],
        product=visits.product[request],
        position=place + 1,
        candidates=_left(visits, slates)[request, place],
        action_probs=slates.action_probs[request, place],
        action=slates.column[request, place],
        click=told,
        conversion=none,
        value=none,
        reward=told,
        policy=policy,
    )


def _check(visits: Visits, slates: Slates, click: Floats) -> None:
    if click.shape != slates.column.shape or len(visits.time) != len(slates):
        raise DataError(
            f"slate log: visits, click and slates must be {slates.column.shape}, got {len(visits.time)} and "
            f"{click.shape}; give one click per place"
        )


def _left(visits: Visits, slates: Slates) -> NDArray[np.int32]:
    """Candidates of each place, those shown in places before it absent, shape (n, L, k)."""
    k = visits.candidates.shape[1]
    here = slates.column[..., None] == np.arange(k)
    before = np.cumsum(here, axis=1) - here
    return np.where(before > 0, np.int32(ABSENT), visits.candidates[:, None, :])
