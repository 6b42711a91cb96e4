"""Before measuring: load the writers and the shop, note the reading, and let all write the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from copybandit.evaluation.card import Checkpoint, Reading
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_log import read_logs
from copybandit.evaluation.card_reading import check_unseen, mark_reading
from copybandit.evaluation.card_request import CardRequest
from copybandit.evaluation.card_shop import open_run
from copybandit.evaluation.card_subject import Drafts, Subject, write_drafts
from copybandit.evaluation.card_trail import trail_of
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress
from copybandit.sim.types import DataError, Floats, Product

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A subject, and what the card says of where it comes from."""

    subject: Subject
    checkpoints: tuple[Checkpoint, ...]
    readings: tuple[Reading, ...]
    semi_synthetic: bool


def prepare(request: CardRequest, progress: Progress) -> Prepared:
    """Load everything, note the reading, and let all write the cells.

    Raises:
        DataError: unusable checkpoints, an unusable run folder, or a writer that was tuned on what is to be judged.
    """
    pipeline = open_run(request.run)
    shop, folder = pipeline.shop(), pipeline.folder
    origins = [check_unseen(path, folder, shop, request.part) for path in request.checkpoints]
    tuned, before, hashes = load_writers(request, folder.output("sft") / "writer")
    reward = some_products(pipeline.reward(request.part), request.products)
    readings = mark_reading(folder, hashes) if request.part == "judge" else ()
    checkpoints = tuple(
        Checkpoint(path=str(path), hash=digest, origin=origin.run, checked=origin.checked)
        for path, digest, origin in zip(request.checkpoints, hashes, origins, strict=True)
    )
    return Prepared(
        subject=subject_of(request, pipeline, reward, tuned, before, progress),
        checkpoints=checkpoints,
        readings=readings,
        semi_synthetic=pipeline.settings.world != "synthetic",
    )


def subject_of(
    request: CardRequest,
    pipeline: Pipeline,
    reward: CellReward,
    tuned: Sequence[CausalLM],
    before: CausalLM,
    progress: Progress,
) -> Subject:
    """Let all write, and put together what measures read.

    Args:
        request: what is asked for.
        pipeline: of the shop.
        reward: what tuning optimises, in the cells that are read.
        tuned: one writer per seed.
        before: whom they are compared with.
        progress: told where the writing stands.
    """
    shop, options = pipeline.shop(), pipeline.settings
    written = partial(
        _written, reward=reward, references=shop.references, seed=request.seed, progress=progress
    )
    progress.stage("write", total=2)
    return Subject(
        tuned=tuple(tuned),
        before=before,
        ours=written(tuned, method=1),
        theirs=written([before] * len(tuned), method=0),
        reward=reward,
        other=pipeline.reward("fit"),
        gold=pipeline.gold(),
        references=shop.references,
        relative=relative_price(shop.products),
        trails=tuple(trail_of(path) for path in request.checkpoints),
        logs=read_logs(request.checkpoints, len(pipeline.cells("select"))),
        budget=options.tune.kl_target if request.budget is None else request.budget,
        seed=request.seed,
        draws=Draws(replicates=options.bootstrap_replicates, seed=request.seed),
    )


def _written(
    writers: Sequence[CausalLM],
    *,
    method: int,
    reward: CellReward,
    references: Sequence[str],
    seed: int,
    progress: Progress,
) -> Drafts:
    found = write_drafts(writers, reward.cells, references, reward.editor, seed, method)
    progress.advance()
    return found


def load_writers(request: CardRequest, sft: Path) -> tuple[tuple[CausalLM, ...], CausalLM, tuple[str, ...]]:
    """The tuned writers, the one before tuning, and the hashes of the tuned ones' weights.

    Args:
        request: names them.
        sft: folder of the run's own writer before tuning.

    Raises:
        DataError: a folder holds no writer, two hold the same weights, or their tokenizer is another one's.
    """
    from copybandit.generators.adapters import weights_hash
    from copybandit.generators.lm import CausalLM

    tuned = tuple(CausalLM.load(str(path.resolve())) for path in request.checkpoints)
    named = str(sft) if request.against == "sft" else request.against
    before = CausalLM.load(named, generator_id="before")
    _check_tokens(tuned, before, request)
    hashes = tuple(weights_hash(writer.model) for writer in tuned)
    for place, digest in enumerate(hashes):
        if (first := hashes.index(digest)) < place:
            raise DataError(
                "evaluate: each checkpoint is a seed of its own, got the same weights in "
                f"{request.checkpoints[first]} and {request.checkpoints[place]}; name each one once"
            )
    return tuned, before, hashes


def some_products(reward: CellReward, products: int | None) -> CellReward:
    """The reward in the cells of some products, evenly spaced; of all of them for None."""
    cells = reward.cells
    every = np.unique(cells.product)
    if products is None or products >= len(every):
        return reward
    kept = every[np.linspace(0, len(every) - 1, products).round().astype(np.int64)]
    return CellReward(reward.world, cells.take(np.flatnonzero(np.isin(cells.product, kept))), reward.editor)


def _check_tokens(tuned: Sequence[CausalLM], before: CausalLM, request: CardRequest) -> None:
    """A KL needs one vocabulary."""
    wanted: Any = before.tokenizer.get_vocab()
    for path, writer in zip(request.checkpoints, tuned, strict=True):
        if writer.tokenizer.get_vocab() != wanted:
            raise DataError(
                f"checkpoint {path}: must have the tokenizer of the writer it is compared with ({request.against}), and has "
                "another; compare it with the writer it was tuned from: --against FOLDER"
            )


def relative_price(products: Sequence[Product]) -> Floats:
    """log(price / median price of the category), shape (n_products,)."""
    price = np.log([product.price for product in products])
    _, code = np.unique([product.category for product in products], return_inverse=True)
    median = np.array([np.median(price[code == k]) for k in range(int(code.max()) + 1)])
    return np.asarray(price - median[code])
