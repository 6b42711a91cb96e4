"""Judge every writer once, on products and shoppers that nothing was tuned on, in the fitted and in the gold world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from copybandit.evaluation.cells import VETO, CellReward, Cells, write_cells
from copybandit.evaluation.headline import SUSPECT_LIFT
from copybandit.evaluation.intervals import Interval, lift_interval, mean_interval
from copybandit.generators.editor import check
from copybandit.generators.grammar import moves
from copybandit.generators.lm import CausalLM
from copybandit.generators.template import INTEREST_TEMPLATE, TemplateWriter
from copybandit.sim.types import Brief, Floats, Ints, Variant
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
    world: World,
    select: Cells,
    judge: Cells,
    references: Sequence[str],
    rng: np.random.Generator,
) -> Judgement:
    """Let every writer write the judge cells; what a baseline chooses by, it chooses in the fitted world."""
    style = best_style(world, select)
    texts: dict[str, tuple[tuple[str, ...], ...]] = {
        "template": (tuple(references[product] for product in judge.product),),
        "template+interest": (tuple(INTEREST_TEMPLATE.text(brief) for brief in judge.briefs),),
        "best constant style": (tuple(style.text(brief) for brief in judge.briefs),),
        "best non-personal": (non_personal(sft, world, judge, references, rng),),
        f"SFT best of {BEST_OF}": (best_of(sft, world, judge, references, rng),),
    }
    before = [write_cells(sft, judge, references, rng) for _ in tuned]
    after = [write_cells(writer, judge, references, rng) for writer in tuned]
    texts["sft"] = tuple(written.texts for written in before)
    texts["ppo"] = tuple(written.texts for written in after)
    refused = {
        "sft": float(np.mean([written.refused for written in before])),
        "ppo": float(np.mean([written.refused for written in after])),
    }
    kl = np.mean(
        [
            (writer.log_prob(judge.briefs, written.texts) - sft.log_prob(judge.briefs, written.texts)).mean()
            for writer, written in zip(tuned, after, strict=True)
        ]
    )
    return Judgement(texts=texts, refused=refused, kl=float(kl), style=style.move_ids[0])


def best_style(world: World, select: Cells) -> TemplateWriter:
    """The move that, used for everything, earns most on the select split; personal moves take part."""
    reward = CellReward(world, select)
    every = np.arange(len(select))
    writers = [TemplateWriter(move_ids=(move.move_id, "imp-meet", "only-name")) for move in moves()]
    scores = [
        reward(every, [writer.text(brief) for brief in select.briefs]).total.mean() for writer in writers
    ]
    return replace(writers[int(np.argmax(scores))], generator_id="best-style")


def non_personal(
    sft: CausalLM, world: World, judge: Cells, references: Sequence[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """For each product the best of many SFT texts by fitted wording, the same for every segment."""
    products, place = np.unique(judge.product, return_inverse=True)
    brief_of = {int(product): row for row, product in enumerate(judge.product)}
    briefs = [Brief(product=judge.briefs[brief_of[int(product)]].product) for product in products]

    def score(texts: list[str]) -> Floats:
        refused = [bool(check(brief, text)) for brief, text in zip(briefs, texts, strict=True)]
        return np.where(refused, VETO, world.encode(texts, products).wording.mean(axis=0))

    stand_in = [references[product] for product in products]
    chosen = _best(sft.propose(briefs, NON_PERSONAL_DRAWS, rng), score, stand_in)
    return tuple(chosen[row] for row in place)


def best_of(
    sft: CausalLM, world: World, judge: Cells, references: Sequence[str], rng: np.random.Generator
) -> tuple[str, ...]:
    """For each cell the best of a few SFT texts by the reward that PPO works for."""
    reward, every = CellReward(world, judge), np.arange(len(judge))
    stand_in = [references[product] for product in judge.product]
    return _best(sft.propose(judge.briefs, BEST_OF, rng), lambda texts: reward(every, texts).total, stand_in)


def _best(
    drawn: Sequence[Sequence[Variant]], score: Callable[[list[str]], Floats], stand_in: Sequence[str]
) -> tuple[str, ...]:
    """The highest score of each row of proposals; the stand-in where every one of them was refused."""
    columns = [[row[k].text for row in drawn] for k in range(len(drawn[0]))]
    scores = np.stack([score(texts) for texts in columns])
    best = scores.argmax(axis=0)
    return tuple(
        columns[k][row] if scores[k, row] > VETO else stand_in[row] for row, k in enumerate(best.tolist())
    )


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
