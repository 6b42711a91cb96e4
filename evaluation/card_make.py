"""Make a card: read the shop of a run folder, let the writers write, measure, and say who has read the judge split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np

from copybandit.evaluation.card import Card, Checkpoint, Measure, Reading, Shown
from copybandit.evaluation.card_drift import distance, length
from copybandit.evaluation.card_figures import Draws
from copybandit.evaluation.card_fluency import fluency
from copybandit.evaluation.card_frontier import frontier
from copybandit.evaluation.card_personal import personal
from copybandit.evaluation.card_reading import check_unseen, mark_reading
from copybandit.evaluation.card_robust import robust
from copybandit.evaluation.card_rules import facts, policy, read_drafts
from copybandit.evaluation.card_safety import injections, safety
from copybandit.evaluation.card_subject import Subject, write_drafts
from copybandit.evaluation.card_trail import overoptimised, trail_of, walk
from copybandit.evaluation.card_value import value
from copybandit.evaluation.card_variety import variety
from copybandit.evaluation.cells import CellReward
from copybandit.evaluation.frontier import draw_frontier
from copybandit.evaluation.load_settings import read_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress, Silent
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.types import DataError, Floats, Product

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

T = TypeVar("T")
Part = Literal["judge", "select"]
PARTS: tuple[Part, ...] = get_args(Part)
STAGES = ("data", "fit", "sft")
"""What a run folder must hold."""
SHOWN = 8
"""Products whose copy the card shows."""


@dataclass(frozen=True, kw_only=True)
class CardRequest:
    """What is judged on what.

    Attributes:
        checkpoints: folders of saved writers, one per seed of one method.
        run: folder of the run whose shop judges them.
        against: `sft`, the run's own writer before tuning, or any writer's spec.
        part: split of products and shoppers that is read.
        budget: nats per text that tuning was allowed; None takes the run's tune.kl_target.
        seed: of what is drawn.
        products: of the split, at most, evenly spaced; None reads all.

    Raises:
        DataError: no checkpoint, one twice, an unknown part, or no product.
    """

    checkpoints: tuple[Path, ...]
    run: Path
    against: str = "sft"
    part: Part = "judge"
    budget: float | None = None
    seed: int = 0
    products: int | None = None

    def __post_init__(self) -> None:
        if self.products is not None and self.products < 1:
            raise DataError(f"--products must be at least 1, got {self.products}; leave it out to read all")
        if self.part not in PARTS:
            raise DataError(f"--part must be one of {', '.join(PARTS)}, got {self.part!r}; correct it")
        if not self.checkpoints:
            raise DataError("evaluate needs a checkpoint, got none; name folders of saved writers")
        if len({path.resolve() for path in self.checkpoints}) < len(self.checkpoints):
            raise DataError(
                "evaluate: each checkpoint is a seed of its own, got one folder twice; name each one once"
            )
        for path in self.checkpoints:
            if not path.is_dir():
                raise DataError(
                    f"checkpoint {path}: must be the folder of a saved writer, and is none; correct the path"
                )


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A subject, and what the card says of where it comes from."""

    subject: Subject
    checkpoints: tuple[Checkpoint, ...]
    readings: tuple[Reading, ...]
    semi_synthetic: bool


def open_run(path: Path) -> Pipeline:
    """The pipeline of a finished or half-finished run folder.

    Raises:
        DataError: there is no run in it, or the stages that a card needs are not done.
    """
    folder = RunFolder.resume(path, stored_settings(path))
    missing = [name for name in STAGES if not folder.stage(name)]
    if missing:
        raise DataError(
            f"{path}: stages {', '.join(STAGES)} must be done, {', '.join(missing)} is not; "
            f"go on with copybandit run --resume {path}"
        )
    return Pipeline(folder.settings, folder, Silent())


