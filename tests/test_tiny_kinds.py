"""What the shipped writer can do beside plain headlines: every kind, both languages, products it has never met."""

from __future__ import annotations

import csv
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.corpus_kinds import KINDS, Strangers, common_characters, draw_brief_of
from copybandit.agents.tiny_tokens import word_pieces
from copybandit.generators.editor import check
from copybandit.generators.grammar import write
from copybandit.generators.languages import LANGUAGES, in_language
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import Brief, ContentType, DataError, Language

N = 40
MAIN = "from copybandit.cli.main import main; main()"


@cache
def tiny() -> CausalLM:
    return CausalLM.load("tiny", temperature=0.8)


def unseen(kind: ContentType, language: Language) -> list[Brief]:
    """Briefs that the grammar can write without breaking a rule."""
    strangers = Strangers(pieces=word_pieces(tiny().tokenizer.backend_tokenizer), letters=common_characters())
    rng, briefs = np.random.default_rng([17, list(KINDS).index(kind)]), list[Brief]()
    while len(briefs) < N:
        brief = draw_brief_of(kind, language, rng, strangers)
        try:
            if not check(brief, write(brief, rng)):
                briefs.append(brief)
        except DataError:  # tags of a product without facts
            continue
    return briefs


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", list(KINDS))
def test_most_copy_of_each_kind_may_be_shown(kind: ContentType, language: Language) -> None:
    briefs = unseen(kind, language)
    texts = [row[0].text for row in tiny().propose(briefs, 1, np.random.default_rng(3))]
    broken = [check(brief, text) for brief, text in zip(briefs, texts, strict=True)]
    assert np.mean([not rules for rules in broken]) >= PASS[kind]
    assert np.mean(["number" in {row.rule for row in rules} for rules in broken]) <= 0.1
    if language == "zh":
        assert all(in_language(text, "zh") for text in texts)


PASS: dict[ContentType, float] = {
    "headline": 0.7, "subject": 0.7, "description": 0.6, "reason": 0.7, "tags": 0.6, "answer": 0.8, "review": 0.6,
}  # fmt: skip
"""Share that the editor lets through, lower bounds that 40 draws hold by far."""


def test_a_chinese_catalogue_becomes_chinese_copy(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text(
        "product_id,name,title,category,price,facts,question,rating,notes,verified\n"
        "1,保温杯,保温杯,厨房,89,白色;容量480毫升;保温6小时,容量多少？,5,每天都在用,yes\n"
        "2,露营帐篷,露营帐篷,户外,399,墨绿色;可睡3人;防水涂层,防水吗？,3,有点沉,yes\n"
        "3,蓝牙耳机,蓝牙耳机,数码,269,黑色;续航26小时;USB-C充电,什么牌子？,4,音质好,yes\n"
        "4,纯棉四件套,纯棉四件套,床品,299,浅灰色;可机洗,能机洗吗？,2,有点掉色,yes\n",
        "utf-8",
    )
    arguments = [
        sys.executable,
        "-c",
        MAIN,
        "generate",
        "shop.csv",
        "--writer",
        "tiny",
        "--language",
        "zh",
        "--n",
        "3",
    ]
    arguments += ["--interests", "露营, 下厨", "--temperature", "0.8", "--out", "made"]
    for kind in KINDS:
        arguments += ["--type", kind]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with next((tmp_path / "made").rglob("copy.csv")).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["content_type"] for row in rows} == set(KINDS)
    assert all(in_language(row["text"], "zh") for row in rows)
    own = [row for row in rows if row["fallback"].lower() == "false"]
    assert len({(row["product_id"], row["content_type"]) for row in own}) >= 20
