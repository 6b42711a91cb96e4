"""The page of the real-click test in Markdown: its figures, and thirty ledes with headlines before and after tuning."""

from __future__ import annotations

import re
from collections.abc import Sequence

from copybandit.evaluation.clicks_judge import ClickTest
from copybandit.evaluation.clicks_report import ClickReport, Pair
from copybandit.evaluation.intervals import Interval

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")


def page(report: ClickReport, pairs: Sequence[Pair], *, writer: str, seeds: Sequence[int], part: str) -> str:
    """The page as text; the same figures give the same bytes.

    Args:
        report: the figures.
        pairs: what is shown, in order.
        writer: name of the writer that was tuned.
        seeds: of PPO.
        part: of the archive that was judged.
    """
    lines = [
        "# News headlines before and after tuning",
        "",
        f"`{writer}` learned to write headlines from ledes on the fit part of the Upworthy archive, all headlines alike; "
        f"PPO then tuned it on a model of clicks fitted to the same part ({len(seeds)} seeds). Everything below is of the "
        f"{part} part, {report.headline.n_pairs:,} pairs of headlines in {report.headline.n_groups:,} groups. Written by "
        "`tests/benchmarks/real_clicks.py`.",
        "",
        "Data: Upworthy Research Archive, Matias, Munger, Le Quere, Ebersole, Scientific Data 8:195 (2021).",
        "",
        "| who orders the headlines of people | pairs | clear pairs | clicks of its pick over a random one |",
        "|---|---|---|---|",
        *(_row(name, test) for name, test in _tests(report)),
        "",
        f"Gate (lower ends above .50 and above 0): **{'passed' if report.headline.passed else 'not passed'}**. "
        f"By a second model of another family, which tuning never saw, what the tuned writers wrote is clicked "
        f"{_percent(report.gold_lift)} more than SFT's. KL to SFT: "
        f"{', '.join(f'{kl:.1f}' for kl in report.kl)} nats a headline.",
        *_writing(report),
        "",
        "## Thirty ledes, drawn by chance",
        "",
        "In order of what the second model gains by tuning, best first; the first headline written by either, not chosen.",
    ]
    return "\n".join([*lines, *(line for n, pair in enumerate(pairs, 1) for line in _shown(n, pair))]) + "\n"


def _writing(report: ClickReport) -> list[str]:
    """What both wrote, as a table."""
    return [
        "",
        "| written for the same ledes | reward | wording alone | refused | by heart, nearly | different | characters |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {name} | {w.reward:+.3f} | {w.wording:+.3f} | {w.refused:.1%} | {w.copied:.1%} | {w.unique:.1%} | "
            f"{w.characters:.0f} |"
            for name, w in (("SFT", report.before), ("tuned", report.after))
        ),
    ]


def _tests(report: ClickReport) -> tuple[tuple[str, ClickTest], ...]:
    chosen = "per token" if report.normalised else "whole headline"
    return (
        (f"**preference of the tuned writer** ({chosen}, chosen on select)", report.headline),
        ("the same, whole headline", report.total),
        ("the same, per token", report.per_token),
        ("the reward's mean (a ceiling)", report.reward_mean),
        ("the reward itself, a lower bound", report.reward_bound),
        ("second model, cross-fitted", report.gold),
        ("SFT before tuning", report.sft),
    )


def _row(name: str, test: ClickTest) -> str:
    return (
        f"| {name} | {_share(test.accuracy)} | {_share(test.accuracy_clear)} | {_percent(test.pick_lift)} |"
    )


def _share(found: Interval) -> str:
    return f"{found.value:.3f} ({found.ci_low:.3f} to {found.ci_high:.3f})"


def _percent(found: Interval) -> str:
    return f"{found.value:+.1%} ({found.ci_low:+.1%} to {found.ci_high:+.1%})"


def _shown(number: int, pair: Pair) -> list[str]:
    flags = [f"refused: {', '.join(pair.refused)}"] if pair.refused else []
    flags += ["nearly learned by heart"] if pair.copied else []
    note = f" *({'; '.join(flags)})*" if flags else ""
    return [
        "",
        f"### {number}. {_plain(pair.lede)}",
        "",
        "| | headline |",
        "|---|---|",
        f"| people | {_plain(pair.human)} |",
        f"| SFT | {_plain(pair.before)} |",
        f"| tuned ({pair.gold:+.2f}) | {_plain(pair.after)}{note} |",
    ]


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", text)
