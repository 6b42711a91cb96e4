"""Estimators against truth that is known exactly, and against identities that hold on any log."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.decide import decide
from copybandit.evaluation.ope_estimate import Estimate, evaluate
from copybandit.evaluation.ope_estimators import (
    DM,
    DR,
    IPS,
    SNDR,
    SNIPS,
    USUAL,
    Estimator,
    clipped,
    dr_os,
    parts,
    switch_dr,
)
from copybandit.evaluation.ope_rows import BLOCK, Rows, read_rows, rows_of_log
from copybandit.evaluation.ope_shrink import Clipped, Optimistic, Plain, Shrink, SubGaussian, Switch, Zero
from copybandit.sim.types import Bools, DataError, Floats
from tests.known_population import Population, feedback

SUB_GAUSSIAN = Estimator(name="sg", shrink=SubGaussian(c=0.1))
ALL = (IPS, SNIPS, DM, DR, SNDR, clipped(3.0), switch_dr(3.0), dr_os(9.0), SUB_GAUSSIAN)


def some_rows(seed: int, n: int, *, model: bool = True) -> Rows:
    """Rows of nothing in particular."""
    rng = np.random.default_rng(seed)
    return Rows(
        reward=rng.normal(size=n),
        propensity=rng.uniform(0.05, 1, n),
        target_prob=rng.random(n),
        q=rng.normal(size=n) if model else None,
        v=rng.normal(size=n) if model else None,
    )


def values_of(rows: Rows, *estimators: Estimator) -> list[Estimate]:
    return list(evaluate(rows, estimators, refuse=False))


def cut(rows: Rows, where: slice | np.ndarray) -> Rows:
    """Some rows, or all in another order."""
    assert rows.q is not None and rows.v is not None
    return Rows(
        reward=rows.reward[where],
        propensity=rows.propensity[where],
        target_prob=rows.target_prob[where],
        q=rows.q[where],
        v=rows.v[where],
    )


def test_unbiased_and_covering_over_400_logs() -> None:
    world, rng, logs = Population(0), np.random.default_rng(1), 400
    found: dict[str, list[Estimate]] = {"ips": [], "snips": [], "dr": [], "sndr": [], "dr_right": []}
    for _ in range(logs):
        log, kind = world.log(rng, 800)
        wrong = rows_of_log(log, world.target[kind], world.wrong_model[kind])
        right = rows_of_log(log, world.target[kind], world.click[kind])
        for name, estimate in zip(
            found, values_of(wrong, IPS, SNIPS, DR, SNDR) + values_of(right, DR), strict=True
        ):
            found[name].append(estimate)
    for name, estimates in found.items():
        values = np.array([e.value for e in estimates])
        assert abs(values.mean() - world.value) < 3 * values.std() / np.sqrt(logs), name
        covered = np.mean([e.ci_low <= world.value <= e.ci_high for e in estimates])
        assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / logs), (name, covered)
        # The reported standard error is the real spread.
        assert np.mean([e.std_err for e in estimates]) == pytest.approx(values.std(), rel=0.15), name
    spread = {name: np.std([e.value for e in estimates]) for name, estimates in found.items()}
    assert spread["dr_right"] < spread["ips"]


def test_direct_method_is_as_good_as_its_model() -> None:
    world, rng = Population(2), np.random.default_rng(3)
    log, kind = world.log(rng, 20_000)
    (right,) = evaluate(rows_of_log(log, world.target[kind], world.click[kind]), [DM])
    (wrong,) = evaluate(rows_of_log(log, world.target[kind], world.wrong_model[kind]), [DM])
    assert abs(right.value - world.value) < 3 * right.std_err
    assert abs(wrong.value - world.value) > 3 * wrong.std_err


def test_shrinking_is_biased_by_what_it_takes_and_a_right_model_mends_it() -> None:
    world, rng = Population(4), np.random.default_rng(5)
    log, kind = world.log(rng, 200_000)
    rows = rows_of_log(log, world.target[kind], world.click[kind])
    low, *mended = values_of(rows, clipped(1.0), switch_dr(1.0), dr_os(1.0), SUB_GAUSSIAN)
    assert low.value < world.value - 3 * low.std_err
    assert all(abs(e.value - world.value) < 3 * e.std_err for e in mended[:2])
    assert [f.gate for f in low.findings] == ["shrunk"]


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 300))
def test_replaying_the_logging_policy_is_the_plain_mean(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    propensity, reward, nothing = rng.uniform(1e-3, 1, n), rng.normal(size=n), np.zeros(n)
    rows = Rows(reward=reward, propensity=propensity, target_prob=propensity, q=nothing, v=nothing)
    with_weights = [estimator for estimator in ALL if estimator.weighs and estimator.name != "dr_os"]
    for estimate in values_of(rows, *with_weights):
        assert estimate.value == reward.sum() / n, estimate.estimator
        assert estimate.max_weight == estimate.weight_sum_over_n == 1.0
        assert estimate.ess == n
        assert estimate.std_err == pytest.approx(reward.std(ddof=1) / np.sqrt(n))
    (shrunk,) = values_of(rows, dr_os(1e12))
    assert shrunk.value == pytest.approx(reward.sum() / n, abs=1e-11)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(-5, 5))
def test_identities(seed: int, shift: float) -> None:
    rows = some_rows(seed, 200)
    w, zero = rows.weight, np.zeros(200)
    known = replace(rows, q=None, v=None)
    a, b, d = values_of(rows, IPS, SNIPS, DM)
    bare = replace(rows, q=zero, v=zero)
    assert [e.value for e in values_of(bare, DR, SNDR)] == [a.value, b.value]
    assert a.value == pytest.approx((w * rows.reward).mean())
    assert a.std_err == pytest.approx((w * rows.reward).std(ddof=1) / np.sqrt(200))
    assert b.value == pytest.approx(a.value / a.weight_sum_over_n)
    residual = w * (rows.reward - b.value)
    assert b.std_err == pytest.approx(np.sqrt(np.square(residual).sum() * 200 / 199) / w.sum())
    assert 1 <= a.ess <= 200 and a.ess == pytest.approx(w.sum() ** 2 / np.square(w).sum())
    # SNIPS moves with the reward; IPS moves by the mean weight.
    moved_ips, moved_snips = values_of(replace(known, reward=rows.reward + shift), IPS, SNIPS)
    assert moved_snips.value == pytest.approx(b.value + shift)
    assert moved_ips.value == pytest.approx(a.value + shift * a.weight_sum_over_n)
    # DR with a model that knows every reward is the direct method.
    exact = replace(rows, q=rows.reward)
    assert [e.value for e in values_of(exact, DR, SNDR, switch_dr(2.0))] == [d.value] * 3
    assert b.ci_high - b.value == pytest.approx(1.96 * b.std_err, rel=1e-4)


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), c=st.floats(1e-3, 1e6))
def test_shrinkages_take_and_never_give(seed: int, c: float) -> None:
    w = np.random.default_rng(seed).pareto(1.0, 100)
    w[:3] = 0
    several: tuple[Shrink, ...] = (Plain(), Zero(), Clipped(c=c), Switch(c=c), Optimistic(c=c))
    for shrink in several:
        g = shrink(w)
        assert (g >= 0).all() and (g <= w * (1 + 1e-12)).all() and (g[:3] == 0).all()
    assert Clipped(c=c)(w).max() <= c and Switch(c=c)(w).max() <= c
    assert Optimistic(c=c)(w).max() <= np.sqrt(c) / 2 * (1 + 1e-12)
    several = (Clipped(c=np.inf), Switch(c=np.inf), Optimistic(c=np.inf), SubGaussian(c=0.0))
    for shrink in several:
        np.testing.assert_array_equal(shrink(w), w)
    assert SubGaussian(c=0.25)(w).max() <= 4 and (SubGaussian(c=1.0)(w[w > 0]) == 1).all()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 400), ends=st.lists(st.integers(1, 399), max_size=5))
def test_chunks_add_up_to_the_whole_and_order_does_not_matter(seed: int, n: int, ends: list[int]) -> None:
    rows = some_rows(seed, n)
    whole = values_of(rows, *ALL)
    edges = sorted({0, n, *(end for end in ends if end < n)})
    chunks = [cut(rows, slice(a, b)) for a, b in pairwise(edges)]
    in_chunks = evaluate(iter(chunks), ALL, refuse=False)
    shuffled = values_of(cut(rows, np.random.default_rng(seed).permutation(n)), *ALL)
    for one, two, three in zip(whole, in_chunks, shuffled, strict=True):
        for other in (two, three):
            assert other.n == n and other.max_weight == one.max_weight
            for name in ("value", "std_err", "ess", "weight_sum_over_n", "effective_rewards"):
                same = pytest.approx(getattr(one, name), rel=1e-9, abs=1e-12)
                assert getattr(other, name) == same, (one.estimator, name)


def test_blocks_within_a_chunk_add_up_too() -> None:
    rows = some_rows(7, 3 * BLOCK + 17)
    for estimator, estimate in zip(ALL, values_of(rows, *ALL), strict=True):
        v, b, g = parts(rows, estimator)
        plain = v.mean() + b.sum() / (g.sum() if estimator.normalised else len(rows))
        assert estimate.value == pytest.approx(plain, rel=1e-10), estimator.name


def test_rare_rewards_on_a_large_offset_keep_their_standard_error() -> None:
    rng, n = np.random.default_rng(0), 50_000
    reward = 1e8 + rng.random(n)
    rows = Rows(reward=reward, propensity=np.full(n, 0.5), target_prob=np.full(n, 0.5))
    (found,) = values_of(rows, IPS)
    assert found.std_err == pytest.approx(reward.std(ddof=1) / np.sqrt(n), rel=1e-6)


def write(path: Path, **columns: Floats | Bools | list[float | None] | list[str]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_a_parquet_file_is_read_in_chunks_to_the_same_numbers(tmp_path: Path) -> None:
    rows = some_rows(8, 5_000)
    assert rows.q is not None and rows.v is not None
    path = write(
        tmp_path / "log.parquet",
        extra=rows.reward,
        reward=rows.reward,
        propensity=rows.propensity,
        target_prob=rows.target_prob,
        q=rows.q,
        v=rows.v,
        support_miss=np.arange(5_000) < 3,
    )
    chunks = list(read_rows(path, batch_rows=700))
    assert [len(chunk) for chunk in chunks] == [700] * 7 + [100]
    for one, two in zip(
        values_of(rows, *ALL), evaluate(read_rows(path, 700), ALL, refuse=False), strict=True
    ):
        assert two.value == pytest.approx(one.value, rel=1e-12)
        assert (one.support_misses, two.support_misses) == (0, 3)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rng, peaks = np.random.default_rng(0), []
    for n in (100_000, 800_000):
        columns = {
            "reward": rng.random(n),
            "propensity": rng.uniform(0.1, 1, n),
            "target_prob": rng.random(n),
        }
        path = tmp_path / f"{n}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=50_000)
        del columns
        tracemalloc.start()
        (found,) = evaluate(read_rows(path, 20_000), [IPS], refuse=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.n == n
    assert peaks[1] < 1.5 * peaks[0] < 10e6


def test_bad_files_are_refused_by_name_of_file_and_column(tmp_path: Path) -> None:
    half = np.full(3, 0.5)
    cases: list[tuple[Path, str]] = [
        (tmp_path / "absent.parquet", "must be a Parquet file"),
        (write(tmp_path / "a.parquet", reward=half, propensity=half), "must have a column target_prob"),
        (
            write(tmp_path / "b.parquet", reward=half, propensity=half, target_prob=["x", "y", "z"]),
            "target_prob must be a number",
        ),
        (
            write(tmp_path / "c.parquet", reward=half, propensity=[0.5, None, 0.5], target_prob=half),
            "propensity must be there in every row, got 1 missing",
        ),
        (
            write(tmp_path / "d.parquet", reward=half, propensity=0 * half, target_prob=half),
            r"d.parquet: ope: propensity must be in \(0, 1\], got 0.0",
        ),
    ]
    text = tmp_path / "e.parquet"
    text.write_text("reward,propensity\n", "utf-8")
    for path, message in [*cases, (text, "must be a Parquet file")]:
        with pytest.raises(DataError, match=message) as caught:
            list(read_rows(path))
        assert "\n" not in str(caught.value) and path.name in str(caught.value)
    with pytest.raises(DataError, match="batch_rows must be at least 1, got 0"):
        list(read_rows(cases[-1][0], 0))


def test_support_misses_are_counted() -> None:
    probs = np.tile([0.5, 0.5, 0.0], (300, 1))
    target = np.tile([0.4, 0.4, 0.2], (300, 1))
    target[:100] = [0.5, 0.5, 0.0]
    rng = np.random.default_rng(0)
    log = feedback(probs, decide(probs, rng), rng.random(300))
    estimates = evaluate(rows_of_log(log, target, np.full((300, 3), 0.5)), USUAL)
    assert [e.support_misses for e in estimates] == [200] * 4
    refused = [any(f.gate == "support" and f.refuses for f in e.findings) for e in estimates]
    assert refused == [True, True, False, True]
    assert any("200 of 300 rounds" in text for text in estimates[0].warnings)


def test_bad_input_is_refused_in_one_line() -> None:
    one, half = np.ones(5), np.full(5, 0.5)
    world = Population(0)
    log, kind = world.log(np.random.default_rng(0), 20)
    target, q = world.target[kind], world.click[kind]

    def rows(
        reward: Floats = one, propensity: Floats = half, target_prob: Floats = half, **more: object
    ) -> Rows:
        return Rows(reward=reward, propensity=propensity, target_prob=target_prob, **more)  # type: ignore[arg-type]  # wrong on purpose

    hole = np.array([1.0, 1.0, np.nan, 1.0, 1.0])
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: rows(propensity=0 * one), r"propensity must be in \(0, 1\], got 0.0"),
        (lambda: rows(propensity=-half), r"propensity must be in \(0, 1\], got -0.5"),
        (lambda: rows(propensity=2 * one), r"propensity must be in \(0, 1\], got 2.0"),
        (lambda: rows(target_prob=2 * one), r"target_prob must be in \[0, 1\]"),
        (lambda: rows(target_prob=-half), r"target_prob must be in \[0, 1\]"),
        (lambda: rows(reward=hole), "reward must be finite, got nan in row 2"),
        (lambda: rows(propensity=hole), "propensity must be finite, got nan in row 2"),
        (lambda: rows(target_prob=hole), "target_prob must be finite, got nan in row 2"),
        (
            lambda: rows(reward=np.array([np.inf, -np.inf, 0, 0, 0])),
            "reward must be finite, got inf in row 0",
        ),
        (lambda: rows(q=hole, v=one), "q must be finite"),
        (lambda: rows(q=one, v=hole), "v must be finite"),
        (lambda: rows(q=one), "q must come with v"),
        (lambda: rows(propensity=half[:3]), r"propensity must be float64 of shape \(5,\)"),
        (lambda: rows(reward=np.ones(5, dtype=np.int64)), "reward must be float64"),
        (
            lambda: rows(reward=one[:0], propensity=half[:0], target_prob=half[:0]),
            "reward must have at least 1 round",
        ),
        (lambda: rows(support_misses=6), r"support_misses must be in \[0, 5\], got 6"),
        (lambda: evaluate(rows(one[:1], half[:1], half[:1]), [IPS]), "at least 2 rounds"),
        (lambda: evaluate(rows(target_prob=0 * half), [SNIPS]), "no overlap"),
        (lambda: evaluate(rows(), [DR]), "dr needs v, got none"),
        (lambda: evaluate(rows(v=one), [DR]), "dr needs q, got none"),
        (lambda: evaluate([], [IPS]), "got no rows"),
        (lambda: evaluate(rows(), []), "got no estimator"),
        (lambda: evaluate(rows(reward=1e300 * one, propensity=1e-20 * one), [IPS]), "must be finite"),
        (lambda: Clipped(c=0.0), "c must be above 0, got 0.0"),
        (lambda: Switch(c=np.nan), "c must be above 0, got nan"),
        (lambda: SubGaussian(c=1.5), r"c must be in \[0, 1\]"),
        (lambda: Estimator(name="x", shrink=Zero()), "must have a model"),
        (lambda: rows_of_log(log, target / 2, q), "sum to 1"),
        (lambda: rows_of_log(log, target[:, :2], q), "target_probs must be"),
        (lambda: rows_of_log(log, target, q[:, :2]), "q must be"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
