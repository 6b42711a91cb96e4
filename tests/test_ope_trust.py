"""The log's own task has the weights of the real one, its answer is known, and it ranks estimators as the truth does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from copybandit.evaluation.ope_estimators import DM, DR, IPS, SNIPS, clipped
from copybandit.evaluation.ope_rows import Rows, rows_of_log
from copybandit.evaluation.ope_trust import simulated_trust, task_of, trust, trust_of
from copybandit.evaluation.ope_trust_chart import trust_chart
from copybandit.sim.types import DataError, Floats
from tests.known_population import Population

FIVE = (IPS, SNIPS, DM, DR, clipped(1.5))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 8), sharp=st.floats(0.05, 5))
def test_the_task_is_two_policies_with_proportional_weights(seed: int, k: int, sharp: float) -> None:
    rng = np.random.default_rng(seed)
    behavior: Floats = 0.9 * rng.dirichlet(np.full(k, sharp), 40) + 0.1 / k
    target: Floats = rng.dirichlet(np.full(k, sharp), 40)
    task = task_of(behavior, target)
    for policy in (task.target, task.behavior):
        assert (policy >= 0).all()
        np.testing.assert_allclose(policy.sum(axis=1), 1, atol=1e-12)
    share = (behavior * task.rho).sum(axis=1)
    np.testing.assert_allclose(share, share[0], rtol=1e-6, err_msg="the two logs see the same contexts")
    # Told off with probability rho, rows of the log are rows of the pseudo policies.
    np.testing.assert_allclose(
        share[:, None] * task.target + (1 - share[:, None]) * task.behavior, behavior, atol=1e-12
    )
    real, made = target / behavior, task.target / task.behavior
    there = real >= 1e-6
    ratio = np.where(there, made / np.where(there, real, 1.0), np.nan)
    np.testing.assert_allclose(np.nanmax(ratio, axis=1), np.nanmin(ratio, axis=1), rtol=1e-6)


def test_it_ranks_estimators_as_the_truth_does() -> None:
    """A wrong model, a short log: DM is biased, IPS noisy; whoever reads the log alone learns which is worse."""
    agreed, chosen, best = [], [], []
    for seed in range(6):
        world, rng = Population(seed), np.random.default_rng([seed, 1])

        def draw(source: np.random.Generator, world: Population = world) -> Rows:
            log, kind = world.log(source, 1500)
            return rows_of_log(log, world.target[kind], world.wrong_model[kind])

        true = simulated_trust(draw, world.value, FIVE, tries=200, rng=rng)
        log, kind = world.log(rng, 1500)
        told = trust(log, world.target[kind], world.wrong_model[kind], FIVE, tries=60, rng=rng)
        real, guessed = [one.rmse for one in true], [one.rmse for one in told]
        agreed.append(kendalltau(real, guessed).statistic)
        chosen.append(real[int(np.argmin(guessed))])
        best.append((min(real), float(np.mean(real))))
    assert np.mean(agreed) > 0.4
    # What the log chooses is far nearer to the best than an estimator taken by chance.
    regret = np.mean([got - low for got, (low, _) in zip(chosen, best, strict=True)])
    by_chance = np.mean([middle - low for low, middle in best])
    assert regret < by_chance / 2


def test_errors_are_told_as_they_are() -> None:
    errors = np.array([[0.1, -0.3], [0.3, -0.3]])
    one, two = trust_of(["a", "b"], errors)
    np.testing.assert_allclose([one.bias, two.bias], [0.2, -0.3])
    np.testing.assert_allclose([one.rmse, two.rmse], [np.sqrt(0.05), 0.3])
    assert trust_of(["a", "b"], errors, noise=0.04)[0].rmse == pytest.approx(0.1)
    assert trust_of(["a", "b"], errors, noise=1.0)[0].rmse == 0.0


def test_the_picture_shows_whom_to_trust_first() -> None:
    errors = np.array([[0.3, -0.1], [0.2, 0.1]])
    told = trust_of(["ips", "dr"], errors)
    page = str(trust_chart(told))
    assert page.startswith("<svg") and page.index(">dr<") < page.index(">ips<")
    both = str(trust_chart(told, trust_of(["dr", "ips"], errors)))
    assert "by the log itself" in both and "by the truth" in both and "by the truth" not in page
    with pytest.raises(DataError, match="same estimators"):
        trust_chart(told, trust_of(["ips", "dm"], errors))
    with pytest.raises(DataError, match="at least one"):
        trust_chart(())


def test_what_cannot_be_tried_is_refused() -> None:
    world, rng = Population(0), np.random.default_rng(0)
    log, kind = world.log(rng, 100)
    q = world.click[kind]
    with pytest.raises(DataError, match="tries must be at least 2"):
        trust(log, world.target[kind], q, FIVE, tries=1, rng=rng)
    with pytest.raises(DataError, match="target_probs must be"):
        trust(log, world.target[kind][:, :2], q, FIVE, rng=rng)
    behavior, target = np.tile([1.0, 0.0], (3, 1)), np.tile([0.0, 1.0], (3, 1))
    with pytest.raises(DataError, match="sometimes do what the target policy would"):
        task_of(behavior, target)
