"""Support: human copy lies inside, spoilt copy outside, and the doubt reaches whatever reads an ensemble's members."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.sim.disorder import disordered
from copybandit.sim.encoders import CharGrams, Style
from copybandit.sim.guarded import STRICT, Guarded, doubt, fit_guarded, lower_bound, signs
from copybandit.sim.search import cross_entropy_search, frequent_phrases, frequent_words
from copybandit.sim.store import load_record, save_record
from copybandit.sim.support import (  # groups are kept apart inside
    ALPHA,
    FOLDS,
    RANGED,
    SURE,
    Support,
    _parted,
)
from copybandit.sim.types import DataError, Floats
from copybandit.sim.upworthy import load_ab_tests
from copybandit.sim.wording import LinearWording
from tests.slices import write_upworthy
from tests.small_world import small_world


@cache
def headlines() -> tuple[str, ...]:
    with TemporaryDirectory() as folder:
        return tuple(dict.fromkeys(load_ab_tests(write_upworthy(Path(folder) / "ab.csv", n_tests=300)).text))


@cache
def support() -> Support:
    return Support.fit(headlines()[:600], [CharGrams(size=256)], np.random.default_rng(0))


def wording() -> LinearWording:
    """Members that differ: three random directions of style."""
    encoder = Style.fit(headlines())
    block = np.random.default_rng(2).normal(size=(3, encoder.dimension)) / 10
    return LinearWording(encoders=(encoder,), coefficients=(block,))


def test_unseen_human_copy_lies_inside() -> None:
    beyond = support().beyond(headlines()[600:])
    assert beyond.shape == (len(headlines()) - 600, len(support().measures))
    assert (beyond[:, : len(RANGED)].sum(axis=1) > 0).mean() < 0.15  # nine ranges of 99% each
    p = support().p_value(headlines()[600:])
    assert (p < ALPHA).mean() < 2 * ALPHA and 0.3 < (p < 0.5).mean() < 0.7
    assert ((support().excess(headlines()[600:]) > 0) <= (p < ALPHA + 0.02)).all()


@pytest.mark.parametrize(
    ("spoil", "measure"),
    [
        (str.upper, "capitals"),
        (lambda text: " ".join([text] * 4), "repeats"),
        (lambda text: text + "🔥" * 6, "strange"),
        (lambda text: text + " 99999999999", "digits"),
        (lambda text: "", "words"),
        (lambda text: text.replace(" ", ""), "longest_word"),
        (lambda text: text + "!" * 40, "marks"),
    ],
)
def test_spoilt_copy_lies_outside_and_the_reason_is_named(spoil, measure: str) -> None:  # type: ignore[no-untyped-def]  # one of several lambdas
    texts = headlines()[600:640]
    beyond = support().beyond([spoil(text) for text in texts])
    assert (beyond[:, support().measures.index(measure)] > 0.2).all()
    assert (support().excess([spoil(text) for text in texts]) > support().excess(texts)).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_is_measured(texts: list[str]) -> None:
    excess = support().excess(texts)
    assert excess.shape == (len(texts),) and np.isfinite(excess).all() and (excess >= 0).all()


def test_doubt_is_added_to_the_spread_and_the_mean_stays() -> None:
    texts = [*headlines()[:20], *(text.upper() for text in headlines()[:20])]
    inner = wording()
    guarded = Guarded(inner=inner, support=support(), unit=0.7)
    found = guarded.members(texts)
    assert len(found) == guarded.n_members == 6
    np.testing.assert_allclose(found.mean(axis=0), inner.members(texts).mean(axis=0))
    apart = guarded.apart(texts, inner.members(texts).mean(axis=0))
    assert (apart >= 0.7 * support().excess(texts)).all() and (apart[20:] > 0.7).all()
    assert (apart[support().p_value(texts) > SURE] == 0).all()
    wanted = np.sqrt(inner.members(texts).var(axis=0) + apart**2)
    np.testing.assert_allclose(doubt(guarded, texts), wanted)
    np.testing.assert_allclose(lower_bound(guarded, texts, 2.0), found.mean(axis=0) - 2 * wanted)


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60), st.floats(STRICT, 3.0), st.integers(0, 99))
def test_a_flagged_text_is_worth_no_more_than_the_ceiling(noise: str, deviations: float, row: int) -> None:
    texts = [noise, f"{headlines()[row]} {noise}", " ".join(headlines()[row].split()[::-1])]
    guarded = Guarded(inner=wording(), support=support(), ceiling=-0.1)
    flagged = support().p_value(texts) < ALPHA
    assert (lower_bound(guarded, texts, deviations)[flagged] <= -0.1 + 1e-9).all()


def test_texts_of_one_group_are_learned_or_held_out_together() -> None:
    texts = [f"{word} {i}" for i in range(20) for word in ("Why", "How", "When")]
    folds, unseen = _parted(texts, np.repeat(np.arange(20), 3), np.random.default_rng(0))
    assert len(folds) == FOLDS and sorted([*unseen, *(text for fold in folds for text in fold)]) == sorted(
        texts
    )
    for part in (unseen, *folds):
        assert len(part) == 3 * len({text.split()[1] for text in part})


def test_a_world_and_its_reward_see_the_doubt() -> None:
    shop = small_world()
    texts, product = list(shop.sample.texts[:30]), shop.sample.product[:30]
    spoilt = [text.upper() + "!!!!!!!!" for text in texts]
    found = Support.fit(shop.sample.texts, [CharGrams(size=256)], np.random.default_rng(0))
    world = replace(shop.fitted, wording=Guarded(inner=shop.fitted.wording, support=found))
    leaning = shop.fitted.leaning(np.arange(40))
    for copy, least in ((texts, 0.0), (spoilt, 0.5)):
        plain, guarded = (w.encode(copy, product) for w in (shop.fitted, world))
        np.testing.assert_allclose(world.gain(leaning, guarded), shop.fitted.gain(leaning, plain), atol=1e-12)
        lost = shop.fitted.gain(leaning, plain, 0.5) - world.gain(leaning, guarded, 0.5)
        assert lost.min() > least - 1e-9


def test_disorder_is_made_of_human_words() -> None:
    made = disordered(headlines()[:50], np.random.default_rng(0))
    assert len(made) == 100
    words = {word for text in headlines()[:50] for word in text.split()}
    assert {word for text in made for word in text.split()} <= words
    assert len(set(made) & set(headlines()[:50])) < 20


def test_a_search_finds_what_is_asked_for() -> None:
    def cats(texts: list[str]) -> Floats:
        return np.array([text.split().count("cat") - 0.1 * len(text.split()) for text in texts])

    found = cross_entropy_search(cats, ["dog", "cat", "cow"], 5, np.random.default_rng(0))  # type: ignore[arg-type]
    assert found[-1] == "cat cat cat cat cat"
    assert frequent_words(["a b b", "b c", "b"])[0] == "b"
    assert frequent_phrases(["x y z w", "x y z"])[0] == "x y z"
    with pytest.raises(DataError, match="a unit and a slot are needed, got 0 and 3"):
        cross_entropy_search(cats, [], 3, np.random.default_rng(0))  # type: ignore[arg-type]


def test_learning_from_attacks_makes_them_unnatural() -> None:
    encoder, rng = [CharGrams(size=256)], np.random.default_rng(4)
    made = [headlines()[350]] * 30  # a text that passes for human

    plain = Support.fit(headlines()[:300], encoder, np.random.default_rng(4))
    warned = Support.fit(headlines()[:300], encoder, rng, attack=lambda found, human: made, rounds=1)
    place = support().measures.index("unnatural_0")
    assert warned.beyond(made[:1])[0, place] > plain.beyond(made[:1])[0, place]


def test_files_bring_it_back(tmp_path: Path) -> None:
    guarded = fit_guarded(
        wording(), headlines()[:200], [CharGrams(size=64)], np.random.default_rng(0), rounds=1
    )
    save_record(tmp_path / "guarded", guarded)
    again = load_record(tmp_path / "guarded", Guarded)
    texts = [*headlines()[:9], "", "AAAA"]
    np.testing.assert_array_equal(again.members(texts), guarded.members(texts))


def test_too_little_copy_is_refused() -> None:
    with pytest.raises(
        DataError, match="support: at least 40 different texts in 10 groups are needed, got 2 in 2"
    ):
        Support.fit(["a", "b", "a"], [CharGrams(size=8)], np.random.default_rng(0))


def test_what_no_encoder_sees_is_every_texts_own() -> None:
    texts, n = list(headlines()[:40]), 64
    block = np.tile(wording().coefficients[0], (n, 1))
    inner = replace(wording(), coefficients=(block,))
    free = replace(support(), oddness=np.full(99, 1e9))  # nothing is odd
    guarded = Guarded(inner=inner, support=free, own=0.3)
    found = guarded.members(texts) - np.concatenate([inner.members(texts)] * 2)
    np.testing.assert_allclose(np.abs(found), 0.3)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    gains = found[:, 1:] - found[:, :1]
    assert (
        abs(gains.var(axis=0).mean() / (2 * 0.3**2) - 1) < 0.1
    )  # of a difference both count, each by itself
    np.testing.assert_array_equal(signs(texts[::-1], n), signs(texts, n)[:, ::-1])
    assert signs([], 5).shape == (5, 0) and set(np.unique(signs(texts, 5))) == {-1.0, 1.0}
