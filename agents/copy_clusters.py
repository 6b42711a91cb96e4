"""Clusters of similar copy, for what a shopper tires of: the idea, not only the very words.

Hartigan's leader algorithm (Clustering Algorithms, 1975, chapter 3): a copy joins the first leader whose cosine with it
reaches the threshold, and leads a cluster of its own where there is none. It depends on nothing but the order of the
copies, and copy that is added at the end changes no cluster before it.
"""

from __future__ import annotations

import numpy as np

from copybandit.sim.types import DataError, Floats, Ints


def cluster_copies(embeddings: Floats, *, threshold: float = 0.8) -> Ints:
    """Cluster of each copy, numbered from 0 in order of the leaders, shape (m,).

    Args:
        embeddings: shape (m, d), finite; a row of zeros is like nothing else.
        threshold: least cosine between a copy and its leader, in (0, 1].

    Raises:
        DataError: the threshold is out of range, or the embeddings are not finite numbers of shape (m, d).
    """
    if not 0 < threshold <= 1:
        raise DataError(f"clusters: threshold must be in (0, 1], got {threshold}; give a cosine")
    if embeddings.ndim != 2 or not np.isfinite(embeddings).all():
        raise DataError(
            f"clusters: embeddings must be finite and (m, d), got {embeddings.shape}; encode the copies anew"
        )
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(length > 0, length, 1.0)
    cluster, count = np.full(len(unit), -1, dtype=np.int64), 0
    open_rows = np.arange(len(unit))
    while len(open_rows):
        leader = open_rows[0]
        alike = unit[open_rows] @ unit[leader] >= threshold - 1e-12
        alike[0] = True
        cluster[open_rows[alike]] = count
        open_rows, count = open_rows[~alike], count + 1
    return cluster
