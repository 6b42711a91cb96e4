"""The three numbers that matter, in plain words: what the terminal prints last and the report says first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SUSPECT_LIFT = 0.15
"""A lift above this is more often a fault in the set-up than good copy."""
TARGET_SHARE = 0.6
"""Share of the gap between uniform and oracle that the policy named in advance should close."""

Verdict = Literal["good", "bad", "open"]


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number a reader takes home.

    Attributes:
        label: what it measures.
        figure: the number with its unit.
        interval: its 95% interval, empty where there is none.
        words: what it means.
        verdict: ``open`` when the interval holds zero.
        warning: why to doubt it, mostly empty.
    """

    label: str
    figure: str
    interval: str
    words: str
    verdict: Verdict
    warning: str = ""


def percent(value: float, *, signed: bool = False, digits: int = 1) -> str:
    """A fraction as a percentage, with a true minus sign.

    >>> percent(0.0421, signed=True), percent(-0.5)
    ('+4.2%', '−50.0%')
    """
    text = f"{100 * value:{'+' if signed else ''}.{digits}f}%"
    return text.replace("-", "−")


def headline(report: Mapping[str, Any]) -> list[Number]:
    """The numbers a report can give: the lift of tuned copy, the bandit's share, the swap test."""
    generator, bandit = report.get("generator", {}), report.get("bandit", {})
    numbers = []
    if _has_interval(generator.get("ppo_gold_lift")):
        numbers.append(_lift(generator["ppo_gold_lift"]))
    policy = bandit.get("policies", {}).get(bandit.get("policy"))
    if policy and _known(policy.get("gap_closed")):
        goal = "reward" if reward_words(bandit.get("reward")) else "clicks"
        numbers.append(_share(str(bandit["policy"]), float(policy["gap_closed"]), goal))
    if _has_interval(generator.get("swap")):
        numbers.append(_swap(generator["swap"]))
    return numbers


def _known(*values: float | None) -> bool:
    """Whether a run could work all of them out: report.json writes null where a number is not finite."""
    return all(value is not None and math.isfinite(value) for value in values)


def _has_interval(estimate: Mapping[str, Any] | None) -> bool:
    return estimate is not None and _known(*(estimate.get(key) for key in ("value", "ci_low", "ci_high")))


def verdict(low: float, high: float) -> Verdict:
    """What an interval around an effect says.

    >>> verdict(0.1, 0.2), verdict(-0.1, 0.2)
    ('good', 'open')
    """
    return "good" if low > 0 else "bad" if high < 0 else "open"


def interval(low: float, high: float) -> str:
    """A 95% interval of relative effects, in words."""
    return f"95% interval {percent(low, signed=True)} to {percent(high, signed=True)}"


def _lift(lift: Mapping[str, Any]) -> Number:
    value, low, high = float(lift["value"]), float(lift["ci_low"]), float(lift["ci_high"])
    words = {
        "good": "Tuned copy wins more clicks than the same writer's copy before tuning.",
        "bad": "Tuned copy wins fewer clicks than the same writer's copy before tuning.",
        "open": "Tuned and untuned copy cannot be told apart: the interval holds zero.",
    }
    doubt = ""
    if lift.get("suspect") or value > SUSPECT_LIFT:
        doubt = (
            f"a lift above {percent(SUSPECT_LIFT, digits=0)} is suspect; look for leaks before believing it"
        )
    return Number(
        label="Clicks won by tuning",
        figure=percent(value, signed=True),
        interval=interval(low, high),
        words=words[verdict(low, high)] + " Judged on products and shoppers no one tuned on.",
        verdict=verdict(low, high),
        warning=doubt,
    )


def reward_words(weights: Mapping[str, float] | None) -> str:
    """What an impression earns, in words; empty where it is the click.

    >>> reward_words({"click": 0, "purchase": 1, "revenue": 0.5}), reward_words({"click": 1})
    ('1 per purchase and 0.5 per unit of revenue', '')
    """
    counted = {kind: weight for kind, weight in (weights or {}).items() if weight}
    units = {"click": "click", "purchase": "purchase", "revenue": "unit of revenue"}
    if counted in ({}, {"click": 1}):
        return ""
    return " and ".join(f"{weight:g} per {units.get(kind, kind)}" for kind, weight in counted.items())


def _share(policy: str, share: float, goal: str) -> Number:
    return Number(
        label=f"Share of the best choice won by {policy}",
        figure=percent(share, digits=0),
        interval="",
        words=f"Of the {goal} that choosing perfectly would win over choosing at random, "
        "this much was won over the week by the policy named in advance.",
        verdict="good" if share >= TARGET_SHARE else "bad" if share < 0 else "open",
    )


def _swap(swap: Mapping[str, Any]) -> Number:
    value, low, high = (math.expm1(float(swap[key])) for key in ("value", "ci_low", "ci_high"))
    words = {
        "good": "Copy written for a segment suits that segment better than copy written for another.",
        "bad": "Copy written for a segment suits that segment worse than copy written for another.",
        "open": "Copy for the right and for the wrong segment cannot be told apart: the interval holds zero.",
    }
    return Number(
        label="Right segment against wrong (swap test)",
        figure=percent(value, signed=True),
        interval=interval(low, high),
        words=words[verdict(low, high)] + " In click odds, same product, two segments' copy swapped.",
        verdict=verdict(low, high),
    )
