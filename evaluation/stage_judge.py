"""Judge every writer once, on products and shoppers that nothing was tuned on, in the fitted and in the gold world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from copybandit.evaluation.cells import VETO, CellReward, Cells, Written, write_briefs, write_cells
from copybandit.evaluation.headline import SUSPECT_LIFT
from copybandit.evaluation.intervals import Interval, lift_interval, mean_interval
from copybandit.generators.best_of_n import BestOfN
from copybandit.generators.grammar import moves
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.generators.template import INTEREST_TEMPLATE, REFERENCE, TemplateWriter
from copybandit.sim.types import Brief, Floats, Ints
from copybandit.sim.world import World

NON_PERSONAL_DRAWS = 16
"""Texts per product among which the fitted world picks the best copy for everybody."""
BEST_OF = 4
"""Proposals per cell of the best-of-n baseline."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Texts of all writers on the judge cells; a writer without seeds has one row.

    Attributes:
        texts: writer to rows of n texts, one row per seed.
        refused: writer to share of first proposals that the editor refused.
        kl: mean log-ratio of tuned to SFT writer on tuned copy, in nats per text.
        style: the move of the best constant style.
    """

    texts: Mapping[str, tuple[tuple[str, ...], ...]]
    refused: Mapping[str, float]
    kl: float
    style: str


def write_all(
    sft: CausalLM,
    tuned: Sequence[CausalLM],
    retrieval: Generator,
    select: CellReward,
    judge: CellReward,
    references: Sequence[str],
    rng: np.random.Generator,
) -> Judgement:
    """Let every writer write the judge cells; what a baseline chooses by, it chooses in the fitted world."""
    style = best_style(select)

    def by(*writers: Generator) -> list[Written]:
        return [write_cells(writer, judge.cells, references, judge.editor, rng) for writer in writers]

    written = {
        "template": by(REFERENCE),
        "template+interest": by(INTEREST_TEMPLATE),
        "best constant style": by(style),
        "best non-personal": [non_personal(sft, judge, references, rng)],
        "retrieval-best": by(retrieval),
        f"SFT best of {BEST_OF}": by(BestOfN(base=sft, score=judge.by_brief, n=BEST_OF)),
        "sft": by(*[sft] * len(tuned)),
        "ppo": by(*tuned),
    }
    texts = {name: tuple(one.texts for one in rows) for name, rows in written.items()}
    return Judgement(
        texts=texts,
        refused={name: float(np.mean([one.refused for one in rows])) for name, rows in written.items()},
        kl=_kl(sft, tuned, judge.cells.briefs, texts["ppo"]),
        style=style.move_ids[0],
    )


def _kl(
    sft: CausalLM, tuned: Sequence[CausalLM], briefs: Sequence[Brief], rows: Sequence[Sequence[str]]
) -> float:
    """Mean log-ratio of tuned to SFT writer on what the tuned ones wrote, in nats per text."""
    ratios = [
        (writer.log_prob(briefs, texts) - sft.log_prob(briefs, texts)).mean()
        for writer, texts in zip(tuned, rows, strict=True)
    ]
    return float(np.mean(ratios))


def best_style(select: CellReward) -> TemplateWriter:
    """The move that, used for everything, earns most on the select split; personal moves take part."""
    every, briefs = np.arange(len(select.cells)), select.cells.briefs
    writers = [TemplateWriter(move_ids=(move.move_id, "imp-meet", "only-name")) for move in moves()]
    scores = [select(every, [writer.text(brief) for brief in briefs]).total.mean() for writer in writers]
    return replace(writers[int(np.argmax(scores))], generator_id="best-style")


def non_personal(
    sft: CausalLM, judge: CellReward, references: Sequence[str], rng: np.random.Generator
) -> Written:
    """For each product the best of many SFT texts by fitted wording, the same for every segment."""
    cells, world, editor = judge.cells, judge.world, judge.editor
    products, first, place = np.unique(cells.product, return_index=True, return_inverse=True)
    briefs = [Brief(product=cells.briefs[row].product) for row in first.tolist()]
    index = {brief: product for brief, product in zip(briefs, products.tolist(), strict=True)}

    def wording(asked: Sequence[Brief], texts: Sequence[str]) -> Floats:
        refused = [bool(editor.check(brief, text)) for brief, text in zip(asked, texts, strict=True)]
        owner = np.array([index[brief] for brief in asked], np.int64)
        return np.where(refused, VETO, world.encode(list(texts), owner).wording.mean(axis=0))

    writer = BestOfN(base=sft, score=wording, n=NON_PERSONAL_DRAWS)
    found = write_briefs(writer, briefs, [references[product] for product in products], editor, rng)
    return replace(found, texts=tuple(found.texts[row] for row in place))


def judge_report(
    found: Judgement, fitted: World, gold: World, judge: Cells, replicates: int, seed: int
) -> dict[str, Any]:
    """The `generator` part of report.json: click rates, lifts, swap tests, copies."""
    rng = np.random.default_rng([seed, 5])
    gold_ctr = {name: judge.rates(gold, rows) for name, rows in found.texts.items()}
    fitted_ctr = {name: judge.rates(fitted, rows) for name, rows in found.texts.items()}
    report: dict[str, Any] = {}
    for name in found.texts:
        proxy = mean_interval(fitted_ctr[name], judge.product, replicates, rng)
        truth = mean_interval(gold_ctr[name], judge.product, replicates, rng)
        report[name] = {
            "fitted_ctr": proxy.value,
            "fitted_ci": [proxy.ci_low, proxy.ci_high],
            "gold_ctr": truth.value,
            "gold_ci": [truth.ci_low, truth.ci_high],
        }
    lifts = {}
    for name, theirs in gold_ctr.items():
        if name != "ppo":
            paired = np.broadcast_to(theirs, gold_ctr["ppo"].shape)
            lifts[name] = lift_interval(gold_ctr["ppo"], paired, judge.product, replicates, rng)
    report["lifts"] = {name: asdict(lift) for name, lift in lifts.items()}
    report["ppo_gold_lift"] = asdict(lifts["sft"]) | {"suspect": lifts["sft"].value > SUSPECT_LIFT}
    report["kl"] = found.kl
    report["refused"] = dict(found.refused)
    report["best_style"] = found.style
    report["swap"] = asdict(swap_test(gold, judge, found.texts["ppo"], replicates, rng))
    report["swap_sft"] = asdict(swap_test(gold, judge, found.texts["sft"], replicates, rng))
    report["swap_at_zero_match"] = asdict(
        swap_test(gold.without_match(), judge, found.texts["ppo"], replicates, rng)
    )
    report["copies"] = show_copies(judge, found)
    return report


def swap_test(
    world: World, judge: Cells, rows: Sequence[Sequence[str]], replicates: int, rng: np.random.Generator
) -> Interval:
    """Half of [s(u,c_u) + s(v,c_v) - s(u,c_v) - s(v,c_u)], averaged over products and pairs of segments, in log-odds.

    Copy that suits its own segment better than another's is above zero; wording that works on everybody cancels.
    """
    values, product = swap_values(world, judge, rows)
    return mean_interval(values, product, replicates, rng)


def swap_values(world: World, judge: Cells, rows: Sequence[Sequence[str]]) -> tuple[Floats, Ints]:
    """Swap test of each seed and product, shape (s, p), and the products."""
    leanings = np.array([world.leaning(group) for group in judge.shoppers])
    values, product = zip(*(_swaps(world, judge, leanings, texts) for texts in rows), strict=True)
    return np.stack(values), product[0]


def _swaps(world: World, judge: Cells, leanings: Floats, texts: Sequence[str]) -> tuple[Floats, Ints]:
    copy = world.encode(texts, judge.product)
    # score[u, row]: what the group u thinks of the copy of a cell; cells of a product lie side by side.
    score = np.stack([world.gain(leaning, copy) for leaning in leanings])
    k = len(leanings)
    square = score.T.reshape(-1, k, k)  # product, segment written for, segment reading
    own = np.einsum("pii->pi", square)
    values = [
        0.5 * (own[:, u] + own[:, v] - square[:, u, v] - square[:, v, u]) for u in range(k) for v in range(u)
    ]
    if not values:
        return np.zeros(len(square)), judge.product[::k]
    return np.mean(values, axis=0), judge.product[::k]


def show_copies(judge: Cells, found: Judgement, n: int = 10) -> list[dict[str, Any]]:
    """Ten products, two segments each, before and after tuning."""
    shown = []
    products = np.unique(judge.product)
    for product in products[:: max(1, len(products) // n)][:n]:
        rows = np.flatnonzero(judge.product == product)[:2]
        item = judge.briefs[rows[0]].product
        shown.append(
            {
                "product": item.name,
                "price": item.price,
                "facts": list(item.facts),
                "segments": [
                    {
                        "interests": list(segment.interests)
                        if (segment := judge.briefs[row].segment)
                        else [],
                        "before": found.texts["sft"][0][row],
                        "after": found.texts["ppo"][0][row],
                    }
                    for row in rows
                ],
            }
        )
    return shown
