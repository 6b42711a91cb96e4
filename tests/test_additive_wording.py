"""Wording as a sum of Gaussian processes: known truths come back, and only differences within a test count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.additive_wording import fit_additive, own_variance, usual_encoders
from copybandit.sim.blocks import CLIP, Block, sizes
from copybandit.sim.encoders import CharGrams, Style
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import DataError, Floats
from copybandit.sim.upworthy import load_ab_tests
from copybandit.sim.wording import Arms, LinearWording, centred
from tests.slices import write_upworthy


@pytest.fixture(scope="module")
def headlines(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    return load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "slice.csv", n_tests=400)).text


def simulated(headlines: tuple[str, ...], own_sd: float = 0.2, seed: int = 0) -> tuple[Arms, Floats]:
    """Tests of four headlines each in which style moves clicks by a sd of .3; and what style does, shape (n,)."""
    rng = np.random.default_rng(seed)
    n = len(headlines) // 4 * 4
    texts, group = headlines[:n], np.repeat(np.arange(n // 4), 4)
    x = Block.fit(Style.fit(texts), texts).encode(texts)
    effect = x @ rng.normal(size=x.shape[1])
    effect *= 0.3 / effect.std()
    rate = 0.02 * np.exp(effect + own_sd * rng.normal(size=n) + 0.5 * rng.normal(size=n // 4)[group])
    shown = rng.integers(8_000, 20_000, n)
    arms = Arms(texts=texts, group=group, clicks=rng.binomial(shown, rate.clip(0, 1)), impressions=shown)
    return arms, effect


def test_a_known_effect_comes_back_calibrated(headlines: tuple[str, ...]) -> None:
    arms, effect = simulated(headlines)
    fit = fit_additive(arms, (Style.fit(arms.texts), CharGrams(size=64)), np.random.default_rng(1), pairs=100)
    members = fit.wording.members(arms.texts)
    even = np.ones(len(effect))
    truth, found = centred(effect, arms.group, even), centred(members.mean(axis=0), arms.group, even)
    assert np.corrcoef(truth, found)[0, 1] > 0.95
    assert 0.9 < (truth @ found) / (found @ found) < 1.1
    deep = np.array([centred(member, arms.group, even) for member in members]).std(axis=0)
    seen = deep > 1e-9
    assert 0.4 < ((truth - found)[seen] / deep[seen]).std() < 1.4
    assert fit.effect_sd[0] > 5 * fit.effect_sd[1]


def test_members_come_in_pairs_around_one_mean(headlines: tuple[str, ...]) -> None:
    arms, _ = simulated(headlines)
    first, again = (
        fit_additive(arms, (Style.fit(arms.texts),), np.random.default_rng(seed), pairs=3) for seed in (0, 1)
    )
    (a,), (b,) = first.wording.coefficients, again.wording.coefficients
    assert len(a) == 6 and not np.allclose(a, b)
    np.testing.assert_allclose(a[0] + a[1], a[4] + a[5], atol=1e-12)
    np.testing.assert_allclose(a.mean(axis=0), b.mean(axis=0), atol=1e-12)


def test_names_of_groups_and_order_of_arms_do_not_matter(headlines: tuple[str, ...]) -> None:
    arms, _ = simulated(headlines)
    order = np.random.default_rng(3).permutation(len(arms.texts))
    other = Arms(
        texts=[arms.texts[i] for i in order.tolist()],
        group=7 * arms.group.max() - 3 * np.asarray(arms.group)[order],
        clicks=np.asarray(arms.clicks)[order],
        impressions=np.asarray(arms.impressions)[order],
    )
    encoder = Style.fit(arms.texts)
    found = [fit_additive(a, (encoder,), np.random.default_rng(0)).wording for a in (arms, other)]
    scores = [wording.members(arms.texts[:20]).mean(axis=0) for wording in found]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(own=st.floats(0.1, 0.6), seed=st.integers(0, 1000))
def test_the_own_variance_is_that_of_the_draws(own: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(600), 3)
    noise = rng.uniform(0.01, 0.05, len(group))
    y = (
        rng.normal(size=600)[group] * 3
        + own * rng.normal(size=len(group))
        + np.sqrt(noise) * rng.normal(size=len(group))
    )
    error = np.sqrt(2 / 1200) * (own**2 + noise.mean())
    assert abs(own_variance(y, noise, group) - own**2) < 4 * error


def test_length_can_be_silenced(headlines: tuple[str, ...]) -> None:
    arms, _ = simulated(headlines)
    encoders = usual_encoders(arms.texts, None)
    even = np.ones(len(arms.texts))
    length = centred(sizes(arms.texts), arms.group, even)

    def correlation(wording: LinearWording) -> Floats:
        score = centred(wording.members(arms.texts).mean(axis=0), arms.group, even)
        return np.array([np.corrcoef(score, column)[0, 1] for column in length.T])

    loud = fit_additive(arms, encoders, np.random.default_rng(0)).wording
    quiet = fit_additive(arms, encoders, np.random.default_rng(0), without_length=True).wording
    assert np.abs(correlation(loud)).max() > 0.05
    np.testing.assert_allclose(correlation(quiet), 0, atol=1e-6)


def test_blocks_have_one_scale_and_a_limit(headlines: tuple[str, ...]) -> None:
    for encoder in (Style.fit(headlines), CharGrams(size=64)):
        x = Block.fit(encoder, headlines).encode(headlines)
        assert 0.9 < (x**2).sum(axis=1).mean() <= 1.001
        assert np.abs(x).max() <= CLIP / np.sqrt((x.std(axis=0) > 0).sum()) + 1e-12
    with pytest.raises(DataError, match="block: needs at least one text"):
        Block.fit(CharGrams(size=8), [])


def test_files_bring_it_back(headlines: tuple[str, ...], tmp_path: Path) -> None:
    arms, _ = simulated(headlines)
    wording = fit_additive(arms, usual_encoders(arms.texts, None), np.random.default_rng(0)).wording
    save_record(tmp_path / "wording", wording)
    again = load_record(tmp_path / "wording", LinearWording)
    np.testing.assert_array_equal(again.members(headlines[:9]), wording.members(headlines[:9]))


def test_groups_of_one_are_refused(headlines: tuple[str, ...]) -> None:
    arms, _ = simulated(headlines)
    alone = replace(arms, group=np.arange(len(arms.texts)))
    with pytest.raises(DataError, match=r"a group of two arms is needed, got \d+ groups of one"):
        fit_additive(alone, (Style.fit(arms.texts),), np.random.default_rng(0))
