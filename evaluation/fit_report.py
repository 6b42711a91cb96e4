"""report.html of `copybandit fit`: which gates failed, first; then every number and picture. Made from report.json alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from copybandit.evaluation.fit_charts import marginals_chart, policies_chart, reliability_chart
from copybandit.evaluation.markup import Html, el, figure, join, section, table
from copybandit.evaluation.report_format import DASH, Report, number, share, span
from copybandit.evaluation.storage import plain, write_bytes


def write_fit_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Write ``folder/report.html``; it loads nothing and holds no script."""
    write_bytes(folder / "report.html", render_fit(report).encode())


def render_fit(report: Mapping[str, Any]) -> str:
    """The page as text; equal reports give equal bytes."""
    report = plain(report)
    data = report["data"]
    counts = ", ".join(f"{data[f'n_{what}']:,} {what}" for what in ("shoppers", "products", "interactions"))
    parts = (_gates, _interest, _marginals, _policies, _prices, _funnel, _wording, attack_section, _data)
    return Template(_resource("report.html")).substitute(
        title="How far this shop can be believed",
        subtitle=escape(f"Fitted to {data['source']}: {counts}"),
        css=_resource("report.css"),
        body="\n".join(part for part in (make(report) for make in parts) if part),
        footer=escape(
            f"Seed {report['seed']}. Judged on shoppers, households and tests that nothing was fitted on."
        ),
    )


def verdict(report: Report) -> str:
    """How many gates failed, in a sentence."""
    failed = [line for line in report["validation"] if line["passed"] is False]
    held = sum(line["passed"] is True for line in report["validation"])
    if not failed:
        return f"All {held} gates hold."
    names = "; ".join(f"{line['name']} is {number(line['value'])}, must be {line['gate']}" for line in failed)
    return f"{len(failed)} of {len(failed) + held} gates FAILED: {names}."


def _gates(report: Report) -> Html:
    words = {True: "holds", False: "FAILED", None: "no gate"}
    rows = [
        (line["name"], number(line["value"]), line["gate"] or DASH, words[line["passed"]])
        for line in report["validation"]
    ]
    head = ("what", "value", "gate", "verdict")
    return section(
        "Gates",
        el("p", el("b", verdict(report))),
        table("Validation", head, rows, numeric=(1,)),
        anchor="gates",
    )


def _interest(report: Report) -> Html:
    rows = [
        (
            f"{row['model']}, {row['negatives']}",
            *(number(row["report"][key]) for key in ("auc", "log_loss", "log_loss_constant", "slope", "ece")),
            number(row["report"]["n"]),
        )
        for row in report["interest"]
    ]
    text = (
        "New shoppers, later purchases, against products drawn uniformly or as often as they are bought. "
        "Every model's calibration may use popularity."
    )
    head = ("model, negatives", "AUC", "log-loss", "of the base rate", "slope", "calibration error", "pairs")
    return section(
        "Interest",
        el("p", text),
        table("Interest models on held-out shoppers", head, rows, numeric=range(1, 7)),
        *(
            figure(reliability_chart(report["interest"], scheme), f"Reliability, {scheme} negatives.")
            for scheme in ("uniform", "matched")
        ),
        anchor="interest",
    )


def _marginals(report: Report) -> Html:
    rows = [
        (
            gap["name"].replace("_", " "),
            *(number(gap[key]) for key in ("ks", "ks_floor", "js", "n_real", "n_simulated")),
        )
        for gap in report["marginals"]
    ]
    head = ("what", "KS", "KS of real against real", "JS (bits)", "real", "simulated")
    return section(
        "Simulated shoppers",
        table("Marginals of judged shoppers", head, rows, numeric=range(1, 6)),
        figure(marginals_chart(report["marginals"]), "Real and simulated, up to the 97th percentile."),
        anchor="marginals",
    )


def _policies(report: Report) -> Html:
    ranking = report["policy_ranking"]
    caption = f"Kendall's tau {number(ranking['tau'], 2)}."
    return section(
        "Do two halves of the log rank policies alike?",
        figure(policies_chart(ranking), caption),
        anchor="policies",
    )


def _prices(report: Report) -> Html:
    rows: list[tuple[object, ...]] = [
        (
            told["name"],
            number(told["report"]["log_loss"]),
            number(told["share_log_loss"]),
            number(told["report"]["ece"]),
            number(told["elasticity"], 2),
        )
        for told in report["demand"]
    ]
    parts: list[Html] = []
    if rows:
        head = ("panel", "log-loss", "of market shares", "calibration error", "own-price elasticity")
        parts.append(table("Demand on held-out households", head, rows, numeric=range(1, 5)))
        parts.append(_responses(report))
    found = report["elasticity"]
    if found and found["value"] is not None:
        text = (
            f"Within products and weeks of the log, units follow price with elasticity {number(found['value'], 2)} "
            f"(standard error {number(found['error'], 2)}, {number(found['n'])} product-weeks). Discounts for large "
            "orders count as response."
        )
        parts.append(el("p", text))
    if not report["data"]["prices_real"]:
        parts.append(el("p", "Prices of this log are made up: nothing is said of elasticity."))
    return section("Prices", *parts, anchor="prices") if parts else Html()


