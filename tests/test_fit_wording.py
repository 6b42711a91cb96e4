"""The wording part of `copybandit fit`: known effects are found, length is told and can be taken out, MiniLM reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.fit_wording import AUTO, NONE, FittedWording, favourite_gain, fit_tests
from copybandit.sim.sentence import PACKAGE, has_minilm
from copybandit.sim.store import load_record, record_classes, save_record
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import AbTests, load_ab_tests
from copybandit.sim.wording import Arms
from tests.slices import write_upworthy


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> AbTests:
    return load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "ab.csv", n_tests=300))


def lengthy(n: int = 400) -> AbTests:
    """Tests of two headlines in which the longer one wins and nothing else counts."""
    rng = np.random.default_rng(0)
    words = "sun rain wind snow fog hail storm cloud frost dew mist heat".split()
    size = rng.integers(3, 13, 2 * n)
    shown = np.full(2 * n, 20_000)
    return AbTests(
        text=tuple(" ".join(rng.choice(words, k)) + f" {i}" for i, k in enumerate(size.tolist())),
        test=np.repeat(np.arange(n), 2),
        image=np.repeat(np.arange(n), 2),
        impressions=shown,
        clicks=rng.binomial(shown, 0.01 * np.exp(0.08 * size)),
        week=np.zeros(2 * n, dtype=np.int64),
    )


def test_the_favourite_of_one_who_knows_wins_what_there_is_to_win() -> None:
    arms = Arms(
        texts=["a", "b", "c", "d", "alone"],
        group=np.array([7, 7, 3, 3, 9]),
        clicks=np.array([10, 30, 20, 20, 99]),
        impressions=np.full(5, 1000),
    )
    assert favourite_gain(np.array([0.0, 1.0, 0.0, 0.0, 5.0]), arms) == pytest.approx(
        (30 + 20) / (20 + 20) - 1
    )
    assert favourite_gain(np.array([1.0, 0.0, 0.0, 0.0, 5.0]), arms) == pytest.approx(
        (10 + 20) / (20 + 20) - 1
    )


def test_length_is_told_and_can_be_taken_out() -> None:
    told = fit_tests(lengthy(), 0, NONE).report
    deaf = fit_tests(lengthy(), 0, NONE, length=False).report
    assert told.length_allowed and told.correlation_with_length > 0.9
    assert told.pairs.pair_accuracy > 0.8 and told.favourite_gain > 0.1
    assert not deaf.length_allowed and abs(deaf.correlation_with_length) < 0.4
    assert deaf.favourite_gain < told.favourite_gain / 2


def test_what_was_found_survives_saving(archive: AbTests, tmp_path: Path) -> None:
    found = fit_tests(archive, 0, NONE)
    save_record(tmp_path / "wording", found, record_classes(FittedWording))
    again = load_record(tmp_path / "wording", FittedWording, record_classes(FittedWording))
    assert again.report == found.report and again.sentence is None
    np.testing.assert_array_equal(
        again.model.members(archive.text[:9]), found.model.members(archive.text[:9])
    )


def test_minilm_reads_where_it_is_installed(archive: AbTests) -> None:
    if not has_minilm():
        pytest.skip(f"MINILM ABSENT: install torch, transformers and {PACKAGE}")
    found = fit_tests(archive, 0, AUTO)
    assert found.sentence is not None and found.report.encoders == ("Sentence", "Style", "Lsa")
    assert len(found.report.effect_sd) == 3


def test_an_encoder_that_is_not_there_is_refused(archive: AbTests) -> None:
    with pytest.raises(DataError, match="encoder 'nowhere': must be minilm or a folder"):
        fit_tests(archive, 0, "nowhere")
