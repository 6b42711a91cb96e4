"""The copy-writing environments: Gymnasium's rules, the reward of tuning, a row of the vector = the single environment."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.envs import COPY_WRITING
from copybandit.envs.check import check_copy_writing
from copybandit.envs.copy_writing import CopyWritingEnv
from copybandit.envs.copy_writing_vector import CopyWritingVectorEnv
from copybandit.envs.writing_desk import MAX_LENGTH, text_space
from copybandit.evaluation.cells import CellReward, Cells, make_cells
from copybandit.generators.editor import Editor, check
from copybandit.generators.grammar import write
from copybandit.sim.copy_reward import DOUBT, VETO
from copybandit.sim.desk import Desk
from copybandit.sim.drawn_desk import draw_desk
from copybandit.sim.types import DataError, Segment
from tests.copy_selection_lives import assert_equal
from tests.small_world import small_world


@cache
def drawn() -> Desk:
    return draw_desk(3, n_products=8)


@cache
def cells() -> Cells:
    world = small_world()
    segments = [Segment(segment_id=i, interests=world.words[3 * i : 3 * i + 3], size=100) for i in range(2)]
    everybody, first = np.ones(200, dtype=np.bool_), np.arange(40) < 6
    return make_cells(world.products, segments, np.arange(200) % 2, everybody, first)


def copy_for(index: int, seed: int) -> str:
    return write(cells().briefs[index], np.random.default_rng([seed, index]))


def test_gymnasium_finds_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(COPY_WRITING).unwrapped)
        for mode in ("ansi", "rgb_array"):
            check_env(gymnasium.make(COPY_WRITING, desk=drawn(), render_mode=mode).unwrapped)


@pytest.mark.parametrize("fitted", [False, True])
def test_the_conformance_check_passes(fitted: bool) -> None:
    check_copy_writing(CellReward(small_world().fitted, cells(), Editor()).desk() if fitted else drawn())


def test_the_conformance_check_notices_a_score_that_looks_at_neighbours() -> None:
    desk = drawn()

    def tilted(index: Any, texts: list[str], /) -> Any:
        scored: Any = desk.score(index, texts)
        return replace(scored, total=scored.total + 0.01 * (len(texts) - 1))

    with pytest.raises(DataError, match="rewards must equal the vector's"):
        check_copy_writing(replace(desk, score=tilted))


def test_the_reward_is_the_one_that_tuners_get() -> None:
    reward = CellReward(small_world().fitted, cells(), Editor())
    env = CopyWritingEnv(reward.desk())
    honest, refused = 0, 0
    for index, brief in enumerate(cells().briefs):
        for text in (copy_for(index, 0), copy_for(index, 1), f"The {brief.product.name}, now 99% off."):
            wanted = reward(np.array([index]), [text])
            env.reset(options={"cell": index})
            _, got, terminated, truncated, info = env.step(text)
            assert got == wanted.total[0] and terminated and not truncated
            assert info["text"] == text and info["brief"] is brief
            assert {name: info[name] for name, _ in wanted.components} == {
                name: values[0] for name, values in wanted.components
            }
            if check(brief, text):
                assert got == VETO and info["refused"] == 1
                refused += 1
            else:
                assert got == pytest.approx(max(info["match"] + info["wording"] - info["doubt"], VETO))
                honest += 1
    assert honest >= len(cells()) and refused >= len(cells())


def test_the_reward_is_the_lower_bound_averaged_over_the_cell() -> None:
    world, index = small_world().fitted, 3
    text = copy_for(index, 0)
    copy = world.encode([text], cells().product[[index]])
    shoppers = cells().shoppers[int(cells().segment[index])]
    n = len(shoppers)
    terms = world.terms(shoppers, copy.take(np.zeros(n, dtype=np.int64)))
    lower = (terms.match + terms.wording).mean() - DOUBT * copy.wording.std()
    env = CopyWritingEnv(CellReward(world, cells(), Editor()).desk())
    env.reset(options={"cell": index})
    assert not check(cells().briefs[index], text)
    assert env.step(text)[1] == pytest.approx(max(lower, VETO), abs=1e-9)


def test_a_row_is_the_single_environment() -> None:
    ours, loop = (
        CopyWritingVectorEnv(5, drawn()),
        SyncVectorEnv([lambda: CopyWritingEnv(drawn())] * 5, autoreset_mode=AutoresetMode.SAME_STEP),
    )
    same_infos(*(env.reset(seed=9) for env in (ours, loop)))
    rng = np.random.default_rng(0)
    for step in range(12):
        texts = [f"{'New! ' * rng.integers(3)}The {word}." for word in rng.choice(["mug", "lamp", "kite"], 5)]
        left: Any = ours.step(texts)
        right: Any = loop.step(tuple(texts))
        same_infos((left[0], left[4]), (right[0], right[4]))
        assert np.allclose(left[1], right[1], atol=1e-9) and left[2].all() and not left[3].any(), step
        assert (left[2] == right[2]).all() and (left[3] == right[3]).all()


def same_infos(left: Any, right: Any) -> None:
    """The same observations bit for bit, and the same infos but for rounding."""
    assert_equal(left[0], right[0])
    mine, other = left[1], right[1]
    assert mine.keys() == other.keys()
    for name, values in mine.items():
        if name == "final_info":
            same_infos(({}, values), ({}, other[name]))
        elif name == "final_obs":
            for a, b in zip(values, other[name], strict=True):
                assert_equal(a, b)
        elif values.dtype == object:
            assert list(values) == list(other[name])
        else:
            assert values.dtype == other[name].dtype and np.allclose(values, other[name], atol=1e-9)


def test_it_is_made_by_name_and_needs_no_argument() -> None:
    env, many = gymnasium.make(COPY_WRITING), gymnasium.make_vec(COPY_WRITING, num_envs=3)
    assert isinstance(env.unwrapped, CopyWritingEnv) and isinstance(many.unwrapped, CopyWritingVectorEnv)
    assert many.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    seen, info = env.reset(seed=4)
    batch, infos = many.reset(seed=4)
    assert_equal({name: values[0] for name, values in batch.items()}, seen)
    assert infos["brief"][0] == info["brief"] and many.observation_space.contains(batch)
    batch, reward, *_ = many.step(many.action_space.sample())
    assert many.observation_space.contains(batch) and reward.shape == (3,)
    assert (reward == VETO).all()


def test_a_seed_is_a_row_of_briefs_and_they_are_drawn_evenly() -> None:
    def briefs(seed: int, n: int) -> list[int]:
        env = CopyWritingEnv(drawn())
        return [env.reset(seed=None if i else seed)[1]["cell"] for i in range(n)]

    assert briefs(1, 30) == briefs(1, 30) != briefs(2, 30)
    count = np.bincount(briefs(0, 3_200), minlength=len(drawn()))
    assert len(count) == 32 and abs(count - 100).max() < 50
    assert (
        draw_desk(3, n_products=8).references == drawn().references != draw_desk(4, n_products=8).references
    )


def test_reference_copy_earns_nothing_and_better_copy_more() -> None:
    env = CopyWritingEnv(drawn())
    best = []
    for cell in range(len(drawn())):
        _, info = env.reset(options={"cell": cell})
        assert env.step(info["reference"])[1] == pytest.approx(0, abs=1e-12)
        name, words = info["brief"].product.name, info["brief"].segment.interests
        earned = []
        for text in (
            f"You love {words[0]}: the {name}!",
            f"New: {name}.",
            f"A {name} for {words[2]} lovers?",
        ):
            env.reset(options={"cell": cell})
            earned.append(env.step(text)[1])
        best.append(max(earned))
    assert np.mean(np.array(best) > 0) > 0.5
    # What the readers lean to earns more than what they do not, other things equal.
    env.reset(options={"cell": 0})
    lean = drawn().briefs[0].segment
    assert lean is not None
    other = next(
        w for b in drawn().briefs if b.segment for w in b.segment.interests if w not in lean.interests
    )
    parts = []
    for word in (lean.interests[0], other):
        env.reset(options={"cell": 0})
        parts.append(env.step(f"The {drawn().briefs[0].product.name}, for {word}.")[4]["match"])
    assert parts[0] > 0 > parts[1]


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200), cell=st.integers(0, 31))
def test_any_text_has_a_reward(text: str, cell: int) -> None:
    env = CopyWritingEnv(drawn())
    env.reset(options={"cell": cell})
    seen, reward, terminated, _, info = env.step(text)
    assert VETO <= reward < 5 and terminated and env.observation_space.contains(seen)
    if not text_space().contains(text):
        assert reward == VETO and info["refused"] == 1


def test_what_lies_outside_the_action_space_is_refused() -> None:
    env = CopyWritingEnv(drawn())
    _, info = env.reset(options={"cell": 0})
    name = info["brief"].product.name
    for text in (f"The {name} \u2603.", f"The {name}." + "!" * MAX_LENGTH, ""):
        env.reset(options={"cell": 0})
        *_, told = env.step(text)
        assert told["refused"] == 1 and told["text"] == text
    env.reset(options={"cell": 0})
    with pytest.raises(DataError, match="copy must be text, got int for environment 0"):
        env.step(3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="actions must be 2 texts, got 1"):
        many = CopyWritingVectorEnv(2, drawn())
        many.reset(seed=0)
        many.step(["one"])


def test_a_text_and_a_picture_tell_what_became_of_the_copy() -> None:
    env = CopyWritingEnv(drawn(), render_mode="ansi")
    with pytest.raises(ResetNeeded, match="call reset"):
        env.render()
    _, info = env.reset(seed=0)
    name = info["brief"].product.name
    assert "waiting for copy" in env.render() and name in env.render() and info["reference"] in env.render()
    _, reward, *_ = env.step(f"The {name} you wanted.")
    assert f"{reward:+.3f} log-odds over the reference" in env.render() and "doubt" in env.render()
    env.reset(seed=0)
    env.step("Nothing.")
    assert "refused, -0.600" in env.render()
    pixels = CopyWritingVectorEnv(2, drawn(), render_mode="rgb_array")
    pixels.reset(seed=0)
    waiting = pixels.render()
    pixels.step([f"The {name} for $5 & more.", "Nothing."])
    frames = pixels.render()
    assert waiting is not None and frames is not None
    assert (
        frames[0].shape == (400, 800, 3) and frames[0].dtype == np.uint8 and (frames[0] != waiting[0]).any()
    )


def test_a_step_out_of_turn_and_bad_arguments_are_refused() -> None:
    env = CopyWritingEnv(drawn())
    with pytest.raises(ResetNeeded):
        env.step("One.")
    env.reset(seed=0)
    env.step("One.")
    with pytest.raises(ResetNeeded):
        env.step("Two.")
    with pytest.raises(ResetNeeded):
        CopyWritingVectorEnv(2, drawn()).step(["One.", "Two."])
    for options, rule in (
        ({"sell": 1}, "unknown reset option 'sell'"),
        ({"cell": 32}, r"cell must be .* \[0, 32\)"),
    ):
        with pytest.raises(DataError, match=rule):
            env.reset(options=options)
    for arguments, rule in (
        ({"desk": -1}, "desk must be a Desk or a seed"),
        ({"render_mode": "human"}, "render_mode must be None or in"),
        ({"num_envs": 0}, "num_envs must be at least 1"),
    ):
        with pytest.raises(DataError, match=rule):
            CopyWritingVectorEnv(**({"num_envs": 2} | arguments))
    with pytest.raises(DataError, match="one for each of 2 environments, got 3"):
        CopyWritingVectorEnv(2, drawn()).reset(seed=[1, 2, 3])
    with pytest.raises(DataError, match="takes no reset options"):
        CopyWritingVectorEnv(2, drawn()).reset(options={"cell": 1})


def test_desks_check_themselves() -> None:
    desk = drawn()
    with pytest.raises(DataError, match="one reference copy each, got 32 and 1"):
        replace(desk, references=desk.references[:1])
    with pytest.raises(DataError, match=r"segment must be finite and \(32, "):
        replace(desk, segment=desk.segment[:, :2])
    with pytest.raises(DataError, match="drawn desk: n_products"):
        draw_desk(n_products=0)