def _responses(report: Report) -> Html:
    """Elasticities by brand: a price that changes for one trip, and one that lasts."""
    rows = [
        (f"{told['name']}, {brand}", share(sales), number(short, 2), number(long, 2))
        for told in report["demand"]
        for brand, sales, short, long in zip(
            *(told["response"][key] for key in ("brands", "sales", "short_run", "long_run")), strict=True
        )
    ]
    head = ("panel, brand", "of sales", "given habits", "in the long run")
    return table("Own-price elasticity of brands", head, rows, numeric=range(1, 4))


def _funnel(report: Report) -> Html:
    rows = [
        (f"{s['start']} to {s['end']}", share(s["rate"]), span((s["low"], s["high"]), share), number(s["n"]))
        for s in report["funnel"]
        if s["n"]
    ]
    parts = [
        table("Pairs of shopper and product", ("step", "rate", "95% interval", "pairs"), rows, numeric=(1, 3))
    ]
    found = report["conversion"]
    if found:
        moves = zip(
            found["features"], found["conversion"], found["conversion_error"], found["delay"], found["delay_error"],
            strict=True,
        )  # fmt: skip
        head = ("per standard deviation", "log-odds", "error", "log rate a day", "error")
        told = [(name, *(number(v) for v in values)) for name, *values in moves]
        parts.append(table("Conversion with delay", head, told, numeric=range(1, 5)))
        parts.append(
            el(
                "p",
                f"Held-out views bought so far: {share(found['seen'])}, expected {share(found['expected'])}.",
            )
        )
    return section("Funnel", *parts, anchor="funnel")


def _wording(report: Report) -> Html:
    found = report["wording"]
    if not found:
        return Html()
    pairs = found["pairs"]
    rows = [
        ("pairs ordered rightly", share(pairs["pair_accuracy"])),
        ("the same, pairs that clearly differ", share(pairs["pair_accuracy_significant"])),
        ("the same, pairs as long as each other", share(found["equal_length_accuracy"])),
        ("clicks won by its favourite over a random pick", share(found["favourite_gain"])),
        ("calibration slope", number(pairs["calibration_slope"])),
        ("95% interval of it", span(pairs["slope_interval"])),
        ("correlation with length within tests", number(found["correlation_with_length"])),
    ]
    parts = zip(found["encoders"], found["effect_sd"], strict=True)
    sizes = [*((name, number(sd)) for name, sd in parts), ("what no encoder sees", number(found["own_sd"]))]
    return section(
        "Wording",
        el("p", "Length may speak." if found["length_allowed"] else "What length says is taken out."),
        table("Held-out A/B tests", ("what", "value"), rows, numeric=(1,)),
        table("What moves log CTR", ("part", "standard deviation"), sizes, numeric=(1,)),
        anchor="wording",
    )


def attack_section(report: Report) -> Html:
    """Every attack, those that succeeded first, and what the guard costs; empty where none was tried."""
    found = report.get("attack")
    if not found:
        return Html()
    order = sorted(found["rows"], key=lambda row: not row["succeeded"])
    rows = [
        (
            row["name"],
            *(number(row[key]) for key in ("gain_bound", "score", "doubt", "lower_bound", "p_value")),
            row["verdict"] or row["kind"],
            row["text"] or DASH,
        )
        for row in order
    ]
    head = ("what", "gain bound", "score", "doubt", "lower bound", "p-value", "verdict", "best text")
    return section(
        "Can the wording model be fooled?",
        el("p", el("b", _attack_verdict(found))),
        el("p", _attack_cost(found)),
        table("Attacks, those that succeeded first", head, rows, numeric=range(1, 6)),
        anchor="attack",
    )


def _attack_verdict(found: Report) -> str:
    tried = [row for row in found["rows"] if row["kind"] == "attack"]
    won = [row for row in tried if row["succeeded"]]
    if not won:
        return f"None of {len(tried)} attacks beats the median human copy."
    names = ", ".join(
        f"{row['name']} ({'flagged' if row['flagged'] else 'not flagged'} as odd)" for row in won
    )
    return f"{len(won)} of {len(tried)} attacks BEAT the median human copy: {names}."


def _attack_cost(found: Report) -> str:
    cost = found["human_cost"]
    tried = [row for row in found["rows"] if row["kind"] == "attack"]
    above = sum(row["lower_bound"] > found["median"] for row in tried)
    right, free = (share(cost[key]) for key in ("pair_accuracy", "pair_accuracy_unguarded"))
    return (
        f"Lower bounds are scores minus {number(found['deviations'], 1)} doubts, in log-odds; the doubt is of the model's "
        f"coefficients, of what no encoder sees of a text, and of odd text (assumed: {number(found['assumed_unit'], 1)} for "
        "each width of oddness beyond what is flagged). The gain bound is that of the difference to the median human copy: "
        "it is what tuning optimises, and above 0 an attack has won. By its own lower bound alone "
        f"{number(above)} of {len(tried)} attacks lie above the median human copy. Texts are read for the guard by "
        f"{' and '.join(found['readers'])}. The p-value is the share of held-out human copy at least as odd; below "
        f"{number(cost['alpha'], 2)} a text is flagged, as is {share(cost['flagged'])} of {cost['n']:,} judged human "
        "texts. Lower bounds with and without the doubt rank these with correlation "
        f"{number(cost['rank_correlation'], 2)}, and order {right} and {free} of the pairs rightly."
    )


def _data(report: Report) -> Html:
    rows = [(reason, number(count)) for reason, count in report["data"]["dropped"].items()]
    return section(
        "Rows left out",
        table("By reason", ("reason", "rows"), rows, numeric=(1,)) if rows else join(()),
        anchor="data",
    )


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
