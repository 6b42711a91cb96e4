"""The real-click test of tuned writers, told: figures of the judge part, and headlines before and after on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copybandit.evaluation.clicks_data import NO_LEDE, News
from copybandit.evaluation.clicks_gold import GoldHeadlines, cell_component
from copybandit.evaluation.clicks_judge import ClickTest, click_test, log_probs, preference
from copybandit.evaluation.clicks_reward import HeadlineReward
from copybandit.evaluation.clicks_tune import Tuned, prefers_per_token
from copybandit.evaluation.intervals import Interval, lift_interval
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import END
from copybandit.sim.types import Floats

SHOWN = 30
"""Ledes on the page."""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What a writer wrote for the ledes of the judge part; means over texts and seeds.

    Attributes:
        reward: as tuning counts it, in log-odds.
        wording: the reward's mean gain alone, in log-odds.
        refused, copied, unique: shares refused by the desk, nearly learned headlines, and different texts.
        characters: mean length.
    """

    reward: float
    wording: float
    refused: float
    copied: float
    unique: float
    characters: float


@dataclass(frozen=True, kw_only=True)
class ClickReport:
    """All figures.

    Attributes:
        normalised: whether the select part chose the preference over tokens.
        headline: the test by the chosen preference.
        total, per_token: by both.
        reward_mean, reward_bound: by what the reward itself thinks of the headlines: its mean, and its lower bound.
        gold: by the second opinion.
        sft: by log probability before tuning.
        gold_lift: click rate of what the tuned writers wrote over SFT's, minus 1, by the second opinion; every component
            counts once.
        kl: log ratio of tuned to untuned writer on tuned copy, in nats, of each seed.
        before, after: what SFT and the tuned writers wrote.
    """

    normalised: bool
    headline: ClickTest
    total: ClickTest
    per_token: ClickTest
    reward_mean: ClickTest
    reward_bound: ClickTest
    gold: ClickTest
    sft: ClickTest
    gold_lift: Interval
    kl: tuple[float, ...]
    before: Writing
    after: Writing


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One lede and what was written for it, by whom tuned or not, with what the second opinion gains by tuning."""

    lede: str
    human: str
    before: str
    after: str
    gold: float
    refused: tuple[str, ...]
    copied: bool


def judge(
    sft: CausalLM, tuned: Sequence[Tuned], news: News, reward: HeadlineReward, replicates: int, seed: int
) -> tuple[ClickReport, tuple[Pair, ...]]:
    """Judge tuned writers on the judge part, and show some of what they wrote.

    Args:
        sft: the untuned writer.
        tuned: one run for each seed.
        news: the judge part; it is read here and nowhere else.
        reward: in the judge part.
        replicates: of the bootstrap.
        seed: of writing and resampling.
    """
    rng = np.random.default_rng([seed, 20])
    before = log_probs(sft, news)
    found = preference(before, np.stack([log_probs(one.writer, news) for one in tuned]), sft, news)
    normalised = prefers_per_token(list(tuned))
    gold = GoldHeadlines.fit(news, rng)
    ours, theirs = (
        _written(writers, news, rng) for writers in ([one.writer for one in tuned], [sft] * len(tuned))
    )
    component = cell_component(news)
    rate_ours, rate_theirs = (np.exp([gold.score(row, component) for row in rows]) for rows in (ours, theirs))

    own = reward(news.cell, list(news.tests.text))
    scores = {
        "total": found.total,
        "per_token": found.per_token,
        "reward_mean": dict(own.components)["wording"],
        "reward_bound": own.total,
        "gold": gold.score(news.tests.text, news.component),
        "sft": before,
    }
    tests = {name: click_test(np.atleast_2d(score), news, replicates, rng) for name, score in scores.items()}
    report = ClickReport(
        normalised=normalised,
        headline=tests["per_token" if normalised else "total"],
        gold_lift=lift_interval(rate_ours, rate_theirs, component, replicates, rng),
        kl=tuple(_kl(one.writer, sft, news, rows) for one, rows in zip(tuned, ours, strict=True)),
        before=_told(theirs, reward),
        after=_told(ours, reward),
        **tests,
    )
    return report, shown(news, theirs[0], ours[0], np.log(rate_ours[0] / rate_theirs[0]), reward, rng)


def _written(writers: Sequence[CausalLM], news: News, rng: np.random.Generator) -> list[list[str]]:
    """One headline of each writer for each prompt; a dash where it wrote nothing."""
    return [[text or NO_LEDE for (text,) in writer.write(news.prompts, 1, rng)] for writer in writers]


def _kl(tuned: CausalLM, sft: CausalLM, news: News, texts: list[str]) -> float:
    ratio = tuned.text_log_prob(news.prompts, texts) - sft.text_log_prob(news.prompts, texts)
    return float(ratio.mean())


def _told(rows: list[list[str]], reward: HeadlineReward) -> Writing:
    texts, index = [text for row in rows for text in row], np.tile(np.arange(len(rows[0])), len(rows))
    found = reward(index, texts)
    parts = dict(found.components)
    return Writing(
        reward=float(found.total.mean()),
        wording=float(parts["wording"].mean()),
        refused=float(parts["refused"].mean()),
        copied=float(parts["copied"].mean()),
        unique=float(np.mean([len(set(row)) / len(row) for row in rows])),
        characters=float(np.mean([len(text) for text in texts])),
    )


def shown(
    news: News,
    before: list[str],
    after: list[str],
    gold: Floats,
    reward: HeadlineReward,
    rng: np.random.Generator,
) -> tuple[Pair, ...]:
    """Ledes drawn by chance, in order of what the second opinion gains, shape (c,), best first."""
    cells = rng.permutation(len(news.prompts))[:SHOWN]
    cells = cells[np.argsort(-gold[cells], kind="stable")]
    first = np.unique(news.cell, return_index=True)[1]
    copied = reward.desk.copied([after[cell] for cell in cells.tolist()])
    return tuple(
        Pair(
            lede=news.prompts[cell].removesuffix(END),
            human=news.tests.text[first[cell]],
            before=before[cell],
            after=after[cell],
            gold=float(gold[cell]),
            refused=reward.desk.refusals(after[cell]),
            copied=bool(flag),
        )
        for cell, flag in zip(cells.tolist(), copied.tolist(), strict=True)
    )
