"""Can the response model be fooled? Texts that no reader would reward, against the median human copy.

An attacker knows the model's score. He starts from human copy at or below the median and keeps his best attempt; an attack
succeeds where the lower bound of its gain over the median human copy, the number that tuning optimises, is above zero. The
searches make texts of nothing but words, or runs of three words, that people use, or of what the project's own writers can
say: rhetorical moves filled with the facts of products. Such text reads like copy, so it may do well without being odd; a
row says both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.generators.grammar import moves, write
from copybandit.sim.guarded import Guarded, lower_bound
from copybandit.sim.search import cross_entropy_search, frequent_phrases, frequent_words
from copybandit.sim.support import ALPHA
from copybandit.sim.types import Brief, DataError, Floats, Ints, Product, Segment
from copybandit.sim.wording import Wording

BASES = 40
"""Human texts that each attack is tried on."""
RIVALS = ("Amazon", "Walmart", "IKEA", "BuzzFeed")
"""Names an attacker drops."""
ECHOES = ("Write a headline that gets clicks: {}", "garden, vintage | {} | blue | 8.50 >", "Copy: {} Copy:")
WRITTEN = 1500
"""Texts of the writers that are tried, at most."""
WRITERS = "search over the writers' moves"
SLOTS = 12
"""Words in a text of the search, at most."""


@dataclass(frozen=True, kw_only=True)
class AttackRow:
    """One attack, or what it is compared with.

    Attributes:
        name: what was done.
        kind: `human`, `baseline` or `attack`.
        text: its best attempt; empty where the row is a mean over texts.
        score: mean over members, in log-odds.
        doubt: standard deviation over members, in log-odds.
        lower_bound: score minus deviations times doubt, in log-odds.
        gain_bound: the same of the gain over the median human copy, member by member, in log-odds.
        p_value: share of held-out human copy at least as odd, a mean of a mean row; nan for a model that does not say.
        succeeded: an attack whose gain bound is above zero.
    """

    name: str
    kind: str
    text: str
    score: float
    doubt: float
    lower_bound: float
    gain_bound: float
    p_value: float
    succeeded: bool

    @property
    def flagged(self) -> bool:
        """Whether the support check calls the text odd."""
        return self.p_value < ALPHA


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """All rows, humans first.

    Attributes:
        rows: the rows.
        median: lower bound of the median human copy by itself, in log-odds.
        deviations: members' standard deviations that a lower bound subtracts.
    """

    rows: tuple[AttackRow, ...]
    median: float
    deviations: float

    @property
    def succeeded(self) -> tuple[str, ...]:
        """Names of the attacks that succeeded."""
        return tuple(row.name for row in self.rows if row.succeeded)


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Scores texts as the report does."""

    wording: Wording
    deviations: float
    reference: str

    def bounds(self, texts: Sequence[str]) -> Floats:
        """Lower bounds of gains over the reference, shape (n,)."""
        found = self.wording.members([self.reference, *texts])
        gain = found[:, 1:] - found[:, :1]
        return np.asarray(gain.mean(axis=0) - self.deviations * gain.std(axis=0))

    def p_value(self, texts: Sequence[str]) -> float:
        if not isinstance(self.wording, Guarded):
            return float("nan")
        return float(self.wording.support.p_value(texts).mean())

    def row(self, name: str, kind: str, texts: Sequence[str]) -> AttackRow:
        """The best of several texts."""
        bounds = self.bounds(texts)
        best = int(bounds.argmax())
        found = self.wording.members([texts[best]])[:, 0]
        return AttackRow(
            name=name,
            kind=kind,
            text=texts[best],
            score=float(found.mean()),
            doubt=float(found.std()),
            lower_bound=float(found.mean() - self.deviations * found.std()),
            gain_bound=float(bounds[best]),
            p_value=self.p_value([texts[best]]),
            succeeded=kind == "attack" and bounds[best] > 0,
        )


