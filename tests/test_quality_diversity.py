"""Quality over diversity: points are what they say, curves are compared at equal diversity, and the picture is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from copybandit.evaluation.cells import CellReward, make_cells
from copybandit.evaluation.quality_chart import save_picture
from copybandit.evaluation.quality_diversity import Point, gap, sweep, token_log_prob
from copybandit.evaluation.self_bleu import self_bleu
from copybandit.generators.editor import Editor, check
from copybandit.generators.lm import CausalLM
from copybandit.generators.protocol import Generator
from copybandit.generators.template import REFERENCE
from copybandit.sim.surprisal import Surprisal
from copybandit.sim.types import DataError, Segment
from tests.small_world import small_world


def test_a_sweep_measures_every_writer_at_every_temperature(tmp_path: Path) -> None:
    world = small_world()
    segments = [Segment(segment_id=0, interests=world.words[:2], size=100)]
    everybody, products = np.ones(200, dtype=bool), np.arange(40) >= 30
    cells = make_cells(world.products, segments, np.zeros(200, dtype=np.int64), everybody, products)
    reward, rows = CellReward(world.fitted, cells, Editor()), np.arange(len(cells))
    reference = Surprisal.fit(world.sample.texts[:240])
    tiny = CausalLM.load("tiny", max_new_tokens=24)
    writers: dict[str, Generator] = {"tiny": tiny, "template": REFERENCE}
    points = sweep(writers, reward, rows, reference, temperatures=(0.1, 1.0, 2.0), seed=1)
    assert [(point.writer, point.temperature) for point in points] == [
        *(("tiny", temperature) for temperature in (0.1, 1.0, 2.0)),
        ("template", None),
    ]
    assert tiny.temperature == 1.0
    cold, usual, hot, template = points
    assert cold.self_bleu > usual.self_bleu > hot.self_bleu
    assert (
        min(cold.log_prob, usual.log_prob) > hot.log_prob
    )  # the grammar's own copy is as likely as cold copy
    assert min(cold.approved, usual.approved) > hot.approved and template.approved == 1.0
    assert template.self_bleu_within == pytest.approx(1.0) and template.texts == 2 * len(cells)
    texts = [REFERENCE.text(brief) for brief in cells.briefs]
    assert template.log_prob == pytest.approx(token_log_prob(reference, texts).mean())
    assert template.self_bleu == pytest.approx(self_bleu([text for text in texts for _ in range(2)]))
    assert template.reward == pytest.approx(reward(rows, texts).total.mean())
    assert not any(check(brief, text) for brief, text in zip(cells.briefs, texts, strict=True))
    again = sweep(writers, reward, rows, reference, temperatures=(0.1, 1.0, 2.0), seed=1)
    assert again == points
    picture = tmp_path / "sweep.png"
    save_picture(points, picture)
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000
    save_picture(points, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == picture.read_bytes()


def test_real_copy_is_likelier_than_disorder() -> None:
    world = small_world()
    reference = Surprisal.fit(world.sample.texts[:240])
    real = list(world.sample.texts[240:])
    rng = np.random.default_rng(0)
    shuffled = [" ".join(str(word) for word in rng.permutation(text.split())) for text in real]
    assert token_log_prob(reference, real).mean() > token_log_prob(reference, shuffled).mean() + 1


def point(writer: str, self_bleu: float, log_prob: float) -> Point:
    return Point(
        writer=writer,
        temperature=1.0,
        texts=2,
        self_bleu=self_bleu,
        self_bleu_within=0.5,
        log_prob=log_prob,
        approved=1.0,
        reward=0.0,
    )


BASELINE = [point("a", 0.2, -3.0), point("a", 0.6, -1.0)]


def test_a_gap_is_the_mean_height_of_one_curve_over_another() -> None:
    above = [point("b", 0.4, -1.5), point("b", 0.8, 0.5)]  # .5 above everywhere: at .4 the baseline has -2
    found = gap([*BASELINE, *above], "b", "a")
    assert (found.low, found.high) == (0.4, 0.6) and found.log_prob == pytest.approx(0.5)
    # A writer that only sits further along the same curve is no better.
    along = [replace(one, writer="b") for one in (point("b", 0.3, -2.5), point("b", 0.7, -0.5))]
    assert gap([*BASELINE, *along], "b", "a").log_prob == pytest.approx(0.0)


def test_curves_that_do_not_meet_have_no_gap() -> None:
    apart = [point("b", 0.7, -1.0), point("b", 0.8, -1.0)]
    assert np.isnan(gap([*BASELINE, *apart], "b", "a").log_prob)
    with pytest.raises(DataError, match="at least 2 points, got 1 of 'c'"):
        gap([*BASELINE, point("c", 0.5, 0.0)], "c", "a")