def prepare(request: CardRequest, progress: Progress) -> Prepared:
    """Load everything, note the reading, and let all write the cells.

    Raises:
        DataError: unusable checkpoints, an unusable run folder, or a writer that was tuned on what is to be judged.
    """
    from copybandit.generators.adapters import weights_hash
    from copybandit.generators.lm import CausalLM

    pipeline = open_run(request.run)
    shop, folder = pipeline.shop(), pipeline.folder
    origins = [check_unseen(path, folder, shop, request.part) for path in request.checkpoints]
    tuned = tuple(CausalLM.load(str(path)) for path in request.checkpoints)
    before = CausalLM.load(
        str(folder.output("sft") / "writer") if request.against == "sft" else request.against,
        generator_id="before",
    )
    _check_tokens(tuned, before, request)
    hashes = tuple(weights_hash(writer.model) for writer in tuned)
    readings = mark_reading(folder, hashes) if request.part == "judge" else ()
    reward = _some(pipeline.reward(request.part), request.products)
    progress.stage("write", total=2)
    drafts = []
    for method, writers in ((1, tuned), (0, [before] * len(tuned))):
        drafts.append(
            write_drafts(writers, reward.cells, shop.references, reward.editor, request.seed, method)
        )
        progress.advance()
    log, options = _Log.of(folder, request.checkpoints), pipeline.settings.tune
    subject = Subject(
        tuned=tuned,
        before=before,
        ours=drafts[0],
        theirs=drafts[1],
        reward=reward,
        other=pipeline.reward("fit"),
        gold=pipeline.gold(),
        references=shop.references,
        relative=relative_price(shop.products),
        trails=tuple(trail_of(path) for path in request.checkpoints),
        ratios=log.ratios,
        calls=log.calls,
        batch=options.batch_size if log.calls is not None else None,
        budget=options.kl_target if request.budget is None else request.budget,
        seed=request.seed,
        draws=Draws(replicates=pipeline.settings.bootstrap_replicates, seed=request.seed),
    )
    found = tuple(
        Checkpoint(path=str(path), hash=digest, origin=origin)
        for path, digest, origin in zip(request.checkpoints, hashes, origins, strict=True)
    )
    semi = pipeline.settings.world != "synthetic"
    return Prepared(subject=subject, checkpoints=found, readings=readings, semi_synthetic=semi)


def _some(reward: CellReward, products: int | None) -> CellReward:
    """The reward in the cells of some products, evenly spaced."""
    cells = reward.cells
    every = np.unique(cells.product)
    if products is None or products >= len(every):
        return reward
    kept = every[np.linspace(0, len(every) - 1, products).round().astype(np.int64)]
    return CellReward(reward.world, cells.take(np.flatnonzero(np.isin(cells.product, kept))), reward.editor)


def _check_tokens(tuned: Sequence[CausalLM], before: CausalLM, request: CardRequest) -> None:
    """A KL needs one vocabulary."""
    wanted = before.tokenizer.get_vocab()
    for path, writer in zip(request.checkpoints, tuned, strict=True):
        if writer.tokenizer.get_vocab() != wanted:
            raise DataError(
                f"checkpoint {path}: must have the tokenizer of the writer it is compared with ({request.against}), and has "
                "another; compare it with the writer it was tuned from: --against FOLDER"
            )


