"""Play a policy's seasons beside those of another and say what they were worth."""

from __future__ import annotations

import numpy as np
from msgspec import structs

from copybandit.agents.bandit import batch_of
from copybandit.agents.batch_rows import take
from copybandit.agents.explain import explain
from copybandit.agents.explain_parts import FeatureNames
from copybandit.agents.policy_files import read_manifest
from copybandit.evaluation.headline import reward_words
from copybandit.evaluation.policy_card import Explained, PolicyCard, SampleDecision, SegmentRow, Told
from copybandit.evaluation.policy_cautions import cautions
from copybandit.evaluation.policy_prepare import Prepared, prepare
from copybandit.evaluation.policy_request import PolicyRequest
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.season_looks import Looking
from copybandit.evaluation.season_trial import Seasons, play_seasons
from copybandit.evaluation.season_worth import counts_clicks, season_reward
from copybandit.evaluation.smooth import Smooth, lift
from copybandit.sim.segments import MIN_CELL
from copybandit.sim.types import Segment

NAMES = FeatureNames(
    context=("interest in the product",), state=("warm start", "earlier exposures", "match with the shopper")
)
SAMPLES = 4
"""Decisions that are explained."""
OURS, THEIRS = 0, 1


def make_policy_card(request: PolicyRequest, progress: Progress) -> PolicyCard:
    """Judge the one checkpoint of a request.

    Raises:
        DataError: see `prepare`.
    """
    prepared = prepare(request, progress)
    looking = tuple(Looking(one.name) for one in prepared.contenders)
    played = play(prepared, progress, looking)
    [checkpoint] = request.checkpoints
    assert checkpoint.policy is not None
    settings = prepared.pipeline.settings
    looks = tuple(one.told() for one in looking)
    return PolicyCard(
        run=request.run.resolve().name,
        checkpoint=checkpoint.name,
        kind=checkpoint.kind,
        policy=prepared.contenders[OURS].enter().name,
        rows_learned=0 if request.pairs else read_manifest(checkpoint.policy).lineage.rows,
        against=request.against,
        learns=request.learns,
        seasons=request.seasons,
        impressions=prepared.options.n_impressions,
        clusters="seasons" if request.learns else "shoppers",
        semi_synthetic=settings.world != "synthetic",
        reward=reward_words(structs.asdict(prepared.options.reward)) or "clicks",
        figures=figures(played, request.learns, clicks=counts_clicks(prepared.options.reward)),
        segments=by_segment(prepared, played, request.learns),
        looks=looks,
        decisions=sample_decisions(prepared),
        cautions=cautions(request, looks[OURS], semi_synthetic=settings.world != "synthetic"),
    )


def play(prepared: Prepared, progress: Progress, looking: tuple[Looking, ...] = ()) -> Seasons:
    """Everybody's seasons; ``looking`` has one for each contender, or none."""
    n = prepared.options.n_impressions * len(prepared.seeds) * len(prepared.contenders)
    progress.stage("seasons", total=n)
    return play_seasons(
        prepared.contenders,
        prepared.options,
        prepared.seeds,
        lambda place, done: looking[place].see(done) if looking else None,
        progress.advance,
    )


def figures(played: Seasons, by_season: bool, *, clicks: bool) -> tuple[Told, ...]:
    """Of the first contender beside the second; reward is left out where it is the clicks."""
    ours, theirs = (measures(played.worth(place, by_season)) for place in (OURS, THEIRS))
    return tuple(
        Told(
            name=name,
            words=words,
            unit=unit,
            ours=ours[name].interval(),
            theirs=theirs[name].interval(),
            difference=(ours[name] - theirs[name]).interval(),
            lift=lift(ours[name], theirs[name]) if has_lift else None,
        )
        for name, words, unit, has_lift in LISTED
        if not (clicks and name == "reward_per_1000")
    )


LISTED = (
    ("ctr", "clicks per impression", "share", True),
    ("conversion", "purchases per click", "share", True),
    ("revenue_per_1000", "revenue per 1,000 impressions", "money", True),
    ("reward_per_1000", "reward per 1,000 impressions", "count", True),
    ("regret_per_1000", "reward lost to the myopic oracle per 1,000 impressions", "count", False),
    ("gap_closed", "share of the gap from uniform to oracle that is closed", "share", False),
)
"""Name, words, unit, and whether a ratio means something."""


def measures(worth: dict[str, Smooth]) -> dict[str, Smooth]:
    """What is told of a contender, from the means of `WORTH`."""
    regret = worth["oracle"] - worth["reward"]
    return {
        "ctr": worth["click"],
        "conversion": worth["purchase"] / worth["click"],
        "revenue_per_1000": worth["revenue"] * 1000,
        "reward_per_1000": worth["reward"] * 1000,
        "regret_per_1000": regret * 1000,
        "gap_closed": (worth["reward"] - worth["uniform"]) / (worth["oracle"] - worth["uniform"]),
    }


def by_segment(prepared: Prepared, played: Seasons, by_season: bool) -> tuple[SegmentRow, ...]:
    """Clicks by segment; of those with fewer than `MIN_CELL` shoppers only how many there are."""
    fitted, rows = prepared.pipeline.fitted(), list[SegmentRow]()
    came = played.count.sum(axis=0) > 0
    for index, segment in enumerate(fitted.segments):
        mine = came & (fitted.label == segment.segment_id)
        enough = int(mine.sum()) >= MIN_CELL
        ours, theirs = (
            (played.worth(place, by_season, mine)["click"] if enough else None) for place in (OURS, THEIRS)
        )
        rows.append(
            SegmentRow(
                name=words_of(segment, index),
                shoppers=int(mine.sum()),
                impressions=int(played.count[:, mine].sum()),
                ctr=ours.interval() if ours else None,
                difference=(ours - theirs).interval() if ours and theirs else None,
            )
        )
    return tuple(rows)


def words_of(segment: Segment, index: int) -> str:
    """A segment as readers have it."""
    return ", ".join(segment.interests[:2]) or f"segment {index + 1}"


def sample_decisions(prepared: Prepared) -> tuple[SampleDecision, ...]:
    """Requests of the first season's first step, evenly spaced, as the judged policy decides them before it begins."""
    stage, contender = prepared.stages[OURS], prepared.contenders[OURS]
    shop = stage.shop.fresh(prepared.seeds[0])
    size = min(prepared.options.batch_size, len(stage.shop.gold.taste.shoppers))
    visits = season_reward(prepared.options.reward, shop).warm_start(shop.visits(0, size))
    rows = np.unique(np.linspace(0, size - 1, min(SAMPLES, size)).astype(np.int64))
    batch = take(batch_of(visits, stage.goods.actions), rows)
    found, fitted = explain(contender.enter().policy, batch, NAMES), prepared.pipeline.fitted()
    told = []
    for row, candidates in zip(rows.tolist(), found, strict=True):
        best = sorted(candidates, key=lambda one: -one.probability)
        label = int(fitted.label[visits.shopper[row]])
        place = [segment.segment_id for segment in fitted.segments].index(label)
        told.append(
            SampleDecision(
                product=stage.data.products[visits.product[row]].name,
                segment=words_of(fitted.segments[place], place),
                candidates=tuple(
                    Explained(
                        text=stage.shown.texts[one.variant],
                        probability=one.probability,
                        sentence=one.sentence,
                    )
                    for one in best
                ),
            )
        )
    return tuple(told)
