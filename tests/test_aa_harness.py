"""A/A harness and campaign watch: false winners among equals, true winners among others, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.evaluation.aa_harness import AAReport, AASettings, run_aa
from copybandit.evaluation.campaign_watch import Watch
from copybandit.sim.types import DataError, Floats, Ints

Rows = tuple[Ints, Floats, Floats]


def rows(rng: np.random.Generator, shape: tuple[int, int], rates: list[float]) -> Rows:
    """Variants shown evenly, with their clicks."""
    action = rng.integers(len(rates), size=shape)
    click = (rng.random(shape) < np.array(rates)[action]).astype(float)
    return action, click, np.full(shape, 1 / len(rates))


@pytest.mark.parametrize("settings", [AASettings(), AASettings(variants=3, batches=20, rate=0.1)])
def test_confidence_sequences_pass_and_the_naive_interval_fails(settings: AASettings) -> None:
    report = run_aa(settings, np.random.default_rng(0))
    assert report.passed and report.sequence <= 0.05
    assert not report.naive_passed and report.naive > 0.15
    # Looked at once it keeps its word: nothing else is wrong with it. The bound is 3 standard errors.
    assert report.naive_once <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / settings.campaigns)
    assert "(passes at 5%), the normal interval in" in report.sentence and "(FAILS)" in report.sentence
    assert run_aa(AASettings(campaigns=50, batches=3), np.random.default_rng(1)) == run_aa(
        AASettings(campaigns=50, batches=3), np.random.default_rng(1)
    )


def test_a_report_of_a_bad_judge_says_so() -> None:
    bad = AAReport(settings=AASettings(), sequence=0.06, naive=0.05, naive_once=0.05)
    assert not bad.passed and bad.naive_passed and "6.0% (FAILS at 5%)" in bad.sentence


def test_a_better_variant_is_found_and_bounds_hold_the_difference() -> None:
    rng = np.random.default_rng(2)
    watch, found = Watch.start(100, variants=3, least_prob=1 / 3), np.zeros((100, 2), dtype=bool)
    for _ in range(40):
        watch = watch.update(*rows(rng, (100, 500), [0.05, 0.05, 0.09]))
        found |= watch.differ()
    assert found[:, 1].mean() > 0.95 and found[:, 0].mean() <= 0.05
    bounds = watch.bounds()
    assert (bounds.misses(np.tile([0.0, 0.04], 100)).mean()) <= 0.05
    assert watch.n == 20_000


def test_equals_stay_equal_when_the_policy_leans_to_the_leader() -> None:
    rng = np.random.default_rng(3)
    campaigns, size = 300, 100
    watch, ever = Watch.start(campaigns, least_prob=0.2), np.zeros(campaigns, dtype=bool)
    share = np.full((campaigns, 1), 0.5)
    for _ in range(30):
        action = (rng.random((campaigns, size)) < share).astype(int)
        click = (rng.random((campaigns, size)) < 0.1).astype(float)
        watch = watch.update(action, click, np.where(action == 1, share, 1 - share))
        share = np.where(watch.sums[0] > 0, 0.8, 0.2)
        ever |= watch.differ()[:, 0]
    assert ever.mean() <= 0.05


def test_batches_give_what_all_rows_at_once_give() -> None:
    action, click, probs = rows(np.random.default_rng(4), (7, 90), [0.2, 0.3])
    whole = Watch.start(7, least_prob=0.5).update(action, click, probs)
    parted = Watch.start(7, least_prob=0.5)
    for cut in (slice(0, 30), slice(30, 31), slice(31, 90)):
        parted = parted.update(action[:, cut], click[:, cut], probs[:, cut])
    np.testing.assert_allclose(parted.sequence.mass, whole.sequence.mass, atol=1e-12)
    np.testing.assert_allclose(parted.sums, whole.sums, atol=1e-9)
    alone = Watch.start(least_prob=0.5).update(action[3], click[3], probs[3])
    np.testing.assert_allclose(alone.sums[:, 0], whole.sums[:, 3], atol=1e-9)
    np.testing.assert_allclose(whole.bounds().estimate, whole.sums[0, :, 0] / 90, atol=1e-12)


def test_what_cannot_be_used_is_refused_and_changes_nothing() -> None:
    with pytest.raises(DataError, match=r"least_prob in \(0, 1 / variants\], got 1, 2, 1.0, 0.6"):
        Watch.start(least_prob=0.6)
    with pytest.raises(DataError, match="counts must be at least 1"):
        AASettings(batches=0)
    watch = Watch.start(2, least_prob=0.25)
    action, click, probs = np.zeros((2, 3), dtype=int), np.ones((2, 3)), np.full((2, 3), 0.5)
    for bad in (
        (action + 2, click, probs),
        (action, -click, probs),
        (action, 2 * click, np.full((2, 3), 0.25)),
        (action, click, np.full((2, 3), 0.1)),
        (action, click * np.nan, probs),
        (action[:1], click, probs),
        (action[:, :2], click, probs),
    ):
        with pytest.raises(DataError):
            watch.update(*bad)
    assert not watch.differ().any() and not watch.differ_naive().any()
    assert watch.n == 0 and not watch.sums.any() and not watch.sequence.mass.any()
