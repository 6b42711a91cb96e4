"""The shop's earlier copy as pairs of brief and text, for whoever learns from it: what the editor passes, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.shop_data import ShopData, catalogue_words
from copybandit.generators.editor import Editor
from copybandit.generators.protocol import Generator
from copybandit.generators.recognise import recognise
from copybandit.generators.retrieval import RetrievalWriter, ShownCopy
from copybandit.generators.template import REFERENCE
from copybandit.sim.synthetic import Rounds
from copybandit.sim.types import Bools, Brief, Ints, Segment
from copybandit.sim.world import World

INTERESTS = 3
"""Interest words of each brief that earlier copy was written for."""
EXPECTED = 1_000_000
"""Impressions that stand for a click rate which is expected, not logged: enough to leave it as it is."""


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


def approved_copy(shop: ShopData, catalogue: Bools, editor: Editor, rng: np.random.Generator) -> ApprovedCopy:
    """Earlier copy about the products of a mask, shape (n_products,), that breaks no rule of the editor.

    A shop keeps its copy but not whose interests it was written to. A text that speaks of an interest was written to that
    one; the others are drawn evenly, in random order, as the shop itself drew them.
    """
    briefs, texts, said, rows = [], [], [], []
    words = shop.words or catalogue_words(shop.products)
    for row in np.flatnonzero(catalogue[shop.sample.product]).tolist():
        product, text = shop.products[shop.sample.product[row]], shop.sample.texts[row]
        reading = recognise(product, text, words)
        spoken = reading.interests if reading else ()
        others = [word for word in words if word not in spoken]
        wanted = min(INTERESTS - len(spoken), len(others))
        drawn = rng.choice(others, wanted, replace=False).tolist() if others else []
        interests = tuple(rng.permutation([*spoken, *drawn]).tolist())
        brief = Brief(product=product, segment=Segment(segment_id=0, interests=interests, size=1))
        if not editor.check(brief, text):
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
    return _shown(approved, clicks[approved.row], count[approved.row])


def expected_copy(approved: ApprovedCopy, shop: ShopData, world: World, shoppers: Bools) -> ShownCopy:
    """The same for a shop without a log of its copy: the clicks that a world expects of shoppers of a mask."""
    copy = world.encode(list(approved.texts), shop.sample.product[approved.row])
    rate = world.mean_click(np.flatnonzero(shoppers), copy)
    shown = np.full(len(rate), EXPECTED, np.int64)
    return _shown(approved, np.rint(rate * EXPECTED).astype(np.int64), shown)


def retrieval_best(shop: ShopData, world: World, editor: Editor, rng: np.random.Generator) -> Generator:
    """Retrieval-best on earlier copy of the fit split, by the clicks of its shoppers or those that the fitted world expects.

    Where the editor passes none of that copy there is nothing to retrieve, and the template writes.
    """
    approved = approved_copy(shop, shop.catalogue.fit, editor, rng)
    if not approved.texts:
        return REFERENCE
    if shop.rounds is None:
        shown = expected_copy(approved, shop, world, shop.shoppers.fit)
    else:
        shown = shown_copy(approved, shop.rounds, shop.shoppers.fit)
    return RetrievalWriter(shown=shown, editor=editor)


def _shown(approved: ApprovedCopy, clicks: Ints, impressions: Ints) -> ShownCopy:
    meant = [
        replace(brief, segment=Segment(segment_id=0, interests=spoken, size=1) if spoken else None)
        for brief, spoken in zip(approved.briefs, approved.spoken, strict=True)
    ]
    return ShownCopy(
        briefs=tuple(meant),
        texts=approved.texts,
        clicks=clicks,
        impressions=impressions,
    )
