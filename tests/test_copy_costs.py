"""What tuning may cost: nothing for the untuned writer's own copy, more the further a text is from it."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.evaluation.copy_costs import CopyCosts, repeated, traits
from copybandit.evaluation.settings import LimitSettings
from tests.tiny_lm import brief, tiny_writer

BRIEFS = [brief(i) for i in range(24)]
LIMITS = LimitSettings(length=0.15, fluency=0.1, repetition=0.05, sameness=0.05)


def costs(limits: LimitSettings = LIMITS) -> CopyCosts:
    found = CopyCosts.of(tiny_writer(), BRIEFS, limits, 480, np.random.default_rng(0))
    assert found is not None
    return found


def test_the_untuned_writer_s_own_copy_keeps_every_limit() -> None:
    writer, asked = tiny_writer(), BRIEFS * 20
    texts = [row[0].text for row in writer.propose(asked, 1, np.random.default_rng(1))]
    found, caps = dict(costs()(asked, texts)), dict(costs().caps)
    assert found.keys() == caps.keys() == {"longer", "shorter", "fluency", "repetition", "sameness"}
    for name, values in found.items():
        assert values.shape == (len(texts),)
        assert abs(values.mean()) < 0.5 * caps[name], name


def test_each_cost_sees_its_own_fault_and_no_limit_asks_nothing() -> None:
    measured = costs()
    texts = [row[0].text for row in tiny_writer().propose(BRIEFS, 1, np.random.default_rng(2))]
    plain = {name: values.mean() for name, values in measured(BRIEFS, texts)}
    longer = {name: v.mean() for name, v in measured(BRIEFS, [f"{text} {text}" for text in texts])}
    assert longer["longer"] == pytest.approx(-longer["shorter"])
    assert longer["longer"] > plain["longer"] + 0.6 and longer["repetition"] > plain["repetition"] + 0.3
    same = {
        name: v.mean() for name, v in measured(BRIEFS, [f"{b.product.name} is here for you" for b in BRIEFS])
    }
    assert same["sameness"] > plain["sameness"] + 0.5
    assert CopyCosts.of(tiny_writer(), BRIEFS, LimitSettings(), 8, np.random.default_rng(0)) is None
    assert [name for name, _ in costs(LimitSettings(fluency=0.2)).caps] == ["fluency"]
    assert dict(costs(LimitSettings(fluency=0.2)).caps)["fluency"] == pytest.approx(np.log(1.2))


def test_surprise_is_that_of_the_untuned_writer_per_token() -> None:
    writer = tiny_writer(spread=1.0)
    writer.temperature = 0.7
    texts = [f"{one.product.name} for you" for one in BRIEFS]
    tokens = np.array([len(row) for row in writer.response_ids(texts)])
    expected = -writer.log_prob(BRIEFS, texts) / tokens
    np.testing.assert_allclose(traits(writer, BRIEFS, texts).surprise, expected, rtol=1e-9)


def test_repeated_words_are_counted_case_apart() -> None:
    assert repeated("") == 0 and repeated("One two three") == 0
    assert repeated("new New NEW mug") == pytest.approx(0.5)
