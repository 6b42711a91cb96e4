"""A saved decision book: a restart loses no pending decision, and what comes after it is the same to the last bit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from copybandit.agents.batch_rows import take
from copybandit.agents.book_files import load_book, save_book
from copybandit.agents.checkpoint_manifest import MANIFEST
from copybandit.agents.decision_book import DecisionBook
from copybandit.agents.policies import Uniform
from copybandit.agents.policy_files import load_policy, save_policy
from copybandit.agents.reward_events import RewardEvents
from copybandit.agents.reward_formula import RewardFormula, RewardTerm
from copybandit.sim.types import DataError
from tests.policy_entries import ACTIONS, make_batch
from tests.test_decision_book import FORMULA, HORIZON, is_same

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def day(
    book: DecisionBook, rng: np.random.Generator, step: int, width: int, known: dict[str, float]
) -> list[object]:
    """A day of a shop: decisions, some not shown yet, and events of these and of the day before, some told before.

    ``known`` holds the times of the decisions of the day before, and afterwards of this day; what the book answers is
    returned.
    """
    n = int(rng.integers(0, 9))
    batch = make_batch(rng, n, width)
    batch = replace(batch, time=step + batch.time / 3)
    names = [f"d{step}-{place}-\u00e9\ud800" for place in range(n)]
    column = batch.present.argmax(axis=1)
    told: list[object] = [book.open(names, batch, column, shown=bool(rng.random() < 0.7)).tolist()]
    told.append(book.activate(names[:3], rng.random(len(names[:3])) < 0.5).status.tolist())
    time = known | dict(zip(names, batch.time.tolist(), strict=True))
    if time:
        of = [list(time)[place] for place in rng.integers(len(time), size=12)]
        events = RewardEvents(
            decision=of,
            event=[f"e{rng.integers(3)}" for _ in of],
            kind=[FORMULA.kinds[rng.integers(4)] for _ in of],
            value=rng.random(12),
            time=np.array([time[one] for one in of]) + rng.random(12),
        )
        told.append(book.tell(events).status.tolist())
    for name in known:
        del time[name]
    known.clear()
    known.update(time)
    return told


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    days=st.integers(0, 8),
    size=st.sampled_from([None, 1, 4]),
    aggregation=st.sampled_from(["sum", "first"]),
)
def test_a_book_goes_on_as_if_never_put_down(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int, size: int | None, aggregation: Any
) -> None:
    folder, formula = tmp_path_factory.mktemp("book"), replace(FORMULA, aggregation=aggregation)
    kept, book = (DecisionBook(formula, horizon_days=HORIZON) for _ in range(2))
    one, other = (np.random.default_rng(seed) for _ in range(2))
    mine, theirs = dict[str, float](), dict[str, float]()
    for step in range(days):
        save_book(book, folder / "put-down", created=NOON)
        book = load_book(folder / "put-down")
        assert day(kept, one, step, 2 + step % 3, mine) == day(book, other, step, 2 + step % 3, theirs)
        if step % 2:
            assert is_same(kept.release(step + 0.5, size), book.release(step + 0.5, size))
        assert len(kept) == len(book) and kept.censored == book.censored
    save_book(kept, folder / "whole", created=NOON)
    save_book(book, folder / "put-down", created=NOON)
    assert files(folder / "whole") == files(folder / "put-down") and len(files(folder / "whole")) == 2
    book = load_book(folder / "put-down")
    assert (book.formula, book.horizon_days) == (formula, HORIZON)
    assert is_same(kept.release(99.0), book.release(99.0)) and kept.censored == book.censored


def busy(folder: Path) -> Path:
    """A folder with a book that has open and closed decisions, events and rows that wait."""
    book, rng = DecisionBook(FORMULA, horizon_days=HORIZON), np.random.default_rng(2)
    known: dict[str, float] = {}
    for step in range(5):
        day(book, rng, step, 4, known)
        book.release(step + 0.5, size=500)
    save_book(book, folder, created=NOON)
    return folder


def test_what_was_tampered_with_is_refused_in_one_line(tmp_path: Path) -> None:
    held = load_file(next(busy(tmp_path / "whole").glob("*.safetensors")))
    assert held["events.row"].size and held["ready.reward"].size and not held["rows.open"].all()
    names = held["rows.name"].copy()
    names[:8] = 255
    wrong: dict[str, tuple[Any, str]] = {
        "rows.time": (held["rows.time"] * np.nan, "time must be finite"),
        "rows.column": (held["rows.column"] + 9, "present candidate"),
        "rows.shown": (held["rows.shown"] + np.int8(5), "shown, not shown or neither"),
        "rows.open": (held["rows.open"][1:], "array open must be bool"),
        "rows.name": (names, "array name must be UTF-8"),
        "rows.context": (held["rows.context"][1:], "must have a row for each of"),
        "rows.candidates": (None, "array candidates must be there"),
        "events.row": (held["events.row"] + 999, "events must be of open decisions"),
        "events.event": (held["events.event"][:2].repeat(len(held["events.row"])), "of kinds .*, each once"),
        "events.kind": (held["events.kind"] + 4, "events must be of open decisions"),
        "events.value": (held["events.value"] - 9, "events must be of open decisions"),
        "ready.reward": (held["ready.reward"] * np.inf, "reward must be finite"),
        "ready.column": (held["ready.column"].astype(float), "array column must be int64"),
        "censored": (np.array(-2), "censored must be one whole number"),
        "stranger": (np.ones(2), "stranger must not be there"),
    }
    for place, (array, rule) in wrong.items():
        folder = busy(tmp_path / place)
        raw = json.loads((folder / MANIFEST).read_text())
        tensors = {**held, place: array}
        save_file({key: one for key, one in tensors.items() if one is not None}, folder / raw["file"])
        raw["sha256"] = hashlib.sha256((folder / raw["file"]).read_bytes()).hexdigest()
        (folder / MANIFEST).write_text(json.dumps(raw))
        with pytest.raises(DataError, match=rule) as caught:
            load_book(folder)
        assert "\n" not in str(caught.value) and ";" in str(caught.value)


def test_damage_and_other_checkpoints_are_refused(tmp_path: Path) -> None:
    folder = busy(tmp_path / "bits")
    path = next(folder.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="sha256 must be"):
        load_book(folder)
    save_policy(Uniform(), tmp_path / "policy", rows=0, created=NOON)
    with pytest.raises(DataError, match="must hold a decision book, got policy 'uniform'"):
        load_book(tmp_path / "policy")
    with pytest.raises(DataError, match=r"policy must be one of .*, got 'decision_book'"):
        load_policy(busy(tmp_path / "book"))
    raw = json.loads((tmp_path / "book" / MANIFEST).read_text())
    for settings_, rule in (
        ({"horizon_days": 2.0}, "settings must be horizon_days and formula"),
        ({**raw["settings"], "horizon_days": -1.0}, "horizon_days must be above 0"),
        ({**raw["settings"], "formula": {"terms": []}}, "needs terms of distinct kinds"),
    ):
        (tmp_path / "book" / MANIFEST).write_text(json.dumps({**raw, "settings": settings_}))
        with pytest.raises(DataError, match=rule):
            load_book(tmp_path / "book")


def test_a_state_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    book = load_book(busy(tmp_path / "book"))
    before = {name: array.tobytes() for name, array in book.get_state().items()}
    bad = {**book.get_state(), "censored": np.array(-1)}
    with pytest.raises(DataError):
        book.set_state(bad)
    narrow = DecisionBook(RewardFormula(terms=(RewardTerm(kind="click", weight=1.0),)), horizon_days=1.0)
    with pytest.raises(DataError, match="a book with the same formula"):
        narrow.set_state(book.get_state())
    assert len(narrow) == 0
    assert {name: array.tobytes() for name, array in book.get_state().items()} == before


def test_other_features_and_unequal_lengths_are_refused_and_change_nothing(tmp_path: Path) -> None:
    book = load_book(busy(tmp_path / "book"))
    before = {name: array.tobytes() for name, array in book.get_state().items()}
    batch = make_batch(np.random.default_rng(4), 3)
    column = batch.present.argmax(axis=1)
    with pytest.raises(DataError, match="5 action columns, got 3, 2 and 4"):
        book.open(["x", "y", "z"], replace(batch, actions=ACTIONS[:, :4]), column)
    with pytest.raises(DataError, match="must be equally long, got 3, 2 and 3"):
        book.open(["x", "y", "z"], take(batch, np.array([0, 1])), column)
    with pytest.raises(DataError, match="must be whole numbers, got float64"):
        book.open(["x", "y", "z"], batch, column.astype(float))
    names = [name for name in book._rows._names if name.startswith("d4")][:2]
    with pytest.raises(DataError, match="decision and shown must be equally long, got 2 and 1"):
        book.activate(names, np.array([True]))
    assert {name: array.tobytes() for name, array in book.get_state().items()} == before
