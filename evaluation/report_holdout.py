"""The part of the report page about the holdout; without one it gives nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copybandit.evaluation.charts import holdout_chart
from copybandit.evaluation.headline import percent, reward_words, verdict
from copybandit.evaluation.markup import Html, el, figure, section, table
from copybandit.evaluation.report_format import DASH, Report, number, share, span

VERDICTS = {
    "good": "Choosing pays: the interval lies above zero.",
    "bad": "Choosing does harm: the interval lies below zero.",
    "open": "The interval holds zero, so the difference may be chance; a longer season or a larger holdout would tell.",
}


def holdout(report: Report) -> Html:
    """What the named policy is worth against shoppers who never got its choice."""
    bandit = report.get("bandit", {})
    found = bandit.get("policies", {}).get(bandit.get("policy"), {}).get("holdout")
    if not found or not found.get("click"):
        return Html()
    worth = reward_words(bandit.get("reward"))
    measures = {"clicks": found["click"]} | ({"reward": found["reward"]} if worth else {})
    main = "reward" if worth else "clicks"
    words = el("div", el("p", _who(found)), el("p", _result(measures[main], main)))
    return section(
        "What the policy is worth against a holdout",
        el("div", words, *_chart(measures[main], main), class_="two"),
        _table(measures),
        anchor="holdout",
    )


def _chart(one: Mapping[str, Any], unit: str) -> list[Html]:
    if not _known(one):
        return []
    return [figure(holdout_chart(one, unit), "Where the two bars overlap, look at the interval of the lift.")]


def _who(found: Mapping[str, Any]) -> str:
    return (
        f"{number(found['shoppers_held'])} of {number(found['shoppers'])} shoppers were held out, drawn by lot before the "
        f"season: all season long they got a variant by chance, {share(found['share'], 1)} of all impressions. The policy "
        "learned nothing from them, so they show what would have happened without it."
    )


def _result(one: Mapping[str, Any], unit: str) -> str:
    if not _known(one):
        return (
            "The groups are too small to compare: each needs two shoppers; raise the holdout or play longer."
        )
    lift = DASH if one["lift"] is None else percent(one["lift"], signed=True)
    ends = span((one["lift_low"], one["lift_high"]), lambda end: percent(end, signed=True))
    return (
        f"Of 1,000 impressions the policy chose for, it got {number(1000 * one['others'], 1)} {unit}; of 1,000 that were "
        f"held out, {number(1000 * one['held'], 1)}. That is a lift of {lift} (95% interval {ends}). "
        f"{VERDICTS[verdict(one['ci_low'], one['ci_high'])]}"
    )


def _table(measures: Mapping[str, Mapping[str, Any]]) -> Html:
    def scaled(value: float | None) -> str:
        return DASH if value is None else number(1000 * value, 2)

    rows = (
        (
            f"{unit} per 1,000 impressions",
            scaled(one["others"]),
            scaled(one["held"]),
            scaled(one["difference"]),
            span((one["ci_low"], one["ci_high"]), scaled),
        )
        for unit, one in measures.items()
    )
    head = ("", "policy chooses", "held out", "difference", "95% interval")
    return table("Both groups, by lot and unweighted", head, rows, numeric=(1, 2, 3, 4))


def _known(one: Mapping[str, Any]) -> bool:
    return one["ci_low"] is not None
