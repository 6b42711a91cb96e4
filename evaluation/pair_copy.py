"""What a writer puts on show for a policy to choose from: distinct texts that the editor passes, over all segments."""

from __future__ import annotations

import numpy as np

from copybandit.evaluation.approve import Approved
from copybandit.evaluation.cells import ATTEMPTS, Cells
from copybandit.generators.editor import Editor
from copybandit.generators.protocol import Generator
from copybandit.sim.types import DataError


def pair_copy(
    writer: Generator,
    cells: Cells,
    editor: Editor,
    *,
    n_products: int,
    n_variants: int,
    rng: np.random.Generator,
) -> Approved:
    """Let a writer fill the slots of a split's first products.

    A product's segments take turns, each with one proposal a round, until its slots are full or the rounds are over.
    Products that get fewer than two texts leave nothing to choose and are not shown.

    Args:
        writer: writes.
        cells: of the split.
        editor: what it refuses is not shown.
        n_products: at most.
        n_variants: slots of each product, at least 2.
        rng: of the writer.

    Raises:
        DataError: no product has two texts.
    """
    products = np.unique(cells.product)[:n_products].tolist()
    texts: dict[int, dict[str, None]] = {product: {} for product in products}
    for _ in range(ATTEMPTS):
        short = [product for product, mine in texts.items() if len(mine) < n_variants]
        wanted = np.flatnonzero(np.isin(cells.product, short)).tolist()
        if not wanted:
            break
        proposals = writer.propose([cells.briefs[place] for place in wanted], 1, rng)
        for place, (variant,) in zip(wanted, proposals, strict=True):
            mine = texts[int(cells.product[place])]
            if len(mine) < n_variants and not editor.check(cells.briefs[place], variant.text):
                mine[variant.text] = None
    return _on_show({product: tuple(mine) for product, mine in texts.items() if len(mine) > 1}, n_variants)


def _on_show(texts: dict[int, tuple[str, ...]], n_variants: int) -> Approved:
    if not texts:
        raise DataError(
            "evaluate: the editor must pass two texts of some product, got none; tune the writer, or relax the editor"
        )
    rows = [(text, product) for product, mine in texts.items() for text in mine]
    table, start = np.full((len(texts), n_variants), -1), 0
    for place, mine in enumerate(texts.values()):
        table[place, : len(mine)] = np.arange(start, start + len(mine))
        start += len(mine)
    return Approved(
        texts=tuple(text for text, _ in rows),
        product=np.array([product for _, product in rows]),
        writer=np.zeros(len(rows), dtype=np.int64),
        products=np.array(list(texts)),
        table=table,
    )
