"""Before the seasons: open the shop, let writers write, and load every policy, so that nothing is played in vain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.approve import Approved
from copybandit.evaluation.card_reading import check_unseen, mark_reading
from copybandit.evaluation.card_shop import WITHOUT_WRITER, open_run
from copybandit.evaluation.checkpoint_kind import Checkpoint
from copybandit.evaluation.pair_copy import pair_copy
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.policy_request import PolicyRequest
from copybandit.evaluation.policy_shop import (
    Stage,
    baseline,
    contender_of,
    rival_of,
    season_options,
    stage_of,
)
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.season_trial import Contender
from copybandit.evaluation.settings import BanditSettings


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is played.

    Attributes:
        contenders: the judged ones in their order, then the one that they are compared with.
        stages: the shop of each, with its copy.
        pipeline: of the run.
        options: of a season.
        seeds: of the seasons.
    """

    contenders: tuple[Contender, ...]
    stages: tuple[Stage, ...]
    pipeline: Pipeline
    options: BanditSettings
    seeds: tuple[int, ...]


def prepare(request: PolicyRequest, progress: Progress) -> Prepared:
    """Load everything.

    Raises:
        DataError: an unusable run folder or checkpoint, or a policy of other copy than the shop shows.
    """
    pipeline, rival = open_run(request.run, WITHOUT_WRITER), rival_of(request)
    options = season_options(pipeline, request)
    judged = (*request.checkpoints, *((rival,) if rival else ()))
    if request.pairs:
        stages = [
            stage_of(pipeline, options, shown)
            for shown in _written(judged, request, pipeline, options, progress)
        ]
    else:
        stages = [stage_of(pipeline, options)] * len(judged)
    contenders = [
        contender_of(one, stage, request, pipeline) for one, stage in zip(judged, stages, strict=True)
    ]
    if rival is None:
        contenders.append(baseline(request.against, stages[0]))
        stages.append(stages[0])
    return Prepared(
        contenders=tuple(contenders),
        stages=tuple(stages),
        pipeline=pipeline,
        options=options,
        seeds=request.season_seeds(pipeline.settings.seed),
    )


def _written(
    pairs: tuple[Checkpoint, ...],
    request: PolicyRequest,
    pipeline: Pipeline,
    options: BanditSettings,
    progress: Progress,
) -> list[Approved]:
    """What the writer of each pair puts on show; all write for the same products with the same random numbers."""
    from copybandit.generators.adapters import weights_hash
    from copybandit.generators.lm import CausalLM

    paths = [one.writer for one in pairs if one.writer is not None]
    for path in paths:
        check_unseen(path, pipeline.folder, pipeline.shop(), request.part)
    writers = [CausalLM.load(str(path.resolve())) for path in paths]
    if request.part == "judge":
        mark_reading(pipeline.folder, tuple(weights_hash(writer.model) for writer in writers))
    cells, editor, found = pipeline.cells(request.part), pipeline.editor, list[Approved]()
    progress.stage("write", total=len(writers))
    for writer in writers:
        found.append(
            pair_copy(
                writer, cells, editor, n_products=options.n_products, n_variants=options.n_variants,
                rng=np.random.default_rng([request.seed, 33]),
            )
        )  # fmt: skip
        progress.advance()
    return found
