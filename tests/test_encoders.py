"""Encoders: the same texts give the same vectors, odd texts give harmless ones, and files bring them back bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from copybandit.sim.encoders import CharGrams, Encoder, Lsa, RandomFourier, Skeleton, Style
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import DataError
from tests.small_world import small_world

UNKNOWN = ["qqzzx wvvk", "12 34", "", "!?"]


def texts() -> list[str]:
    return list(small_world().sample.texts)


def fitted(name: str) -> Encoder:
    made: dict[str, Callable[[], Encoder]] = {
        "lsa": lambda: Lsa.fit(texts(), 12),
        "skeleton": lambda: Skeleton.fit(texts(), np.arange(len(texts())), 6),
        "style": lambda: Style.fit(texts()),
        "char-grams": lambda: CharGrams(size=256),
        "fourier": lambda: RandomFourier.fit(texts(), 32, 1.0, np.random.default_rng(0)),
    }
    return made[name]()


@pytest.mark.parametrize("name", ["lsa", "skeleton", "style", "char-grams", "fourier"])
def test_every_encoder(name: str, tmp_path: Path) -> None:
    encoder = fitted(name)
    vectors = encoder.encode(texts()[:40])
    assert vectors.shape == (40, encoder.dimension) and vectors.dtype == np.float64
    assert np.isfinite(encoder.encode(UNKNOWN)).all()
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert np.allclose(encoder.encode(texts()[7:8])[0], vectors[7], rtol=0, atol=1e-12)
    assert (encoder.encode(texts()[:40][::-1])[::-1] == vectors).all()
    save_record(tmp_path / "encoder", encoder)
    assert (load_record(tmp_path / "encoder", type(encoder)).encode(texts()[:40]) == vectors).all()


def test_lsa_is_the_same_when_fitted_again_and_fixes_its_signs() -> None:
    first, again = Lsa.fit(texts(), 12), Lsa.fit(texts(), 12)
    assert first.vocabulary == again.vocabulary and (first.components == again.components).all()
    largest = np.abs(first.components).argmax(axis=0)
    assert (first.components[largest, np.arange(first.dimension)] > 0).all()
    assert np.allclose(first.components.T @ first.components, np.eye(first.dimension), atol=1e-9)


def test_lsa_knows_nothing_of_unknown_words() -> None:
    assert (Lsa.fit(texts(), 12).encode(UNKNOWN) == 0).all()


def test_lsa_puts_texts_that_share_words_together() -> None:
    talk = ["wooden garden chair", "garden chair wooden", "silk scarf blue", "blue silk scarf"]
    x = Lsa.fit(talk, 3).encode(talk)
    assert np.linalg.norm(x[0] - x[1]) < 0.5 * np.linalg.norm(x[0] - x[2])


@pytest.mark.parametrize(
    "few", [[], [""], ["one text"], ["mug", "mug"], ["a b", "a b"], ["red mug", "blue cup"]]
)
def test_lsa_refuses_too_little_text(few: list[str]) -> None:
    with pytest.raises(DataError, match=r"LSA needs .* give more text"):
        Lsa.fit(few, 4)


def test_style_is_standardised_clipped_and_drops_what_never_varies() -> None:
    style = Style.fit(texts())
    x = style.encode(texts())
    varies = style.scale > 0
    assert np.abs(x[:, varies].mean(axis=0)).max() < 0.15
    assert (x[:, ~varies] == 0).all() and np.abs(x).max() <= 4
    with pytest.raises(DataError, match="style: needs at least one text"):
        Style.fit([])


def test_char_grams_have_unit_length() -> None:
    x = CharGrams(size=256).encode(texts()[:20])
    assert np.allclose(np.linalg.norm(x, axis=1), 1)


def test_random_fourier_features_approach_their_kernel() -> None:
    width = 1.0
    model = RandomFourier.fit(texts(), 4096, width, np.random.default_rng(1))
    x, z = model.encode(texts()[:30]), model.style.encode(texts()[:30])
    square = ((z[:, None, :] - z[None, :, :]) ** 2).sum(axis=2)
    kernel = np.exp(-square / (2 * width**2 * z.shape[1]))
    assert np.abs(x @ x.T - kernel).max() < 5 / np.sqrt(4096)


def test_a_skeleton_knows_the_sentence_and_not_its_subject() -> None:
    names = ["mug", "lamp", "kite", "rug", "vase", "bowl", "tray", "clock", "purse", "scarf"]
    talk = [
        pattern.format(name)
        for name in names
        for pattern in ("Do you need a {}?", "Meet the {}. It costs 9.50!")
    ]
    encoder = Skeleton.fit(talk, np.repeat(np.arange(10), 2), dimension=4, share=0.5)
    assert "mug" not in encoder.common and {"do", "you", "a", "meet", "the"} <= set(encoder.common)
    x = encoder.encode(["Do you need a mug?", "Do you need a teapot?", "Meet the mug. It costs 120!"])
    np.testing.assert_allclose(x[0], x[1])
    assert np.abs(x[0] - x[2]).max() > 0.1
