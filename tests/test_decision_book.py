"""The book of open decisions: whatever comes in late, twice, out of order or never, the learner is told the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.batch_rows import take
from copybandit.agents.book_rows import Released
from copybandit.agents.decision_book import DecisionBook
from copybandit.agents.policies import LinUCB
from copybandit.agents.reward_events import COUNTED, LATE, REPEATED, RewardEvents
from copybandit.agents.reward_formula import CLICKS, SHOP, RewardFormula, RewardTerm
from copybandit.sim.types import DataError, Floats, Ints
from tests.test_policies import M, Q, make_batch

HORIZON = 2.0
FORMULA = RewardFormula(
    terms=(
        RewardTerm(kind="click", weight=1.0, within_days=1.0),
        RewardTerm(kind="conversion", weight=5.0),
        RewardTerm(kind="spent", weight=0.1, most=200.0, repeats=True),
        RewardTerm(kind="return", weight=-3.0),
    ),
    default=-0.01,
)


@dataclass(frozen=True, kw_only=True)
class Happened:
    """An event as a row."""

    decision: int
    event: str
    kind: str
    value: float
    delay: float


def events_of(rows: list[Happened], time: Floats) -> RewardEvents:
    return RewardEvents(
        decision=[f"d{row.decision}" for row in rows],
        event=[row.event for row in rows],
        kind=[row.kind for row in rows],
        value=np.array([row.value for row in rows], dtype=float),
        time=np.array([time[row.decision] + row.delay for row in rows], dtype=float),
    )


def by_hand(rows: list[Happened], formula: RewardFormula) -> float:
    """Reward of one decision whose events have all come in."""
    terms = {term.kind: term for term in formula.terms}
    once: dict[str, Happened] = {}
    for row in rows:
        if row.delay <= min(terms[row.kind].within_days, HORIZON):
            once.setdefault(row.event, row)
    ordered = sorted(once.values(), key=lambda row: (row.delay, row.event))
    if not ordered:
        return formula.default
    if formula.aggregation == "first":
        ordered = ordered[:1]
    seen: set[str] = set()
    total = 0.0
    for row in ordered:
        if terms[row.kind].repeats or row.kind not in seen:
            total += terms[row.kind].weight * row.value
        seen.add(row.kind)
    return total


def is_same(one: list[Released], other: list[Released]) -> bool:
    """To the last bit."""
    return len(one) == len(other) and all(
        a.decision == b.decision
        and all(
            np.array_equal(getattr(a.batch, name), getattr(b.batch, name))
            for name in ("context", "candidates", "state", "time")
        )
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("column", "reward", "weight"))
        for a, b in zip(one, other, strict=True)
    )


happenings = st.lists(
    st.builds(
        Happened,
        decision=st.integers(0, 11),
        event=st.sampled_from(["a", "b", "c", "d"]),
        kind=st.sampled_from(["click", "conversion", "spent", "return"]),
        value=st.sampled_from([0.25, 0.5, 1.0]),
        delay=st.sampled_from([0.0, 0.3, 0.9, 1.5, 2.0, 2.5]),
    ),
    max_size=40,
    unique_by=lambda row: (row.decision, row.event),
)


@settings(max_examples=60, deadline=None)
@given(rows=happenings, aggregation=st.sampled_from(["sum", "first"]), seed=st.integers(0, 2**32 - 1))
def test_the_order_in_which_things_come_in_does_not_matter(
    rows: list[Happened], aggregation: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    formula = RewardFormula(
        terms=FORMULA.terms, default=-0.01, aggregation="first" if aggregation == "first" else "sum"
    )
    batch = make_batch(rng, n=12)
    batch = replace(batch, time=rng.uniform(0, 1, 12))
    column, ids = batch.present.argmax(axis=1), np.array([f"d{i}" for i in range(12)])

    def play(order: Ints, told: list[Happened], pieces: int) -> list[Released]:
        book = DecisionBook(formula, horizon_days=HORIZON)
        for part in np.array_split(order, pieces):
            book.open(ids[part].tolist(), take(batch, part), column[part])
        for some in np.array_split(np.arange(len(told)), pieces):
            mine = [told[i] for i in some]
            book.tell(events_of(mine, batch.time))
            again = book.tell(events_of(mine, batch.time))
            assert not (again.status == COUNTED).any()
        done = book.release(9.0, size=5)
        assert len(book) == 0
        return done + book.release(9.0)

    plain = play(np.arange(12), rows, 1)
    mixed = play(rng.permutation(12), [rows[i] for i in rng.permutation(len(rows))], 4)
    assert is_same(plain, mixed)
    assert [len(one.decision) for one in plain] == [5, 5, 2]
    order = [int(name[1:]) for one in plain for name in one.decision]
    assert order == sorted(range(12), key=lambda i: (batch.time[i], f"d{i}"))
    reward = np.concatenate([one.reward for one in plain])
    for place, number in enumerate(order):
        expected = by_hand([row for row in rows if row.decision == number], formula)
        assert reward[place] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal(
        np.concatenate([one.column for one in plain]), column[np.array(order, dtype=np.int64)]
    )


def opened(n: int = 4, shown: bool = True) -> tuple[DecisionBook, list[str]]:
    book, batch = DecisionBook(SHOP, horizon_days=HORIZON), make_batch(np.random.default_rng(0), n=n)
    names = [f"d{i}" for i in range(n)]
    batch = replace(batch, time=np.zeros(n))
    assert book.open(names, batch, batch.present.argmax(axis=1), shown=shown).all()
    return book, names


def one(
    decision: str, kind: str = "click", value: float = 1.0, time: float = 0.5, event: str = "e"
) -> RewardEvents:
    return RewardEvents(
        decision=[decision], event=[event], kind=[kind], value=np.array([value]), time=np.array([time])
    )


def test_late_repeated_and_missing() -> None:
    book, _ = opened()
    assert book.tell(one("d0")).status.tolist() == [COUNTED]
    assert book.tell(one("d0")).status.tolist() == [REPEATED]
    assert book.tell(one("d0", "conversion", event="f")).counts == (1, 0, 0)
    assert book.tell(one("d1", time=HORIZON + 0.1)).status.tolist() == [LATE]
    assert book.release(1.9) == []
    (rows,) = book.release(2.0)
    assert dict(zip(rows.decision, rows.reward.tolist(), strict=True)) == {"d0": 6, "d1": 0, "d2": 0, "d3": 0}
    assert book.tell(one("d2")).status.tolist() == [LATE] and book.release(99.0) == []


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        (one("x"), "row 0: decision must be one of the book's, got 'x'"),
        (one("d1", "view"), "row 0: kind must be one of click, conversion, return, got view"),
        (one("d1", value=1.5), r"row 0: value must be in \[0, 1\] for click, got 1.5"),
        (one("d1", value=-1.0), "row 0: value must be"),
        (one("d1", value=np.nan), "row 0: value must be"),
        (one("d1", time=np.inf), "row 0: time must be finite"),
        (one("d1", time=-0.5), "row 0: time must not be before"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(events: RewardEvents, rule: str) -> None:
    book, _ = opened()
    book.tell(one("d0"))
    with pytest.raises(DataError, match=rule) as caught:
        book.tell(events)
    assert "\n" not in str(caught.value)
    mixed = RewardEvents(
        decision=["d3", *events.decision],
        event=["e", *events.event],
        kind=["click", *events.kind],
        value=np.r_[1.0, events.value],
        time=np.r_[0.5, events.time],
    )
    with pytest.raises(DataError, match=rule.replace("row 0", "row 1")):
        book.tell(mixed)
    (rows,) = book.release(5.0)
    assert rows.reward.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_what_was_never_shown_teaches_nothing() -> None:
    book, names = opened(shown=False)
    book.tell(one("d0"))
    book.tell(one("d1"))
    told = book.activate(["d0", "d2", "d3", "d0"], np.array([True, True, False, True]))
    assert told.status.tolist() == [COUNTED, COUNTED, COUNTED, REPEATED]
    assert book.activate(["d3"], np.array([True])).status.tolist() == [REPEATED]
    with pytest.raises(DataError, match="activation row 1: decision must be"):
        book.activate(["d1", "nobody"], np.array([True, True]))
    (rows,) = book.release(3.0)
    assert rows.decision == ("d0", "d2") and rows.reward.tolist() == [1.0, 0.0]
    assert book.censored == 2 and len(book) == 0
    assert book.activate([names[1]], np.array([True])).status.tolist() == [LATE]


def test_a_decision_is_opened_once() -> None:
    book, _ = opened()
    batch = make_batch(np.random.default_rng(1), n=3)
    new = book.open(["d1", "n", "n"], batch, batch.present.argmax(axis=1))
    assert new.tolist() == [False, True, False] and len(book) == 5


def test_what_does_not_fit_is_not_opened() -> None:
    book, _ = opened()
    batch = make_batch(np.random.default_rng(1), n=3)
    column = batch.present.argmax(axis=1)
    for decision, rows, shown, rule in (
        (["a"], batch, column, "equally long"),
        (["a", "b", "c"], batch, column + 9, "present candidate"),
        (
            ["a", "b", "c"],
            replace(batch, context=batch.context[:, :1]),
            column,
            "context columns",
        ),
    ):
        with pytest.raises(DataError, match=rule):
            book.open(decision, rows, shown)
    assert len(book) == 4


@pytest.mark.parametrize("setting", [0.0, -1.0, np.inf, np.nan])
def test_a_horizon_is_a_time(setting: float) -> None:
    with pytest.raises(DataError, match="horizon_days"):
        DecisionBook(CLICKS, horizon_days=setting)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RewardTerm(kind="", weight=1.0),
        lambda: RewardTerm(kind="a", weight=np.nan),
        lambda: RewardTerm(kind="a", weight=1.0, most=0.0),
        lambda: RewardFormula(terms=()),
        lambda: RewardFormula(terms=SHOP.terms + SHOP.terms),
        lambda: RewardFormula(terms=SHOP.terms, default=np.inf),
    ],
)
def test_formulas_that_cannot_be_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(DataError, match="reward"):
        make()


def test_candidate_sets_of_different_width_share_a_book() -> None:
    rng, book = np.random.default_rng(2), DecisionBook(CLICKS, horizon_days=1.0)
    batches = [make_batch(rng, n=3, k=k) for k in (2, 5, 3)]
    for number, batch in enumerate(batches):
        book.open([f"{number}-{i}" for i in range(3)], batch, batch.present.argmax(axis=1))
    (rows,) = book.release(10.0)
    for name, row in zip(rows.decision, rows.batch.candidates, strict=True):
        number, place = (int(part) for part in name.split("-"))
        mine = batches[number].candidates[place]
        assert row[: len(mine)].tolist() == mine.tolist() and (row[len(mine) :] == -1).all()


def test_a_long_life_keeps_the_book_small_and_right() -> None:
    rng, book = np.random.default_rng(3), DecisionBook(CLICKS, horizon_days=1.0)
    clicked: set[str] = set()
    released: dict[str, float] = {}
    for day in range(60):
        batch = make_batch(rng, n=200)
        batch = replace(batch, time=day + rng.random(200))
        names = [f"{day}-{i}" for i in range(200)]
        book.open(names, batch, batch.present.argmax(axis=1))
        mine = [name for name, click in zip(names, rng.random(200) < 0.2, strict=True) if click]
        clicked |= set(mine)
        times = dict(zip(names, batch.time.tolist(), strict=True))
        book.tell(
            RewardEvents(
                decision=mine,
                event=mine,
                kind=["click"] * len(mine),
                value=np.ones(len(mine)),
                time=np.array([times[name] + 0.5 for name in mine]),
            )
        )
        for rows in book.release(day + 1.0, size=64):
            released |= dict(zip(rows.decision, rows.reward.tolist(), strict=True))
    for rows in book.release(99.0):
        released |= dict(zip(rows.decision, rows.reward.tolist(), strict=True))
    assert len(released) == 12_000
    assert {name for name, reward in released.items() if reward == 1.0} == clicked
    assert len(book._rows._names) < 4_000 and not book._seen


def test_a_learner_told_by_the_book_is_the_learner_told_at_once() -> None:
    rng = np.random.default_rng(4)
    batch = make_batch(rng, n=300)
    batch = replace(batch, time=np.sort(rng.random(300)))
    column = batch.present.argmax(axis=1)
    click = rng.random(300) < 0.3
    direct, told = (LinUCB(n_actions=M, n_features=Q) for _ in range(2))
    direct.update(batch, column, click.astype(float), np.ones(300))
    book, names = DecisionBook(CLICKS, horizon_days=1.0), [f"{i:03d}" for i in range(300)]
    book.open(names, batch, column)
    mine = np.flatnonzero(click)
    book.tell(
        RewardEvents(
            decision=[names[i] for i in mine],
            event=["click"] * len(mine),
            kind=["click"] * len(mine),
            value=np.ones(len(mine)),
            time=batch.time[mine] + rng.random(len(mine)),
        )
    )
    for rows in [*book.release(1.5, size=32), *book.release(3.0)]:
        told.update(rows.batch, rows.column, rows.reward, rows.weight)
    np.testing.assert_allclose(told.theta, direct.theta, rtol=1e-9)
