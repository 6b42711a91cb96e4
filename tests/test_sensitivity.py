"""The lift at the ends of assumed ranges."""

from __future__ import annotations

import numpy as np
import pytest

from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.sensitivity import (
    RANGES,
    SEASON_RANGES,
    STYLE_SHARES,
    season_sensitivity,
    sensitivity,
    variants,
)
from copybandit.generators.template import INTEREST_TEMPLATE
from copybandit.sim.oracle import WITHIN_BRIEF_SD, within_brief_sd


def test_every_assumed_value_is_tried_and_the_gold_value_gives_the_gold_lift(fitted: Pipeline) -> None:
    gold, judge, shop = fitted.gold(), fitted.cells("judge"), fitted.shop()
    tuned = [[INTEREST_TEMPLATE.text(brief) for brief in judge.briefs]]
    before = [[shop.references[product] for product in judge.product]]
    rows = sensitivity(gold, judge, shop.sample, tuned, before, 200, seed=0)
    assert len(rows) == sum(map(len, RANGES.values())) + len(STYLE_SHARES)
    expected = judge.rates(gold, tuned).mean() / judge.rates(gold, before).mean() - 1
    same = [row for row in rows if (row.term, row.value) in (("b_match", 0.3), ("b_interest", 0.5))]
    assert len(same) == 2
    for row in same:
        assert row.lift == pytest.approx(expected, abs=0.01)
        assert row.conclusion == "holds"
    # Interest words pay through match alone or nearly so: more match, more lift.
    by_match = [row.lift for row in rows if row.term == "b_match"]
    assert by_match == sorted(by_match)


def test_a_conclusion_that_changes_sides_flips(fitted: Pipeline) -> None:
    gold, judge, shop = fitted.gold(), fitted.cells("judge"), fitted.shop()
    same = [[shop.references[product] for product in judge.product]]
    rows = sensitivity(gold, judge, shop.sample, same, same, 200, seed=0)
    assert {row.conclusion for row in rows} == {"holds"}
    assert all(row.lift == 0 for row in rows)


def test_variants_of_style_share_keep_the_spread_of_wording(fitted: Pipeline) -> None:
    gold, shop = fitted.gold(), fitted.shop()
    for term, share, world in variants(gold, shop.sample, seed=0):
        if term == "style share of wording":
            value = world.encode(shop.sample.texts, shop.sample.product).wording.mean(axis=0)
            spread = within_brief_sd(value, shop.sample.product)
            # Two parts that are drawn apart add up in quadrature only on average.
            assert spread == pytest.approx(WITHIN_BRIEF_SD, rel=0.15), share
            assert np.isfinite(value).all()


def test_a_season_is_played_at_both_ends_and_flips_where_the_target_is_missed(fitted: Pipeline) -> None:
    # A world's own coefficient stands for the season: less is closed where shoppers tire fast.
    rows = season_sensitivity(fitted.gold(), lambda world: 0.9 - 2 * world.coefficients.fatigue, 0.65)
    assert [(row.term, row.value) for row in rows] == [
        (term, value) for term, values in SEASON_RANGES.items() for value in (values[0], values[-1])
    ]
    by_value = {(row.term, row.value): row for row in rows}
    assert by_value["fatigue", 0.0].conclusion == "holds"
    assert by_value["fatigue", 0.3].gap_closed == pytest.approx(0.3)
    assert by_value["fatigue", 0.3].conclusion == "flips"
