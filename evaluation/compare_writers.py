"""Rank saved writers by the clicks that shown copy wins in the gold world, product by product on the same briefs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from copybandit.evaluation.card_prepare import some_products
from copybandit.evaluation.card_reading import check_unseen, mark_reading
from copybandit.evaluation.card_request import CardRequest
from copybandit.evaluation.card_shop import open_run
from copybandit.evaluation.cells import Cells, write_cells
from copybandit.evaluation.comparison import Comparison
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.ranking import rank
from copybandit.sim.types import Floats

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM


def compare_writers(request: CardRequest, progress: Progress) -> Comparison:
    """All of the request, each a method of its own, and the writer that they are compared with.

    Raises:
        DataError: an unusable run folder or writer, or one that was tuned on what is judged.
    """
    pipeline = open_run(request.run)
    for path in request.checkpoints:
        check_unseen(path, pipeline.folder, pipeline.shop(), request.part)
    writers = _loaded(request, pipeline)
    cells = some_products(pipeline.reward(request.part), request.products).cells
    rates = _rates(writers, cells, pipeline, request.seed, progress)
    count = np.bincount(np.unique(cells.product, return_inverse=True)[1]).astype(np.float64)
    ranking = rank(
        (*map(str, request.checkpoints), request.against),
        rates,
        count,
        reference=len(writers) - 1,
        replicates=pipeline.settings.bootstrap_replicates,
        rng=np.random.default_rng([request.seed, 34]),
    )
    return Comparison(
        run=request.run.resolve().name,
        kind="writer",
        figure="clicks per impression in the gold world",
        unit="share",
        drawn=f"one text for each of {len(cells):,} pairs of product and segment, split {request.part}",
        clusters="products",
        ranking=ranking,
        cautions=_cautions(request, semi_synthetic=pipeline.settings.world != "synthetic"),
    )


def _loaded(request: CardRequest, pipeline: Pipeline) -> list[CausalLM]:
    """The judged writers, then the other one; a reading of the judge split is noted."""
    from copybandit.generators.adapters import weights_hash
    from copybandit.generators.lm import CausalLM

    writers = [CausalLM.load(str(path.resolve())) for path in request.checkpoints]
    sft = pipeline.folder.output("sft") / "writer"
    writers.append(CausalLM.load(str(sft) if request.against == "sft" else request.against))
    if request.part == "judge":
        mark_reading(pipeline.folder, tuple(weights_hash(writer.model) for writer in writers[:-1]))
    return writers


def _rates(
    writers: list[CausalLM], cells: Cells, pipeline: Pipeline, seed: int, progress: Progress
) -> Floats:
    """Sum of true click rates of each product's cells, shape (writers, products); all draw the same numbers."""
    references, editor, gold = pipeline.shop().references, pipeline.editor, pipeline.gold()
    product, found = np.unique(cells.product, return_inverse=True)[1], list[Floats]()
    progress.stage("write", total=len(writers))
    for writer in writers:
        rng = np.random.default_rng([seed, 35])
        written = write_cells(writer, cells, references, editor, rng)
        found.append(np.asarray(np.bincount(product, cells.ctr(gold, written.texts)), dtype=np.float64))
        progress.advance()
    return np.stack(found)


def _cautions(request: CardRequest, *, semi_synthetic: bool) -> tuple[str, ...]:
    found = [
        "Clicks are those of the simulated gold world: the ranks say what to try first, not what a real shop will earn.",
        "New text stands in no log, so no off-policy estimate can check these ranks; one writer is one draw of tuning.",
    ]
    if semi_synthetic:
        found.append("Products and shoppers are real, their answers to copy are not.")
    if request.part == "select":
        found.append(
            "The split is select, which steps of tuning may have been chosen on: it flatters such writers."
        )
    return tuple(found)
