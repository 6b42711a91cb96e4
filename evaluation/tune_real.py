"""Copy that people wrote before, for the cells that are tuned on: what a GAN's discriminator takes for real."""

from __future__ import annotations

import numpy as np

from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.settings import TuneSettings
from copybandit.evaluation.shop_data import ShopData, catalogue_words
from copybandit.evaluation.stage_tune import Real
from copybandit.generators.recognise import recognise


def real_copy(shop: ShopData, fit: CellReward, settings: TuneSettings, seed: int) -> Real:
    """Earlier copy that the editor passes, each text for one cell of its product; nothing unless the GAN tunes.

    A text that speaks of interests stands for a segment that has them all, any other for a segment at random.
    """
    if settings.algorithm != "gan":
        return ()
    rng, words = np.random.default_rng([seed, 13]), shop.words or catalogue_words(shop.products)
    found: list[tuple[int, str]] = []
    for place, text in zip(shop.sample.product.tolist(), shop.sample.texts, strict=True):
        cells = np.flatnonzero(fit.cells.product == place)
        if not len(cells):
            continue
        reading = recognise(shop.products[place], text, words)
        spoken = set(reading.interests if reading else ())
        fitting = [cell for cell in cells.tolist() if spoken <= _interests(fit, cell)]
        if fitting:
            cell = fitting[int(rng.integers(len(fitting)))]
            if not fit.editor.check(fit.cells.briefs[cell], text):
                found.append((cell, text))
    return tuple(found)


def _interests(fit: CellReward, cell: int) -> set[str]:
    segment = fit.cells.briefs[cell].segment
    return set(segment.interests) if segment else set()
