"""Measure 12: does the gain hold on other products, for unknown readers, for other fields; what does a text cost?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.card import Figure, Gate, Measure, gate
from copybandit.evaluation.card_figures import figure, plain
from copybandit.evaluation.card_subject import Subject, gains
from copybandit.evaluation.card_trail import Trails
from copybandit.evaluation.cells import CellReward, write_briefs
from copybandit.evaluation.intervals import Interval
from copybandit.generators.protocol import Generator
from copybandit.sim.types import Brief, Floats, Ints

KEPT = 0.5
"""Least share of the gain that must be left."""
TIMED = 40
"""Single requests that are timed."""
SHORT = 3
"""Words that a shortened fact keeps."""


def reordered(brief: Brief) -> Brief:
    """The same brief with facts and interests in the other order."""
    segment = brief.segment and replace(brief.segment, interests=brief.segment.interests[::-1])
    return replace(brief, product=replace(brief.product, facts=brief.product.facts[::-1]), segment=segment)


def shortened(brief: Brief) -> Brief:
    """The same brief with facts cut to their first words and the title to its name."""
    facts = tuple(" ".join(fact.split()[:SHORT]) for fact in brief.product.facts)
    return replace(brief, product=replace(brief.product, facts=facts, title=brief.product.name))


@dataclass(frozen=True, kw_only=True)
class Gained:
    """Gold gain of tuned copy over that of copy before tuning on some cells, in log-odds.

    Attributes:
        found: with its interval.
        values: shape (seeds, n).
    """

    found: Interval
    values: Floats


def gained(subject: Subject, reward: CellReward, asked: Callable[[Brief], Brief], stream: int) -> Gained:
    """Let all write the probed cells of a reward under changed briefs; the editor reads by the true ones."""
    rows = subject.probe(reward.cells)
    briefs = [asked(reward.cells.briefs[row]) for row in rows.tolist()]

    def of(writer: Generator, *key: int) -> Floats:
        texts = [row[0].text for row in writer.propose(briefs, 1, subject.rng(12, stream, *key))]
        return gains(reward, subject.gold, rows, texts)[1]

    values = np.stack([of(w, 1, k) - of(subject.before, 0, k) for k, w in enumerate(subject.tuned)])
    return Gained(found=subject.draws.mean(values, reward.cells.product[rows]), values=values)


def cold_start(subject: Subject) -> Interval:
    """Lift of clicks of copy for nobody in particular, among all readers of the split."""
    cells = subject.cells
    products, first = np.unique(cells.product, return_index=True)
    briefs = [Brief(product=cells.briefs[row].product) for row in first.tolist()]
    readers = np.concatenate(cells.shoppers)
    stand_in = [subject.references[product] for product in products.tolist()]

    def rates(writers: Sequence[Generator], method: int) -> Floats:
        rows = []
        for k, writer in enumerate(writers):
            written = write_briefs(
                writer, briefs, stand_in, subject.reward.editor, subject.rng(12, 9, method, k)
            )
            rows.append(subject.gold.mean_click(readers, subject.gold.encode(list(written.texts), products)))
        return np.stack(rows)

    ours, theirs = rates(subject.tuned, 1), rates([subject.before] * len(subject.tuned), 0)
    return subject.draws.lift(ours, theirs, products)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds of one text asked for alone, and tokens a second of many at once."""

    p50: float
    p95: float
    tokens_per_s: float


def cost_of(subject: Subject, clock: Callable[[], float]) -> Cost:
    """Time the first tuned writer."""
    writer, briefs = subject.tuned[0], subject.cells.briefs
    single = []
    for k in range(TIMED + 2):
        brief = briefs[k * len(briefs) // (TIMED + 2)]
        start = clock()
        writer.propose([brief], 1, subject.rng(12, 7, k))
        single.append(1000 * (clock() - start))
    rows = subject.probe()
    start = clock()
    found = writer.propose([briefs[row] for row in rows.tolist()], 1, subject.rng(12, 8))
    seconds = max(clock() - start, 1e-9)
    tokens = sum(len(ids) for ids in writer.response_ids([row[0].text for row in found]))
    p50, p95 = np.quantile(single[2:], (0.5, 0.95))
    return Cost(p50=float(p50), p95=float(p95), tokens_per_s=tokens / seconds)


def episodes_to_gain(subject: Subject, trails: Trails) -> tuple[float | None, int]:
    """Mean over seeds of the first saved step whose gold gain is surely above before tuning, in episodes; how many seeds."""
    product: Ints = subject.cells.product[trails.rows]
    reached = []
    for steps in trails.steps:
        for step in steps:
            if step.update is None or not subject.logs:
                continue
            if subject.draws.mean((step.gold - trails.start.gold)[None], product).ci_low > 0:
                reached.append(step.update * subject.logs[0].batch)
                break
    return (float(np.mean(reached)) if reached else None), len(reached)


def robust(subject: Subject, trails: Trails, clock: Callable[[], float] = time.perf_counter) -> Measure:
    """All of it."""
    gains = {
        "on products that tuning saw": gained(subject, subject.other, lambda brief: brief, 2),
        "on held-out products": gained(subject, subject.reward, lambda brief: brief, 1),
        "with fields in another order": gained(subject, subject.reward, reordered, 3),
        "with fields cut short": gained(subject, subject.reward, shortened, 4),
    }
    seen, held, other_order, shorter = gains.values()
    cold, by_seed = cold_start(subject), _by_seed(subject)
    return Measure(
        number=12,
        name="Robustness and cost",
        question="Does the gain hold on other products, for unknown readers, for other fields; what does a text cost?",
        figures=(
            *(figure(f"gain {name}", gain.found, unit="log-odds") for name, gain in gains.items()),
            figure("clicks for readers nobody knows (no segment)", cold, unit="lift"),
            plain("clicks won, sd over seeds", _sd(by_seed), unit="lift"),
            *_costs(subject, trails, clock),
        ),
        gates=(
            _kept("held-out products", held, seen),
            _kept("another order", other_order, held),
            _kept("short fields", shorter, held),
            gate("no segment: clicks not surely fewer (upper end)", cold.ci_high, low=0.0),
            gate("worst seed wins clicks", float(by_seed.min()), low=0.0),
        ),
        notes=("Gains are in the gold world, on a part of the cells, over the writer before tuning.",),
    )


def _costs(subject: Subject, trails: Trails, clock: Callable[[], float]) -> tuple[Figure, ...]:
    cost, (episodes, seeds) = cost_of(subject, clock), episodes_to_gain(subject, trails)
    reached = f"episodes until a sure gain ({seeds} of {len(subject.tuned)} seeds)"
    return (
        plain("one text alone, median", cost.p50, unit="ms"),
        plain("one text alone, 95th percentile", cost.p95, unit="ms"),
        plain("many texts at once", cost.tokens_per_s, unit="tokens/s"),
        plain(reached, episodes, unit="episodes"),
    )


def _kept(name: str, gain: Gained, whole: Gained) -> Gate:
    """Whether at least `KEPT` of a gain is left; unknown where there was none to lose."""
    left = gain.found.value / whole.found.value if whole.found.value > 0 else None
    unknown = "there was no gain to lose"
    return gate(f"{name}: at least half of the gain is left", left, low=KEPT, unknown=unknown)


def _by_seed(subject: Subject) -> Floats:
    """Lift of clicks of each seed, shape (seeds,)."""
    ours, theirs = (rates.mean(axis=1) for rates in subject.rates)
    return np.asarray(ours / theirs - 1)


def _sd(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
