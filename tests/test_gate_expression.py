"""Gates in words: what is read is what was written, and what is no number never passes."""

import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copybandit.evaluation.gate_expression import COMPARE, GateExpression, judge, parse_gate
from copybandit.sim.types import DataError

WORD = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
FIGURE = st.lists(WORD, min_size=1, max_size=3).map(".".join)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SPACE = st.text(" \t", max_size=2)


@given(FIGURE, st.sampled_from(sorted(COMPARE)), FINITE, SPACE, SPACE)
def test_a_gate_is_read_as_it_was_written(figure: str, compare: str, bound: float, a: str, b: str) -> None:
    gate = parse_gate(f"{a}{figure}{b}{compare}{a}{bound!r}{b}")
    assert gate == GateExpression(figure=figure, compare=compare, bound=bound)


@given(st.sampled_from(["<", "<=", ">", ">=", "=="]), FINITE, FINITE)
def test_a_gate_compares(compare: str, value: float, bound: float) -> None:
    told = {
        "<": operator.lt(value, bound),
        "<=": not value > bound,
        ">": operator.lt(bound, value),
        ">=": not value < bound,
        "==": value - bound == 0 and value == bound,
    }
    gate = GateExpression(figure="x", compare=compare, bound=bound)
    assert judge(gate, {"x": value}).passed is told[compare]


@pytest.mark.parametrize("compare", sorted(COMPARE))
@pytest.mark.parametrize("nothing", [math.nan, None])
def test_what_has_no_number_never_passes(compare: str, nothing: float | None) -> None:
    judged = judge(GateExpression(figure="x.y", compare=compare, bound=0.0), {"x.y": nothing})
    assert judged.passed is False
    assert str(judged) == f"gate x.y{compare}0: FAILED, got nan"


@pytest.mark.parametrize(
    "text",
    ["", "dr", "dr>", ">1", "dr.>1", ".dr>1", "dr=1", "dr!=1", "dr<>1", "dr>nan", "dr>inf", "dr>1e999", "dr>1_0",
     "dr>0x1", "dr>1 2", "1dr>0", "dr>1>2", "dr..x>1", "dr>１"],
)  # fmt: skip
def test_another_form_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(DataError, match=r"^gate must be NAME\.FIELD") as caught:
        parse_gate(text)
    assert "\n" not in str(caught.value)
    assert repr(text) in str(caught.value)


def test_an_unknown_figure_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"must be one of dr\.value, ips\.value, got snips\.value"):
        judge(parse_gate("snips.value>0"), {"ips.value": 1.0, "dr.value": 2.0})


def test_a_gate_made_by_hand_checks_itself() -> None:
    for wrong in ({"compare": "!="}, {"bound": math.inf}):
        with pytest.raises(DataError, match="finite number"):
            GateExpression(**{"figure": "x", "compare": "<", "bound": 1.0, **wrong})  # type: ignore[arg-type]