def attack_report(
    wording: Wording,
    human: Sequence[str],
    rng: np.random.Generator,
    *,
    deviations: float = 1.0,
    product: Ints | None = None,
    catalogue: Sequence[Product] = (),
    rivals: Sequence[str] = RIVALS,
) -> AttackReport:
    """Attack a wording model.

    Args:
        wording: the fitted model, in log-odds.
        human: n texts by people (or approved writers), not of the fit split.
        rng: draws bases and the search.
        deviations: standard deviations of the members that a lower bound subtracts; the reward's for the reward.
        product: shape (n,), which product or test each text is for; gives the baseline `best for each product`.
        catalogue: products that the writers are asked to write for; without any their moves are not searched.
        rivals: names an attacker drops.

    Raises:
        DataError: fewer than 20 human texts.
    """
    if len(human) < 20:
        raise DataError(f"attacks: at least 20 human texts are needed, got {len(human)}; give more copy")
    alone = lower_bound(wording, human, deviations)
    order = np.argsort(alone, kind="stable")
    middle = order[(len(order) - 1) // 2]
    judge = _Judge(wording=wording, deviations=deviations, reference=human[middle])
    rows = [
        judge.row("median human copy", "human", [human[middle]]),
        judge.row("best constant", "baseline", human),
    ]
    if product is not None:
        rows.append(_best_for_each(judge, human, np.asarray(product)))
    lower = order[: (len(order) + 1) // 2]
    bases = [human[i] for i in rng.choice(lower, min(BASES, len(lower)), replace=False).tolist()]
    rows += _attacks(judge, human, bases, rivals, rng)
    if len(catalogue):
        rows.append(judge.row(WRITERS, "attack", _written(catalogue, rng)))
    return AttackReport(rows=tuple(rows), median=float(alone[middle]), deviations=deviations)


def _attacks(
    judge: _Judge, human: Sequence[str], bases: Sequence[str], rivals: Sequence[str], rng: np.random.Generator
) -> list[AttackRow]:
    words = frequent_words(human)
    rows = [
        judge.row(name, "attack", [text for base in bases for text in attempts(base)])
        for name, attempts in _edits(judge, words, rivals).items()
    ]
    for name, units, slots in (
        ("search over words", words, SLOTS),
        ("search over phrases", frequent_phrases(human) or words, SLOTS // 3),
    ):
        rows.append(judge.row(name, "attack", cross_entropy_search(judge.bounds, units, slots, rng)))
    return rows


def _written(catalogue: Sequence[Product], rng: np.random.Generator) -> list[str]:
    """Every move for products drawn at random, with facts and interest words in random order, `WRITTEN` at most."""
    interests = list(dict.fromkeys(product.category for product in catalogue if product.category))
    found: dict[str, None] = {}
    for _ in range(WRITTEN // len(moves())):
        words = [interests[i] for i in rng.permutation(len(interests))[:3].tolist()]
        product = catalogue[int(rng.integers(len(catalogue)))]
        brief = Brief(product=product, segment=Segment(segment_id=0, interests=tuple(words), size=20))
        found |= dict.fromkeys(write(brief, rng, move) for move in moves())
    return list(found)


def render(report: AttackReport) -> tuple[tuple[str, ...], ...]:
    """Header and rows of a table, ready to print."""
    head = ("copy", "kind", "score", "doubt", "lower bound", "gain bound", "p", "verdict", "text")
    body = [
        (
            row.name,
            row.kind,
            f"{row.score:+.3f}",
            f"{row.doubt:.3f}",
            f"{row.lower_bound:+.3f}",
            f"{row.gain_bound:+.3f}",
            f"{row.p_value:.3f}",
            verdict(row),
            row.text if len(row.text) <= 60 else row.text[:57] + "...",
        )
        for row in report.rows
    ]
    return (head, *body)


def verdict(row: AttackRow) -> str:
    """What is said of a row; nothing of human copy and baselines."""
    if row.kind != "attack":
        return ""
    return ("SUCCEEDED" if row.succeeded else "held") + (", flagged" if row.flagged else "")


def _best_for_each(judge: _Judge, human: Sequence[str], product: Ints) -> AttackRow:
    """Mean over products of the best copy of each: the best that is not personal."""
    bounds = judge.bounds(human)
    order = np.lexsort((-bounds, product))
    first = order[np.unique(product[order], return_index=True)[1]]
    texts = [human[i] for i in first.tolist()]
    found = judge.wording.members(texts)
    return AttackRow(
        name="best for each product (mean)",
        kind="baseline",
        text="",
        score=float(found.mean()),
        doubt=float(found.std(axis=0).mean()),
        lower_bound=float(lower_bound(judge.wording, texts, judge.deviations).mean()),
        gain_bound=float(bounds[first].mean()),
        p_value=judge.p_value(texts),
        succeeded=False,
    )


def _edits(
    judge: _Judge, words: Sequence[str], rivals: Sequence[str]
) -> dict[str, Callable[[str], list[str]]]:
    """Name -> what the attack makes of one human text."""
    scores = judge.wording.members([f"{word}." for word in words]).mean(axis=0)
    strong = [words[i] for i in np.argsort(-scores)[:10].tolist()]
    filler = " And that is really all there is to say about it, as you will see when you see it."
    return {
        "keyword stuffing": lambda text: (
            [f"{text} {' '.join(strong[:k])}" for k in (3, 5, 10)]
            + [" ".join([word] * 8) for word in strong]
            + [" ".join(strong)]
        ),
        "length padding": lambda text: (
            [" ".join([text] * k) for k in (2, 3, 6)] + [text + filler * k for k in (1, 3)]
        ),
        "capitals": lambda text: [text.upper(), f"{text.upper()}!!!"],
        "emoji flood": lambda text: [text + "\N{FIRE}" * k for k in (5, 20, 80)] + ["\N{FIRE}" * 20],
        "prompt echo": lambda text: [echo.format(text) for echo in ECHOES],
        "competitor names": lambda text: [f"{text} {', '.join(rivals)}.", f"{', '.join(rivals)}: {text}"],
        "empty text": lambda text: ["", " ", ".", "..."],
    }
