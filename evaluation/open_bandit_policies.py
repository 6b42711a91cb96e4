"""The two policies of the Open Bandit data set on each other's logs: uniform, and Thompson sampling under its prior.

The data set's authors publish the Beta priors that the shop's Thompson sampling started from (``prior_bts.yaml``); it shows
the items with the best draws, best first, so the probability of an item at a place is `place_probs`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from copybandit.evaluation.beta_ranks import place_probs
from copybandit.evaluation.ope_rows import Rows
from copybandit.sim.open_bandit import OpenBandit
from copybandit.sim.types import DataError, Floats

PLACES = 3
"""Places on the shop's page."""


def uniform_probs(n_items: int, places: int = PLACES) -> Floats:
    """The uniform policy, shape (k, places)."""
    return np.full((n_items, places), 1 / n_items)


def thompson_probs(prior: Path | str, campaign: str, places: int = PLACES) -> Floats:
    """The shop's Thompson sampling at its start, shape (k, places).

    Args:
        prior: YAML file with lists ``alpha`` and ``beta`` for each campaign.
        campaign: e.g. ``men``.
        places: of the page.

    Raises:
        DataError: no such file, campaign or lists.
    """
    try:
        known = yaml.safe_load(Path(prior).read_text("utf-8"))
        alpha, beta = (np.array(known[campaign][name], dtype=np.float64) for name in ("alpha", "beta"))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"{prior}: must hold lists alpha and beta for campaign {campaign}, got {reason}; take the data set's own"
        ) from None
    return place_probs(alpha, beta, places)


def rows_of_open_bandit(log: OpenBandit, probs: Floats, q: Floats | None = None) -> Rows:
    """Rows of a log for a policy that knows neither user nor time.

    Args:
        log: n rounds, k items.
        probs: shape (k, places), of each item at each place.
        q: shape (n, k), reward of each item at the round's place, if a model was fitted.

    Raises:
        DataError: shapes do not match.
    """
    places = int(log.position.max())
    if probs.ndim != 2 or probs.shape[0] != len(log.items) or probs.shape[1] < places:
        raise DataError(
            f"rows_of_open_bandit: probs must be ({len(log.items)}, {places} or more), got {probs.shape}; "
            "give every item at every place"
        )
    if q is not None and q.shape != (len(log), len(log.items)):
        raise DataError(
            f"rows_of_open_bandit: q must be ({len(log)}, {len(log.items)}), got {q.shape}; align it with the log"
        )
    at = probs.T[log.position - 1]
    shown = np.arange(len(log)), log.item_id
    return Rows(
        reward=log.click,
        propensity=log.propensity,
        target_prob=at[shown],
        q=None if q is None else q[shown],
        v=None if q is None else (at * q).sum(axis=1),
    )