@dataclass(frozen=True, kw_only=True)
class _Log:
    """What the run's metrics say of the tuning behind the checkpoints.

    Attributes:
        ratios: of each seed, mean probability ratio of its last quarter of updates.
        calls: reward calls per seed, reference samples included.
    """

    ratios: tuple[Floats, ...] = ()
    calls: float | None = None

    @classmethod
    def of(cls, folder: RunFolder[RunSettings], checkpoints: Sequence[Path]) -> _Log:
        """Read metrics.jsonl; empty where the checkpoints are not the run's own."""
        home = folder.output("tune").resolve()
        seeds = [path.resolve().parent.name.removeprefix("seed-") for path in checkpoints]
        if any(home not in path.resolve().parents for path in checkpoints):
            return cls()
        rows = [row for row in folder.metrics("tune") if "ratio" in row]
        ratios, calls = [], []
        for seed in seeds:
            own = [row for row in rows if str(row.get("seed")) == seed]
            if own:
                last = np.array([float(str(row["ratio"])) for row in own])
                ratios.append(last[-max(1, len(last) // 4) :])
                runs = {row.get("restart", 0) for row in own}
                most = max(int(str(row["episodes"])) for row in own)
                calls.append(len(runs) * (most + folder.settings.tune.reference_samples))
        return cls(ratios=tuple(ratios), calls=float(np.mean(calls)) if calls else None)


def relative_price(products: Sequence[Product]) -> Floats:
    """log(price / median price of the category), shape (n_products,)."""
    price = np.log([product.price for product in products])
    _, code = np.unique([product.category for product in products], return_inverse=True)
    median = np.array([np.median(price[code == k]) for k in range(int(code.max()) + 1)])
    return np.asarray(price - median[code])


def make_card(request: CardRequest, progress: Progress) -> Card:
    """Measure all twelve.

    Raises:
        DataError: see `prepare`.
    """
    prepared = prepare(request, progress)
    subject = prepared.subject
    progress.stage("measure", total=15)
    trails = _told(progress, lambda: walk(subject))
    drawn = _told(
        progress,
        lambda: draw_frontier(subject.before, subject.reward, subject.gold, trails.rows, subject.rng(3)),
    )
    read = _told(progress, lambda: read_drafts(subject))
    work: tuple[Callable[[], Measure], ...] = (
        lambda: value(subject),
        lambda: overoptimised(subject, trails),
        lambda: frontier(subject, trails, drawn),
        lambda: distance(subject),
        lambda: length(subject),
        lambda: variety(subject),
        lambda: personal(subject),
        lambda: facts(subject, read),
        lambda: policy(subject, read),
        lambda: safety(subject, read, injections()),
        lambda: fluency(subject),
        lambda: robust(subject, trails),
    )
    measures = tuple(_told(progress, one) for one in work)
    return Card(
        run=request.run.resolve().name,
        part=request.part,
        cells=len(subject.cells),
        products=len(np.unique(subject.cells.product)),
        against=request.against,
        checkpoints=prepared.checkpoints,
        readings=prepared.readings,
        semi_synthetic=prepared.semi_synthetic,
        measures=measures,
        copies=_copies(subject),
    )


def _told(progress: Progress, work: Callable[[], T]) -> T:
    found = work()
    progress.advance()
    return found


def quick(request: CardRequest, progress: Progress) -> Measure:
    """Measure 1 alone."""
    return value(prepare(request, progress).subject)


def _copies(subject: Subject) -> tuple[Shown, ...]:
    """Products evenly spaced, two segments each, copy of the first seed."""
    cells, products = subject.cells, np.unique(subject.cells.product)
    picked = products[np.linspace(0, len(products) - 1, min(SHOWN, len(products))).round().astype(np.int64)]
    rows = [int(row) for product in picked for row in np.flatnonzero(cells.product == product)[:2]]
    return tuple(
        Shown(
            product=cells.briefs[row].product.name,
            readers=", ".join(segment.interests) if (segment := cells.briefs[row].segment) else "",
            before=subject.theirs.shown[0][row],
            after=subject.ours.shown[0][row],
        )
        for row in rows
    )


def card_folder(request: CardRequest, out: Path | None) -> Path:
    """Folder that the card goes to: a new one in the run folder unless named.

    Raises:
        DataError: the folder exists and holds something.
    """
    names = sorted(str(path.resolve()) for path in request.checkpoints)
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    folder = request.run / "cards" / f"{request.part}-{digest}" if out is None else out
    if folder.exists():
        raise DataError(f"{folder} exists; pass another --out, or remove it")
    return folder


def shop_of_config(name: str, progress: Progress) -> Path:
    """Run folder with the shop of a config, `runs/NAME-SEED`; what is missing is made.

    Raises:
        DataError: an unusable config, or a folder of that name that was told something else.
    """
    settings = read_settings(name)
    path = Path("runs") / f"{settings.name}-{settings.seed}"
    folder = (RunFolder.resume if path.exists() else RunFolder.create)(path, settings)
    pipeline = Pipeline(settings, folder, progress)
    for stage in STAGES:
        folder.run_stage(stage, getattr(pipeline, stage))
    return path
