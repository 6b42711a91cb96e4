"""The shop's earlier copy as pairs of brief and text, for whoever learns from it: what the editor passes, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.shop_data import ShopData
from copybandit.generators.editor import check
from copybandit.generators.recognise import recognise
from copybandit.generators.retrieval import ShownCopy
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Bools, Brief, Ints, Segment

INTERESTS = 3
"""Interest words of each brief that earlier copy was written for."""


@dataclass(frozen=True, kw_only=True)
class ApprovedCopy:
    """n texts that may be shown.

    Attributes:
        briefs: what each was written for.
        texts: the copy.
        spoken: interest words that each speaks of.
        row: shape (n,), place of each in the shop's sample.
    """

    briefs: tuple[Brief, ...]
    texts: tuple[str, ...]
    spoken: tuple[tuple[str, ...], ...]
    row: Ints


def approved_copy(shop: ShopData, catalogue: Bools, rng: np.random.Generator) -> ApprovedCopy:
    """Earlier copy about the products of a mask, shape (n_products,), that breaks no rule of the editor.

    A shop keeps its copy but not whose interests it was written to. A text that speaks of an interest was written to that
    one; the others are drawn evenly, in random order, as the shop itself drew them.
    """
    briefs, texts, said, rows = [], [], [], []
    for row in np.flatnonzero(catalogue[shop.sample.product]).tolist():
        product, text = shop.products[shop.sample.product[row]], shop.sample.texts[row]
        reading = recognise(product, text, shop.words)
        spoken = reading.interests if reading else ()
        others = [word for word in shop.words if word not in spoken]
        wanted = min(INTERESTS - len(spoken), len(others))
        drawn = rng.choice(others, wanted, replace=False).tolist() if others else []
        interests = tuple(rng.permutation([*spoken, *drawn]).tolist())
        brief = Brief(product=product, segment=Segment(segment_id=0, interests=interests, size=1))
        if not check(brief, text):
            briefs.append(brief)
            texts.append(text)
            said.append(spoken)
            rows.append(row)
    return ApprovedCopy(
        briefs=tuple(briefs), texts=tuple(texts), spoken=tuple(said), row=np.array(rows, dtype=np.int64)
    )


def shown_copy(approved: ApprovedCopy, rounds: Rounds, shoppers: Bools) -> ShownCopy:
    """What the log says of approved copy: impressions and clicks by shoppers of a mask, shape (n_shoppers,).

    The log does not say for which segment a text was meant: it counts as copy for those with the interests it speaks of, or
    for everybody. Places are not corrected for: the shop shows each text in any of them.
    """
    log = rounds.feedback
    seen = shoppers[log.shopper]
    count = np.bincount(log.item_id[seen], minlength=len(rounds.texts))
    clicks = np.bincount(log.item_id[seen & (log.click > 0)], minlength=len(rounds.texts))
    meant = [
        replace(brief, segment=Segment(segment_id=0, interests=spoken, size=1) if spoken else None)
        for brief, spoken in zip(approved.briefs, approved.spoken, strict=True)
    ]
    return ShownCopy(
        briefs=tuple(meant),
        texts=approved.texts,
        clicks=clicks[approved.row],
        impressions=count[approved.row],
    )
