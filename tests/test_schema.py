"""Logged feedback: exact round trips, atomic writes, and one clear line for every log that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.sim.feedback import LoggedFeedback
from copybandit.sim.schema import (
    LOG_SCHEMA,
    LOG_SCHEMA_1,
    SCHEMA_KEY,
    as_log,
    feedback_from_arrow,
    feedback_to_arrow,
    read_feedback,
    write_feedback,
    write_table,
)
from copybandit.sim.types import DataError, Floats

OPEN_BANDIT = {"timestamp", "item_id", "position", "click", "propensity_score", "user_features", "affinity"}


def feedback(n: int = 20, k: int = 4, seed: int = 0) -> LoggedFeedback:
    rng = np.random.default_rng(seed)
    candidates = rng.permuted(np.tile(np.arange(3 * k, dtype=np.int32), (n, 1)), axis=1)[:, :k].copy()
    probs = rng.dirichlet(np.ones(k), n)
    if k > 1:
        candidates[: n // 2, -1], probs[: n // 2, -1] = -1, 0
    probs /= probs.sum(axis=1, keepdims=True)
    return LoggedFeedback(
        timestamp=np.datetime64("2024-01-01", "us")
        + rng.integers(1_000_000, size=n) * np.timedelta64(1, "us"),
        shopper=rng.integers(9, size=n),
        product=rng.integers(9, size=n),
        position=rng.integers(1, 4, n),
        candidates=candidates,
        action_probs=probs,
        action=probs.argmax(axis=1),
        click=rng.integers(2, size=n).astype(np.float64),
        conversion=np.zeros(n),
        value=rng.random(n),
        reward=rng.standard_normal(n),
        policy="thompson",
    )


def assert_same(a: LoggedFeedback, b: LoggedFeedback) -> None:
    for field in fields(LoggedFeedback):
        left, right = getattr(a, field.name), getattr(b, field.name)
        np.testing.assert_array_equal(left, right, strict=True)


def one_line(action: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def knowing(log: LoggedFeedback, p: int, s: int) -> LoggedFeedback:
    """The same with what its policy knew."""
    rng = np.random.default_rng(p)
    state = rng.normal(size=(*log.candidates.shape, s)) * (log.candidates >= 0)[:, :, None]
    return replace(log, context=rng.normal(size=(len(log), p)), state=state)


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 9), st.integers(0, 3), st.integers(1, 3))
def test_feedback_round_trip_is_exact(n: int, k: int, seed: int, p: int, s: int) -> None:
    log = feedback(n, k, seed)
    assert_same(feedback_from_arrow(feedback_to_arrow(log)), log)
    log = knowing(log, p, s)
    assert_same(feedback_from_arrow(feedback_to_arrow(log)), log)


def test_the_layout_before_is_still_read(tmp_path: Path) -> None:
    path, log = tmp_path / "log.parquet", feedback()
    table = feedback_to_arrow(knowing(log, 2, 2)).select(LOG_SCHEMA_1.names)
    pq.write_table(table.replace_schema_metadata(LOG_SCHEMA_1.metadata), path)
    assert_same(read_feedback(path), log)
    present = as_log(pq.read_table(path), "log")
    assert present.schema.equals(LOG_SCHEMA, check_metadata=True) and present["state"].null_count == len(log)


def test_what_a_policy_knew_is_logged_whole_or_not_at_all() -> None:
    log = feedback(6, 3)
    both = pa.concat_tables([feedback_to_arrow(knowing(log, 1, 2)), feedback_to_arrow(log)])
    assert "context must be there in every row or in none, got 6 of 12 null" in one_line(
        lambda: feedback_from_arrow(both)
    )
    wider = pa.concat_tables([feedback_to_arrow(knowing(log, 1, 2)), feedback_to_arrow(knowing(log, 2, 2))])
    assert "context must have as many numbers" in one_line(lambda: feedback_from_arrow(wider))
    channels = pa.concat_tables([feedback_to_arrow(knowing(log, 1, s)) for s in (1, 2)])
    assert "state must have as many numbers" in one_line(lambda: feedback_from_arrow(channels))
    table = feedback_to_arrow(knowing(log, 1, 2))
    place = table.schema.get_field_index("state")
    short = pa.array([[[0.5, 0.0]]] * 6, LOG_SCHEMA.field("state").type)
    one = table.set_column(place, LOG_SCHEMA.field("state"), short)
    assert "state must have a list for each candidate" in one_line(lambda: feedback_from_arrow(one))


@pytest.mark.parametrize(
    "wrong", [{"context": np.zeros((3, 1))}, {"context": np.zeros(6)}, {"state": np.zeros((6, 2, 1))}]
)
def test_features_of_another_shape_are_refused(wrong: dict[str, Floats]) -> None:
    assert "log it of every" in one_line(lambda: replace(feedback(6, 3), **wrong))  # type: ignore[arg-type]


def test_feedback_file_round_trip_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    log = replace(feedback(), held=np.arange(20) % 3 == 0)
    write_feedback(log, path, assignment="online")
    assert_same(read_feedback(path), log)
    table = pq.read_table(path)
    assert set(table.column_names) >= OPEN_BANDIT
    assert table.schema.metadata[SCHEMA_KEY] == b"copybandit.log/2"
    assert table["assignment"].to_pylist() == [("holdout", "online", "online")[row % 3] for row in range(20)]
    assert [p.name for p in tmp_path.iterdir()] == ["log.parquet"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    write_feedback(feedback(), path)
    with pytest.raises(AttributeError):
        write_table("not a table", path)
    assert_same(read_feedback(path), feedback())
    assert [p.name for p in tmp_path.iterdir()] == ["log.parquet"]


def test_ragged_candidates_are_padded() -> None:
    table = feedback_to_arrow(feedback(2, 3))
    place = table.schema.get_field_index("candidates")
    table = table.set_column(
        place, LOG_SCHEMA.field("candidates"), pa.array([[7, 8, 9], [5]], pa.list_(pa.int32()))
    )
    place = table.schema.get_field_index("action_probs")
    probs = pa.array([[0.5, 0.25, 0.25], [1.0]], pa.list_(pa.float64()))
    table = table.set_column(place, LOG_SCHEMA.field("action_probs"), probs)
    table = table.set_column(table.schema.get_field_index("action"), "action", pa.array([0, 0], pa.int64()))
    log = feedback_from_arrow(table)
    np.testing.assert_array_equal(log.candidates, [[7, 8, 9], [5, -1, -1]])
    np.testing.assert_array_equal(log.action_probs, [[0.5, 0.25, 0.25], [1, 0, 0]])


def test_a_log_of_two_policies_asks_which() -> None:
    both = pa.concat_tables(
        [feedback_to_arrow(feedback()), feedback_to_arrow(replace(feedback(seed=1), policy="uniform"))]
    )
    assert "got ['thompson', 'uniform']; pass policy=NAME" in one_line(lambda: feedback_from_arrow(both))
    assert_same(feedback_from_arrow(both, policy="thompson"), feedback())


def test_a_log_without_rows_is_refused() -> None:
    assert "at least one row" in one_line(lambda: feedback_to_arrow(feedback(0)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-200]), "not a whole Parquet file"),
        (lambda p: p.write_bytes(b""), "not a whole Parquet file"),
        (lambda p: p.write_text("a,b\n1,2\n"), "not a whole Parquet file"),
        (lambda p: p.unlink(), "no such file; check the path"),
        (lambda p: pq.write_table(pa.table({"a": [1]}), p), "got no copybandit schema"),
        (
            lambda p: pq.write_table(
                pq.read_table(p).replace_schema_metadata({SCHEMA_KEY: b"copybandit.log/3"}), p
            ),
            "schema must be copybandit.log/2, got copybandit.log/3",
        ),
        (
            lambda p: pq.write_table(pq.read_table(p).drop_columns(["reward"]), p),
            "column reward must be double, got no such column",
        ),
    ],
)
def test_unusable_logs_are_refused(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "log.parquet"
    write_feedback(feedback(), path)
    spoil(path)
    line = one_line(lambda: read_feedback(path))
    assert message in line
    assert line.startswith(str(path))
