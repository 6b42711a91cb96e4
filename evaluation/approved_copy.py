"""The shop's earlier copy as pairs of brief and text, for whoever learns from it: what the editor passes, and for whom."""

from __future__ import annotations

from dataclasses import dataclass

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
        row: shape (n,), place of each in the shop's sample.
    """

    briefs: tuple[Brief, ...]
    texts: tuple[str, ...]
    row: Ints


def approved_copy(shop: ShopData, catalogue: Bools, rng: np.random.Generator) -> ApprovedCopy:
    """Earlier copy about the products of a mask, shape (n_products,), that breaks no rule of the editor.

    A shop keeps its copy but not whose interests it was written to. A text that speaks of an interest was written to that
    one; the others are drawn evenly, in random order, as the shop itself drew them.
    """
    briefs, texts, rows = [], [], []
    for row in np.flatnonzero(catalogue[shop.sample.product]):
        product, text = shop.products[shop.sample.product[row]], shop.sample.texts[row]
        reading = recognise(product, text, shop.words)
        spoken = reading.interests if reading else ()
        others = [word for word in shop.words if word not in spoken]
        drawn = rng.choice(others, min(INTERESTS - len(spoken), len(others)), replace=False) if others else []
        interests = tuple(str(word) for word in rng.permutation([*spoken, *drawn]))
        brief = Brief(product=product, segment=Segment(segment_id=0, interests=interests, size=1))
        if not check(brief, text):
            briefs.append(brief)
            texts.append(text)
            rows.append(int(row))
    return ApprovedCopy(briefs=tuple(briefs), texts=tuple(texts), row=np.array(rows, dtype=np.int64))


def shown_copy(approved: ApprovedCopy, rounds: Rounds, shoppers: Bools) -> ShownCopy:
    """What the log says of approved copy: impressions and clicks by shoppers of a mask, shape (n_shoppers,).

    Nobody's segment stands in that log, so the copy counts as shown to everybody. Places are not corrected for: the shop
    shows each text in any of them.
    """
    log = rounds.feedback
    seen = shoppers[log.shopper]
    count = np.bincount(log.item_id[seen], minlength=len(rounds.texts))
    clicks = np.bincount(log.item_id[seen & (log.click > 0)], minlength=len(rounds.texts))
    return ShownCopy(
        briefs=approved.briefs,
        texts=approved.texts,
        clicks=clicks[approved.row],
        impressions=count[approved.row],
    )
