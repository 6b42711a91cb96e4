"""The report page: complete, honest, reproducible, and safe to open whatever a model has written."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from copybandit.evaluation.headline import headline
from copybandit.evaluation.markup import Html, el
from copybandit.evaluation.report import render, write_report
from copybandit.evaluation.report_writers import writer_rates

NASTY = "<script>alert('x')</script> \"5 & 6\" $a_b$ </style>"
SAMPLE = Path(__file__).with_name("report_sample.json").read_text(encoding="utf-8")
"""A report with every part, its numbers made up so that they look like a run's."""


def sample() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(SAMPLE)
    return report


class Page(HTMLParser):
    """What a browser would see: tags left open, ids, links, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in {"meta", "br", "col"}:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"href", "src", "xlink:href", "data", "action"}:
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in {"meta", "br", "col"}:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = Page(render(sample()))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "http://" not in render(sample()) and "https://" not in render(sample())


def test_every_part_of_the_report_is_on_the_page() -> None:
    text = Page(render(sample())).text
    wanted = (
        "+4.8%|+2.1% to +7.4%|71%|SEMI-SYNTHETIC|linucb|best non-personal|holds zero|SNIPS|ceramic mug|"
        "slow mornings|garden lovers|Joachims|tried 0, 0.6|143.9|1,320|CC BY 4.0|0.734|397,924|"
        "without the template|304 of 3,000 shoppers were held out|purchases per click"
    )
    assert [part for part in wanted.split("|") if part not in text] == []


def test_equal_reports_give_equal_bytes_whatever_the_readers_matplotlib_settings(tmp_path: Path) -> None:
    write_report(tmp_path, sample())
    first = (tmp_path / "report.html").read_bytes()
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.hashsalt": None, "font.size": 30}):
        write_report(tmp_path, sample())
    assert (tmp_path / "report.html").read_bytes() == first


def _spoil(value: Any, text: str) -> Any:
    """The same report with every text in it replaced, names of writers and policies included."""
    if isinstance(value, dict):
        return {key: _spoil(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_spoil(item, text) for item in value]
    return text if isinstance(value, str) else value


def test_nothing_written_by_a_model_can_become_markup() -> None:
    report = _spoil(sample(), NASTY)
    for part, key in (("generator", "lifts"), ("bandit", "policies")):
        report[part][key] = {f"{NASTY} {name}": value for name, value in report[part][key].items()}
    report["generator"] = {
        f"{NASTY} {k}" if k in writer_rates(report["generator"]) else k: v
        for k, v in report["generator"].items()
    }
    clean, page = Page(render(sample())), Page(render(report))
    assert page.open == [] and "script" not in page.tags
    assert set(page.tags) <= set(clean.tags)
    assert NASTY in page.text


@pytest.mark.parametrize("part", [*sample(), "nothing"])
def test_a_part_that_is_absent_is_left_out(part: str) -> None:
    report = sample()
    report.pop(part, None)
    if part == "nothing":
        report = {}
    assert Page(render(report)).open == []


@pytest.mark.parametrize(
    ("part", "key"), [(part, key) for part in ("generator", "bandit", "data") for key in sample()[part]]
)
def test_a_key_that_is_absent_is_left_out(part: str, key: str) -> None:
    report = {part: sample()[part]}
    del report[part][key]
    assert Page(render(report)).open == []


def test_what_is_not_a_number_makes_no_headline() -> None:
    report = sample()
    report["generator"]["ppo_gold_lift"] = {"value": math.nan, "ci_low": math.nan, "ci_high": math.nan}
    report["bandit"]["policies"]["linucb"]["gap_closed"] = math.nan
    assert [item.label for item in headline(report)] == ["Right segment against wrong (swap test)"]
    assert "nan" not in Page(render(report)).text


def test_a_lift_too_good_to_be_true_is_flagged() -> None:
    report = sample()
    assert "SUSPECT" not in render(report)
    report["generator"]["ppo_gold_lift"]["value"] = 0.16
    assert "SUSPECT" in render(report)
    assert "SUSPECT" not in render({**report, "generator": {}})


def _told(low: float, high: float) -> str:
    report = sample()
    found = report["bandit"]["policies"]["linucb"]["holdout"]["click"]
    found |= {"ci_low": low, "ci_high": high}
    return Page(render(report)).text


def test_the_holdout_tells_what_choosing_is_worth_in_words() -> None:
    text = _told(-0.0001, 0.0031)
    assert "it got 16.7 clicks; of 1,000 that were held out, 15.2" in text
    assert "a lift of +9.9% (95% interval −0.4% to +21.2%). The interval holds zero" in text
    assert "Choosing pays" in _told(0.0001, 0.0029) and "Choosing does harm" in _told(-0.003, -0.001)
    assert "too small to compare" in _told(math.nan, math.nan)
    report = sample()
    del report["bandit"]["policies"]["linucb"]["holdout"]
    assert "against a holdout" not in Page(render(report)).text


def test_a_reward_that_is_not_the_click_is_named_and_counted_in() -> None:
    report = sample()
    bandit = report["bandit"]
    bandit["reward"] = {"click": 0.0, "purchase": 1.0, "revenue": 0.05}
    bandit |= {"uniform_reward": 0.00123, "oracle_reward": 0.00456}
    bandit["policies"]["linucb"]["holdout"]["reward"] |= {"others": 0.0021, "held": 0.0017}
    text = Page(render(report)).text
    for part in (
        "An impression earns 1 per purchase and 0.05 per unit of revenue",
        "random earns 1.23 per 1,000 impressions, choosing perfectly 4.56",
        "it got 2.1 reward; of 1,000 that were held out, 1.7",
        "reward lost so far",
        "estimates of the reward per 1,000 impressions",
        "Of the reward that choosing perfectly",
    ):
        assert part in text, part
    assert "An impression earns" not in Page(render(sample())).text


def test_a_synthetic_shop_is_not_called_semi_synthetic() -> None:
    report = sample()
    report["data"]["semi_synthetic"] = False
    assert "SEMI-SYNTHETIC" not in render(report)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (0.01, 0.05, "good", "more clicks"),
        (-0.05, -0.01, "bad", "fewer clicks"),
        (-0.01, 0.02, "open", "holds zero"),
    ],
)
def test_the_words_follow_the_interval(low: float, high: float, verdict: str, words: str) -> None:
    report = sample()
    report["generator"]["ppo_gold_lift"] = {"value": (low + high) / 2, "ci_low": low, "ci_high": high}
    lift, share, swap = headline(report)
    assert lift.verdict == verdict and words in lift.words
    assert share.figure == "71%" and share.interval == "" and swap.verdict == "good"


def test_markup_escapes_by_default() -> None:
    assert el("p", "<b>", Html("<i></i>"), title='"') == '<p title="&quot;">&lt;b&gt;<i></i></p>'


def test_charts_number_their_parts_apart() -> None:
    ids = re.findall(r'\bid="([^"]+)"', render(sample()))
    assert {"tuning", "writers", "regret", "daily"} <= {name.partition("-")[0] for name in ids}
