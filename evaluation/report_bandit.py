"""The parts of the report page about choosing online; what is absent in report.json gives nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from copybandit.evaluation.charts import daily_chart, regret_chart
from copybandit.evaluation.headline import reward_words
from copybandit.evaluation.markup import Html, el, figure, section, table
from copybandit.evaluation.report_format import DASH, Report, number, share, span


def bandit(report: Report) -> Html:
    """Regret, click-through rate and share of the gap closed by each policy."""
    result = report.get("bandit", {})
    policies = result.get("policies")
    if not policies:
        return Html()
    tables = [_policies("Policies over the week; revenue per 1,000 impressions", policies)]
    without = result.get("without_template") or {}
    if without.get("policies", without):
        tables.append(
            _policies("The same without the template as a candidate", without.get("policies", without))
        )
    return section(
        "What choosing online is worth",
        el("p", *_intro(result)),
        el("div", *_charts(result), class_="two"),
        *tables,
        anchor="bandit",
    )


def _intro(result: Report) -> tuple[object, ...]:
    """What was played, for what reward, between which ends."""
    worth = reward_words(result.get("reward"))
    low, high = (result.get(f"{end}_{'reward' if worth else 'ctr'}") for end in ("uniform", "oracle"))
    ends = (
        f"An impression earns {worth}: policies learn to raise that, and gap and loss are counted in it. Choosing "
        f"at random earns {_per_1000(low)} per 1,000 impressions, choosing perfectly {_per_1000(high)}."
        if worth
        else f"Choosing at random gets {share(low)} of impressions clicked, choosing perfectly {share(high)}."
    )
    return (
        f"A simulated week of {number(result.get('impressions'))} impressions in the gold world. {ends} The policy named in "
        "advance is ",
        el("strong", result.get("policy", DASH)),
        ".",
        _variety(result),
    )


def _charts(result: Report) -> tuple[Html, Html]:
    unit = "reward" if reward_words(result.get("reward")) else "clicks"
    return (
        figure(
            regret_chart(result["policies"], result.get("policy", ""), unit),
            "The flatter the line, the less there is left to learn.",
        ),
        figure(
            daily_chart(result),
            "The dotted line is out of reach: it knows each shopper, and looks one visit ahead (myopic).",
        ),
    )


def _per_1000(mean: float | None) -> str:
    return DASH if mean is None else number(1000 * mean, 2)


def _variety(result: Report) -> str:
    """How different the variants on show are."""
    if result.get("likeness") is None:
        return ""
    return (
        f" On show are {number(result.get('variants'))} variants; two of one product are alike by "
        f"{number(result['likeness'], 2)} on average (1 is the same text), and {number(result.get('near_duplicates'))} "
        "texts that were nearly one of them were left out."
    )


def _policies(caption: str, policies: Mapping[str, Report]) -> Html:
    rows = (
        (
            name,
            share(p.get("ctr"), 3),
            share(p.get("conversion"), 1),
            number(p.get("revenue_per_1000"), 2),
            share(p.get("gap_closed"), 1),
            share(p.get("gap_closed_day7"), 1),
        )
        for name, p in policies.items()
        if isinstance(p, Mapping)
    )
    head = (
        *("policy", "click-through rate", "purchases per click", "revenue per 1,000"),
        *("gap closed, week", "gap closed, last day"),
    )
    return table(caption, head, rows, numeric=(1, 2, 3, 4, 5))


def ope(report: Report) -> Html:
    """Off-policy estimates beside the truth that only a simulator knows."""
    rows = report.get("ope", {}).get("rows")
    if not rows:
        return Html()
    worth = reward_words(report.get("bandit", {}).get("reward"))
    text = (
        "How a policy would have done, estimated only from the log another policy left behind, as one would "
        "with real traffic. Here the truth is known, so the method can be checked: the interval should "
        "cover it. Impressions of the held out are left out. An estimate that a gate refuses has no number: it would mean "
        "nothing."
    )
    return section(
        "Can the log be trusted?", el("p", text), _estimates(rows, in_reward=bool(worth)), anchor="ope"
    )


def _estimates(rows: Iterable[Report], *, in_reward: bool) -> Html:
    form: Callable[[float | None], str] = _per_1000 if in_reward else lambda value: share(value, 3)
    cells = (
        (
            f"{row['policy']} from the log of {row['log']}",
            row["estimator"],
            form(row.get("value")),
            span((row.get("ci_low"), row.get("ci_high")), form),
            number(row.get("ess"), 0),
            form(row.get("truth")),
            _covered(row.get("covered")),
            ("refused: " if row.get("refused") else "") + (", ".join(row.get("doubts", ())) or DASH),
        )
        for row in rows
    )
    caption = (
        f"Off-policy estimates of the {'reward per 1,000 impressions' if in_reward else 'click-through rate'}"
    )
    head = ("policy", "estimator", "estimate", "95% interval", "effective rows", "truth", "covered", "doubts")
    return table(caption, head, cells, numeric=(2, 3, 4, 5))


def _covered(covered: bool | None) -> object:
    if covered is None:
        return DASH
    return el("span", "yes" if covered else "no", class_="tag good" if covered else "tag bad")
