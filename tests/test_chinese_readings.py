"""Readings of Chinese copy: denials, similes, looks and imitations, what an answer leaves open, stuffing and slips."""

from __future__ import annotations

import pytest

from copybandit.generators.chinese_slips import chinese_slips
from copybandit.generators.editor import check
from copybandit.generators.materials import implied_materials, materials
from copybandit.generators.stuffing import permuted
from copybandit.sim.types import Brief, ContentType, Product

SHELF = Product(
    product_id="s", name="书架", title="松木书架 五层", category="家具", brand="", price=1.0, facts=("松木", "IPX7")
)  # fmt: skip


def rules(text: str, content_type: ContentType = "description", question: str = "") -> set[str]:
    brief = Brief(product=SHELF, language="zh", content_type=content_type, question=question)
    return {found.rule for found in check(brief, text)} - {"unnamed", "unfinished", "sentences"}


@pytest.mark.parametrize(
    "text", ["书架不是实木贴皮", "像丝绸一样滑", "丝绸般的木头", "大理石纹", "檀木香", "告别塑料", "小棉袄"]
)
def test_words_that_name_no_material(text: str) -> None:
    assert {m.material for m in materials(text)} <= {"wood"}


def test_an_imitation_is_no_marble() -> None:
    assert "marble" not in implied_materials("仿大理石台面")
    assert implied_materials("大理石台面") == {"marble"}


def test_a_code_states_its_property() -> None:
    assert "attribute" not in rules("书架防水到IPX7。")
    assert "attribute" in rules("书架可以机洗。")


def test_an_answer_may_repeat_what_it_does_not_know() -> None:
    question = "书架能进洗碗机吗？"
    assert rules("书架是松木的；能不能进洗碗机，资料里没写。", "answer", question) == set()
    assert rules("书架能进洗碗机。", "answer", question) != set()


def test_permuted_keywords_are_stuffed() -> None:
    assert permuted("书架木，木书架，书架木质，木质书架，书架子木，木质书架子，书架木质架")
    assert not permuted("松木书架五层，放得下一整面墙的故事，也放得下一只打盹的猫。")


@pytest.mark.parametrize("text", ["慢慢的喝一杯", "跑的快,站的稳", "下次在见", "它它不说话", "能可以放三本"])
def test_slips_are_soft(text: str) -> None:
    found = list(chinese_slips(text))
    assert found and {slip.severity for slip in found} == {"soft"}


@pytest.mark.parametrize(
    "text", ["慢慢的一口茶", "跑的快乐", "再见", "它的它的主人", "是是非非", "你能,可以的", "温柔的颜色"]
)
def test_clean_copy_has_no_slips(text: str) -> None:
    assert not list(chinese_slips(text))
