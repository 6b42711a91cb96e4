"""Thompson sampling's places by quadrature, and published values of the Open Bandit sample to six digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import binom

from copybandit.evaluation.beta_ranks import place_probs
from copybandit.evaluation.ope_estimate import Estimate, evaluate
from copybandit.evaluation.ope_estimators import IPS, SNIPS
from copybandit.evaluation.open_bandit_policies import rows_of_open_bandit, thompson_probs, uniform_probs
from copybandit.sim.open_bandit import OpenBandit, load_open_bandit
from copybandit.sim.types import DataError, Floats
from tests.open_bandit_sample import drawn_thompson, log_path, prior_path
from tests.slices import write_open_bandit


@pytest.fixture(scope="module")
def priors() -> Path:
    """The published priors, or a skip that says so."""
    try:
        return prior_path()
    except DataError as error:
        pytest.skip(f"REAL DATA ABSENT: {error}")


def values(log: OpenBandit, probs: Floats) -> tuple[Estimate, Estimate]:
    ips, snips = evaluate(rows_of_open_bandit(log, probs), [IPS, SNIPS], refuse=False)
    return ips, snips


# campaign, log, IPS, SNIPS, sum of weights over n, ESS, largest weight, 95% interval: made with Open Bandit Pipeline 0.5.7.
GOLDEN = [
    ("all", "random", 0.004553, 0.004776, 0.953, 1639.5, 19.6, 0.0005, 0.0087),
    ("all", "bts", 0.002360, 0.002334, 1.011, 340.4, 278, 0.0007, 0.0041),
    ("men", "random", 0.004534, 0.004604, 0.985, 2467.4, 10.7, 0.0022, 0.0069),
    ("men", "bts", 0.003009, 0.003189, 0.943, 655.7, 178, 0.0015, 0.0045),
]


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: f"{row[0]}-{row[1]}")
def test_golden_values_of_the_sample(row: tuple[str, str, *tuple[float, ...]], priors: Path) -> None:
    campaign, policy, *numbers = row
    log = load_open_bandit(log_path(policy, campaign))
    target = drawn_thompson(campaign, 100_000) if policy == "random" else uniform_probs(len(log.items))
    ips, snips = values(log, target)
    assert [round(ips.value, 6), round(snips.value, 6)] == numbers[:2]
    assert [round(ips.weight_sum_over_n, 3), round(ips.ess, 1)] == numbers[2:4]
    assert ips.max_weight == pytest.approx(numbers[4], abs=0.5 if numbers[4] > 100 else 0.05)
    assert [ips.ci_low, ips.ci_high] == pytest.approx(numbers[5:], abs=5.5e-5)
    assert ips.refused, "under 20 effective rewards the number means nothing, and we say so"
    # The product's quadrature is within the Monte Carlo error of the published probabilities.
    if policy == "random":
        exact, _ = values(log, thompson_probs(priors, campaign))
        assert exact.value == pytest.approx(ips.value, rel=0.01)


def test_published_value_relative_to_the_logging_policy(priors: Path) -> None:
    log, truth = (load_open_bandit(log_path(policy, "all")) for policy in ("random", "bts"))
    ips, _ = values(log, drawn_thompson("all", 100_000))
    assert ips.value / log.click.mean() == pytest.approx(1.1981263, abs=5e-8)
    assert abs(ips.value / truth.click.mean() - 1) == pytest.approx(0.0840, abs=5e-5)


@pytest.mark.slow
def test_published_relative_errors_of_the_model_free_estimators(priors: Path) -> None:
    """Thirty bootstrap samples of the uniform log of campaign all, against the value of the other log."""
    log = load_open_bandit(log_path("random", "all"))
    truth = float(load_open_bandit(log_path("bts", "all")).click.mean())
    at = drawn_thompson("all", 1_000_000)
    w = at[log.item_id, log.position - 1] / log.propensity
    order = np.argsort(log.timestamp, kind="stable")
    w, click = w[order], log.click[order]
    errors = []
    for seed in range(30):
        rows = np.random.RandomState(seed).choice(len(log), len(log))
        total = float(w[rows] @ click[rows])
        errors.append([abs(total / by / truth - 1) for by in (len(log), w[rows].sum())])
    found = np.array(errors)
    assert found.mean(axis=0).round(6).tolist() == [0.311082, 0.311795]
    assert found.std(axis=0, ddof=1).round(6).tolist() == [0.311170, 0.334736]


def test_a_log_whose_propensities_are_cut_off_is_refused_by_name(priors: Path) -> None:
    log = load_open_bandit(log_path("bts", "women"))
    ips, _ = values(log, uniform_probs(len(log.items)))
    gates = {finding.gate for finding in ips.findings if finding.refuses}
    assert {"ess", "rewards", "floored"} <= gates and ips.max_weight > 20_000


@pytest.mark.parametrize("campaign", ["all", "men", "women"])
def test_quadrature_agrees_with_draws(campaign: str, priors: Path) -> None:
    exact, draws = thompson_probs(priors, campaign), 100_000
    count = np.rint(drawn_thompson(campaign, draws, seed=7) * draws)
    np.testing.assert_allclose(exact.sum(axis=0), 1, atol=1e-12)
    surprise = 2 * np.minimum(binom.cdf(count, draws, exact), binom.sf(count - 1, draws, exact))
    assert surprise.min() > 0.01 / count.size


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 6), size=st.sampled_from([0.3, 1.0, 30.0, 3000.0]))
def test_places_are_a_doubly_stochastic_table(seed: int, k: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    alpha, beta = size * rng.uniform(0.5, 2, k), size * rng.uniform(0.5, 20, k)
    found = place_probs(alpha, beta, k)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(found[:, :1], place_probs(alpha, beta, 1), atol=1e-9)


@given(a=st.integers(1, 60), b=st.floats(0.2, 500), c=st.floats(0.1, 60), d=st.floats(0.2, 500))
def test_two_arms_have_a_closed_form(a: int, b: float, c: float, d: float) -> None:
    i = np.arange(a)
    first = np.exp(betaln(c + i, b + d) - betaln(1 + i, b) - betaln(c, d)) / (b + i)
    found = place_probs(np.array([a, c], dtype=float), np.array([b, d]), 2)
    assert [found[0, 0], found[1, 1]] == pytest.approx([float(first.sum())] * 2, abs=1e-9)


def test_bad_input_is_refused_in_one_line(tmp_path: Path) -> None:
    log = load_open_bandit(write_open_bandit(tmp_path, n_rounds=50, n_items=8, seed=0) / "random" / "men")
    prior = tmp_path / "prior.yaml"
    prior.write_text("men:\n  alpha: [1.0, 2.0]\n  beta: [1.0, x]\n", "utf-8")
    one = np.ones(3)
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: place_probs(one, 0 * one, 1), "alpha and beta must be"),
        (lambda: place_probs(one, one[:2], 1), "alpha and beta must be"),
        (lambda: place_probs(one, one, 4), r"places must be in \[1, 3\], got 4"),
        (lambda: thompson_probs(tmp_path / "absent.yaml", "men"), "must hold lists alpha and beta"),
        (lambda: thompson_probs(prior, "women"), "for campaign women"),
        (lambda: thompson_probs(prior, "men"), "could not convert"),
        (lambda: rows_of_open_bandit(log, uniform_probs(7)), r"probs must be \(8, 3"),
        (lambda: rows_of_open_bandit(log, uniform_probs(8), np.ones((50, 7))), r"q must be \(50, 8\)"),
    ]
    for call, message in cases:
        with pytest.raises(DataError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
