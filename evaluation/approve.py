"""Which variants go on show: of each product's judged copy a set that passes the editor, promises clicks, and differs.

Writers have slots of their own, filled with a writer's texts as they come, over all segments, or with `bandit.diversity`
those that `pick` chooses beside the ones before, scored by the log-odds that the fitted world expects of the wording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.cells import Cells
from copybandit.evaluation.settings import BanditSettings
from copybandit.generators.diversity import SAME, likeness, pick
from copybandit.generators.editor import Editor
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.world import World

SLOTS = (("template", 1), ("sft", 2), ("ppo", 3))
"""Which writer's variants a product gets, and how many of them."""


@dataclass(frozen=True, kw_only=True)
class Approved:
    """Variants on show.

    Attributes:
        texts: m texts.
        product: shape (m,), whose they are.
        writer: shape (m,), index into `SLOTS`.
        products: shape (p,), the products on show.
        table: shape (p, k), rows of `texts`, -1 for absent.
        near_duplicates: candidates that are not on show and nearly one that is.
    """

    texts: tuple[str, ...]
    product: Ints
    writer: Ints
    products: Ints
    table: Ints
    near_duplicates: int = 0

    def likeness(self) -> float:
        """How alike two variants of a product are, in [0, 1]: mean over pairs, then over products with a pair."""
        means = []
        for row in self.table:
            alike = likeness([self.texts[i] for i in row[row >= 0]])
            pairs = alike[np.triu_indices(len(alike), 1)]
            means += [pairs.mean()] if len(pairs) else []
        return float(np.mean(means)) if means else float("nan")


def approve(
    judge: Cells,
    texts: Mapping[str, Sequence[Sequence[str]]],
    fitted: World,
    editor: Editor,
    settings: BanditSettings,
) -> Approved:
    """Choose what goes on show for the first products of the judge split.

    Args:
        judge: cells that the texts were written for.
        texts: writer to rows of n texts; the first row counts.
        fitted: scores them.
        editor: what it refuses, such as reference copy that stood in, is not shown; nor is a product without any copy.
        settings: products and variants.

    Raises:
        DataError: the editor passes no copy of any product.
    """
    pools = [_candidates(judge, texts[name][0], editor) for name, _ in SLOTS]
    rows: list[tuple[str, int, int]] = []
    shown: dict[int, list[int]] = {}
    twins = 0
    for product in np.unique(judge.product)[: settings.n_products].tolist():
        candidates = [pool.get(product, ()) for pool in pools]
        scored = fitted if settings.diversity else None
        chosen = _choose(candidates, product, scored)[: settings.n_variants]
        twins += _twins(candidates, [text for text, _ in chosen])
        if chosen:
            shown[product] = list(range(len(rows), len(rows) + len(chosen)))
            rows += [(text, product, writer) for text, writer in chosen]
    if not rows:
        raise DataError("approve: the editor must pass some copy, got none; switch a step of the editor off")
    table = np.full((len(shown), max(map(len, shown.values()))), -1)
    for place, mine in enumerate(shown.values()):
        table[place, : len(mine)] = mine
    return Approved(
        texts=tuple(text for text, _, _ in rows),
        product=np.array([product for _, product, _ in rows]),
        writer=np.array([writer for _, _, writer in rows]),
        products=np.array(list(shown)),
        table=table,
        near_duplicates=twins,
    )


def _candidates(judge: Cells, texts: Sequence[str], editor: Editor) -> dict[int, tuple[str, ...]]:
    """Each product's distinct texts of one writer that the editor passes, in the order of segments."""
    found: dict[int, dict[str, bool]] = {}
    for brief, product, text in zip(judge.briefs, judge.product.tolist(), texts, strict=True):
        mine = found.setdefault(product, {})
        if text not in mine:
            mine[text] = not editor.check(brief, text)
    return {
        product: tuple(text for text, passed in mine.items() if passed) for product, mine in found.items()
    }


def _choose(pools: Sequence[Sequence[str]], product: int, fitted: World | None) -> list[tuple[str, int]]:
    """Texts for one product and their writers: each writer's first, or by a world its best and most different ones."""
    chosen: list[tuple[str, int]] = []
    for writer, ((_, count), pool) in enumerate(zip(SLOTS, pools, strict=True)):
        before = [text for text, _ in chosen]
        new = [text for text in pool if text not in before]
        if new and fitted is not None:
            new = [new[place] for place in pick(new, _score(new, product, fitted), count, beside=before)]
        chosen += [(text, writer) for text in new[:count]]
    return chosen


def _twins(pools: Sequence[Sequence[str]], shown: Sequence[str]) -> int:
    """How many candidates are nearly a text on show, and not one."""
    others = [text for text in dict.fromkeys(text for pool in pools for text in pool) if text not in shown]
    if not others or not shown:
        return 0
    return int((likeness([*shown, *others])[: len(shown), len(shown) :] > SAME).any(axis=0).sum())


def _score(texts: Sequence[str], product: int, fitted: World) -> Floats:
    """Log-odds over the reference copy that an average shopper is expected to give, shape (m,)."""
    return np.asarray(fitted.encode(texts, np.full(len(texts), product)).wording.mean(axis=0))
