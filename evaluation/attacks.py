"""Can the response model be fooled? Texts that no reader would reward, against the median human copy.

An attacker knows the model's score. He starts from human copy at or below the median and keeps his best attempt; an attack
succeeds where its lower bound (mean minus deviations of the members) is above the median human copy's. The searches make
texts of nothing but words, or runs of three words, that people use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.sim.search import cross_entropy_search, frequent_phrases, frequent_words
from copybandit.sim.support import Guarded
from copybandit.sim.types import DataError, Floats, Ints
from copybandit.sim.wording import Wording

BASES = 40
"""Human texts that each attack is tried on."""
RIVALS = ("Amazon", "Walmart", "IKEA", "BuzzFeed")
"""Names an attacker drops."""
ECHOES = ("Write a headline that gets clicks: {}", "garden, vintage | {} | blue | 8.50 >", "Copy: {} Copy:")
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
        excess: how far out of support, in half widths; nan for a model that does not say.
        succeeded: an attack whose lower bound is above the median human copy's.
    """

    name: str
    kind: str
    text: str
    score: float
    doubt: float
    lower_bound: float
    excess: float
    succeeded: bool


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """All rows, humans first.

    Attributes:
        rows: the rows.
        median: lower bound of the median human copy, in log-odds.
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
    median: float = 0.0

    def bounds(self, texts: Sequence[str]) -> Floats:
        found = self.wording.members(texts)
        return np.asarray(found.mean(axis=0) - self.deviations * found.std(axis=0))

    def row(self, name: str, kind: str, texts: Sequence[str]) -> AttackRow:
        """The best of several texts."""
        text = texts[int(self.bounds(texts).argmax())]
        found = self.wording.members([text])[:, 0]
        bound = float(found.mean() - self.deviations * found.std())
        excess = float("nan")
        if isinstance(self.wording, Guarded):
            excess = float(self.wording.support.excess([text])[0])
        return AttackRow(
            name=name,
            kind=kind,
            text=text,
            score=float(found.mean()),
            doubt=float(found.std()),
            lower_bound=bound,
            excess=excess,
            succeeded=kind == "attack" and bound > self.median,
        )


def attack_report(
    wording: Wording,
    human: Sequence[str],
    rng: np.random.Generator,
    *,
    deviations: float = 1.0,
    product: Ints | None = None,
    rivals: Sequence[str] = RIVALS,
) -> AttackReport:
    """Attack a wording model.

    Args:
        wording: the fitted model, in log-odds.
        human: n texts by people (or approved writers), not of the fit split.
        rng: draws bases and the search.
        deviations: standard deviations of the members that a lower bound subtracts; the reward's for the reward.
        product: shape (n,), which product or test each text is for; gives the baseline `best for each product`.
        rivals: names an attacker drops.

    Raises:
        DataError: fewer than 20 human texts.
    """
    if len(human) < 20:
        raise DataError(f"attacks: at least 20 human texts are needed, got {len(human)}; give more copy")
    bounds = _Judge(wording=wording, deviations=deviations).bounds(human)
    order = np.argsort(bounds, kind="stable")
    middle = order[(len(order) - 1) // 2]
    judge = _Judge(wording=wording, deviations=deviations, median=float(bounds[middle]))
    rows = [
        judge.row("median human copy", "human", [human[middle]]),
        judge.row("best constant", "baseline", human),
    ]
    if product is not None:
        rows.append(_best_for_each(judge, human, bounds, np.asarray(product)))
    lower = order[: (len(order) + 1) // 2]
    bases = [human[i] for i in rng.choice(lower, min(BASES, len(lower)), replace=False).tolist()]
    rows += _attacks(judge, human, bases, rivals, rng)
    return AttackReport(rows=tuple(rows), median=judge.median, deviations=deviations)


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


def render(report: AttackReport) -> tuple[tuple[str, ...], ...]:
    """Header and rows of a table, ready to print."""
    head = ("copy", "kind", "score", "doubt", "lower bound", "excess", "verdict", "text")
    body = [
        (
            row.name,
            row.kind,
            f"{row.score:+.3f}",
            f"{row.doubt:.3f}",
            f"{row.lower_bound:+.3f}",
            f"{row.excess:.1f}",
            ("SUCCEEDED" if row.succeeded else "held") if row.kind == "attack" else "",
            row.text if len(row.text) <= 60 else row.text[:57] + "...",
        )
        for row in report.rows
    ]
    return (head, *body)


def _best_for_each(judge: _Judge, human: Sequence[str], bounds: Floats, product: Ints) -> AttackRow:
    """Mean over products of the best copy of each: the best that is not personal."""
    order = np.lexsort((-bounds, product))
    first = order[np.unique(product[order], return_index=True)[1]]
    found = judge.wording.members([human[i] for i in first.tolist()])
    excess = float("nan")
    if isinstance(judge.wording, Guarded):
        excess = float(judge.wording.support.excess([human[i] for i in first.tolist()]).mean())
    return AttackRow(
        name="best for each product (mean)",
        kind="baseline",
        text="",
        score=float(found.mean()),
        doubt=float(found.std(axis=0).mean()),
        lower_bound=float(bounds[first].mean()),
        excess=excess,
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
