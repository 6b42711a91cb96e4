"""The parts of the report page about choosing online; what is absent in report.json gives nothing."""

from __future__ import annotations

from collections.abc import Mapping

from copybandit.evaluation.charts import daily_chart, regret_chart
from copybandit.evaluation.markup import Html, el, figure, section, table
from copybandit.evaluation.report_format import DASH, Report, number, share, span


def bandit(report: Report) -> Html:
    """Regret, click-through rate and share of the gap closed by each policy."""
    result = report.get("bandit", {})
    policies = result.get("policies")
    if not policies:
        return Html()
    charts = [
        figure(
            regret_chart(policies, result.get("policy", "")),
            "The flatter the line, the less there is left to learn.",
        ),
        figure(
            daily_chart(result),
            "The dotted line is out of reach: it knows each shopper, and looks one visit ahead (myopic).",
        ),
    ]
    intro = el(
        "p",
        f"A simulated week of {number(result.get('impressions'))} impressions in the gold world. "
        f"Choosing at random gets {share(result.get('uniform_ctr'))} of impressions clicked, choosing "
        f"perfectly {share(result.get('oracle_ctr'))}. The policy named in advance is ",
        el("strong", result.get("policy", DASH)),
        ".",
        _variety(result),
    )
    tables = [_policies("Policies over the week", policies)]
    without = result.get("without_template") or {}
    if without.get("policies", without):
        tables.append(
            _policies("The same without the template as a candidate", without.get("policies", without))
        )
    return section(
        "What choosing online is worth", intro, el("div", *charts, class_="two"), *tables, anchor="bandit"
    )


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
        (name, share(p.get("ctr"), 3), share(p.get("gap_closed"), 1), share(p.get("gap_closed_day7"), 1))
        for name, p in policies.items()
        if isinstance(p, Mapping)
    )
    head = ("policy", "click-through rate", "gap closed, week", "gap closed, last day")
    return table(caption, head, rows, numeric=(1, 2, 3))


def ope(report: Report) -> Html:
    """Off-policy estimates beside the truth that only a simulator knows."""
    rows = report.get("ope", {}).get("rows")
    if not rows:
        return Html()
    cells = (
        (
            f"{row['policy']} from the log of {row['log']}",
            row["estimator"],
            share(row.get("value"), 3),
            span((row.get("ci_low"), row.get("ci_high")), lambda v: share(v, 3)),
            number(row.get("ess"), 0),
            share(row.get("truth"), 3),
            _covered(row.get("covered")),
            ("refused: " if row.get("refused") else "") + (", ".join(row.get("doubts", ())) or DASH),
        )
        for row in rows
    )
    head = ("policy", "estimator", "estimate", "95% interval", "effective rows", "truth", "covered", "doubts")
    text = el(
        "p",
        "How a policy would have done, estimated only from the log another policy left behind, as one would "
        "with real traffic. Here the truth is known, so the method can be checked: the interval should "
        "cover it. An estimate that a gate refuses has no number: it would mean nothing.",
    )
    return section(
        "Can the log be trusted?",
        text,
        table("Off-policy estimates", head, cells, numeric=(2, 3, 4, 5)),
        anchor="ope",
    )


def _covered(covered: bool | None) -> object:
    if covered is None:
        return DASH
    return el("span", "yes" if covered else "no", class_="tag good" if covered else "tag bad")
