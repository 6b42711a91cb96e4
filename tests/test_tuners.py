"""One interface, five ways of tuning: what holds for each of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from copybandit.agents.gan import GANSettings
from copybandit.agents.ppo import PPOSettings
from copybandit.agents.reward_seam import Reward
from copybandit.agents.tune import Settings, Task, Tuned, TuneUpdate, tune
from copybandit.agents.tune_settings import BestOfNSettings, DPOSettings, GANTuneSettings, GRPOSettings
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(40)]
BUDGET = 640
SHARED: dict[str, Any] = {"batch_size": 32, "learning_rate": 1e-2}
TUNERS: dict[str, Settings] = {
    "ppo": PPOSettings(**SHARED, episodes=BUDGET - 64, reference_samples=64, critic_hidden=16, kl_coef=0.02),
    "grpo": GRPOSettings(**SHARED, episodes=BUDGET - 64, reference_samples=64, beta=0.02, epochs=2),
    "dpo": DPOSettings(**SHARED, episodes=BUDGET, beta=0.05, epochs=4),
    "best-of-n": BestOfNSettings(**SHARED, episodes=BUDGET, epochs=2),
    "gan": GANTuneSettings(**SHARED, episodes=BUDGET, reward_weight=2.0),
}
EACH = pytest.mark.parametrize("name", TUNERS)


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    total = np.array([text.count("a") / len(text) for text in texts])
    return Reward(total=total, components=(("a", total),), costs=(("long", total * 0 + 2),))


TASK = Task(prompts=PROMPTS, reward=share_of_a, real=[(i, f"a lamp {i % 5}") for i in range(len(PROMPTS))])


def short(name: str, **fields: Any) -> Settings:
    """A run of two updates."""
    chosen: Any = replace(TUNERS[name], episodes=64, **fields)
    return chosen  # type: ignore[no-any-return]


def weights(writer: CausalLM) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in writer.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def earned(writer: CausalLM) -> float:
    rows = writer.write(PROMPTS, 8, np.random.default_rng(0))
    texts = [text for row in rows for text in row if text]
    return float(share_of_a(np.zeros(len(texts), np.int64), texts).total.mean())


@cache
def whole(name: str) -> tuple[CausalLM, dict[str, torch.Tensor], Tuned]:
    """A run on the whole budget; its writer must not be changed by it."""
    writer = tiny_writer()
    before = weights(writer)
    with tempfile.TemporaryDirectory() as folder:
        return writer, before, tune(writer, TASK, TUNERS[name], 0, folder)


@EACH
def test_it_earns_more_than_the_untuned_writer_on_the_same_budget(name: str) -> None:
    writer, before, found = whole(name)
    assert equal(before, weights(writer)), "the writer itself stays as it is"
    assert not equal(before, weights(found.writer))
    assert earned(found.writer) > earned(writer) + 0.05
    assert BUDGET - 64 <= found.calls <= BUDGET
    assert (found.writer.generator_id, found.writer.lineage, found.stopped) == (name, "test", "")


@EACH
def test_calls_are_the_texts_that_were_written_of_which_the_empty_ones_are_not_asked_about(
    name: str, tmp_path: Path
) -> None:
    asked: list[int] = []

    def counted(cells: Ints, texts: list[str]) -> Reward:
        asked.append(len(texts))
        return share_of_a(cells, texts)

    found = tune(tiny_writer(), replace(TASK, reward=counted), short(name), 0, tmp_path)
    assert 0.9 * found.calls < sum(asked) <= found.calls


def test_a_gan_that_diverges_at_once_says_so(tmp_path: Path) -> None:
    loop = GANSettings(entropy_bonus=float("inf"))
    with pytest.raises(DataError, match="gan: no update was finished, got diverged: loss -inf"):
        tune(tiny_writer(), TASK, short("gan", loop=loop), 0, tmp_path)


def test_a_gan_that_collapses_keeps_the_record_of_its_last_round(tmp_path: Path) -> None:
    loop = GANSettings(entropy_bonus=0.0, entropy_floor=0.9)
    seen: list[TuneUpdate] = []
    chosen = replace(short("gan", loop=loop), episodes=32 * 200)
    found = tune(
        tiny_writer(max_new_tokens=4),
        TASK,
        chosen,
        0,
        tmp_path,
        lambda update: not seen.append(update),  # type: ignore[func-returns-value]
    )
    assert "entropy collapsed" in found.stopped and found.updates == tuple(seen) and len(seen) < 200


@EACH
def test_the_log_says_what_was_measured(name: str) -> None:
    _, _, found = whole(name)
    assert [update.update for update in found.updates] == list(range(1, len(found.updates) + 1))
    for update in found.updates:
        assert dict(update.components)["a"] == pytest.approx(update.reward)
        assert 0 < update.length <= 8 and 0 <= update.ended <= 1
        assert update.entropy > 0 and update.seconds > 0 and update.episodes == 32 * update.update
    assert found.updates[0].kl == pytest.approx(0, abs=1e-3), (
        "nothing has changed when the first batch is written"
    )
    assert found.updates[-1].kl > 0.05


@EACH
def test_costs_are_logged_where_the_reward_tells_them(name: str) -> None:
    assert dict(whole(name)[2].updates[-1].costs) == {"long": pytest.approx(2)}


@EACH
def test_the_same_seed_gives_the_same_weights_whatever_the_global_state(name: str, tmp_path: Path) -> None:
    one = tune(tiny_writer(), TASK, short(name), 5, tmp_path / "one", clock=lambda: 0.0)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    two = tune(tiny_writer(), TASK, short(name), 5, tmp_path / "two", clock=lambda: 0.0)
    assert torch.equal(state, torch.get_rng_state())
    assert equal(weights(one.writer), weights(two.writer)) and one.updates == two.updates
    other = tune(tiny_writer(), TASK, short(name), 6, tmp_path / "other")
    assert not equal(weights(one.writer), weights(other.writer))


@EACH
def test_the_caller_may_stop_it(name: str, tmp_path: Path) -> None:
    seen: list[TuneUpdate] = []

    def once(update: TuneUpdate) -> bool:
        seen.append(update)
        return False

    found = tune(tiny_writer(), TASK, short(name), 0, tmp_path, once)
    assert found.updates == tuple(seen) and len(seen) == 1
    assert found.stopped == "stopped by the caller"


@EACH
def test_checkpoints_are_writers_and_are_there_when_their_update_is_told(name: str, tmp_path: Path) -> None:
    there: list[bool] = []
    found = tune(
        tiny_writer(),
        TASK,
        short(name, checkpoint_every=1),
        0,
        tmp_path,
        lambda update: there.append((tmp_path / f"update-{update.update:04d}").is_dir()) or True,  # type: ignore[func-returns-value]
    )
    assert there == [True, True] and [update for update, _ in found.checkpoints] == [1, 2]
    first, last = (CausalLM.load(str(folder)) for _, folder in found.checkpoints)
    assert equal(weights(last), weights(found.writer)) and not equal(weights(first), weights(last))
    assert last.card == found.writer.card


@EACH
@pytest.mark.parametrize("total", [np.nan, None])
def test_a_broken_reward_is_refused(name: str, total: float | None, tmp_path: Path) -> None:
    def broken(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.zeros(1) if total is None else np.full(len(texts), total))

    with pytest.raises(DataError, match="must return shape" if total is None else "must be finite, got nan"):
        tune(tiny_writer(), replace(TASK, reward=broken), short(name), 0, tmp_path)


@EACH
def test_the_writer_s_temperature_is_the_one_that_is_tuned(name: str, tmp_path: Path) -> None:
    """A cold writer is surer of what it writes; its texts are as likely as its own log probability says."""
    entropy = {}
    for temperature in (0.3, 1.0):
        writer = tiny_writer(spread=1.0)
        writer.temperature = temperature
        found = tune(writer, TASK, short(name, learning_rate=1e-9), 0, tmp_path / f"{temperature}")
        texts = [text for row in writer.write(PROMPTS, 8, np.random.default_rng(0)) for text in row]
        own = writer.log_prob(
            [brief(i) for i in range(40) for _ in range(8)], [text or "a" for text in texts]
        )
        entropy[temperature] = found.updates[0].entropy
        assert found.writer.temperature == temperature and np.isfinite(own).all()
    assert entropy[0.3] < 0.7 * entropy[1.0]


@EACH
def test_too_few_prompts_and_a_greedy_writer_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="prompts"):
        tune(tiny_writer(), replace(TASK, prompts=PROMPTS[:3], real=TASK.real[:3]), short(name), 0, tmp_path)
    greedy = tiny_writer()
    greedy.temperature = 0.0
    with pytest.raises(DataError, match="temperature must be above 0"):
        tune(greedy, TASK, short(name), 0, tmp_path)


@pytest.mark.parametrize("name", ["grpo", "dpo", "best-of-n"])
def test_low_rank_adapters_are_merged(name: str, tmp_path: Path) -> None:
    writer = tiny_writer(spread=0.2)
    found = tune(writer, TASK, short(name, lora_rank=4, learning_rate=1e-2), 0, tmp_path)
    assert weights(found.writer).keys() == weights(writer).keys()
    assert not equal(weights(found.writer), weights(writer))


def test_a_limit_that_is_broken_grows_dear_and_one_that_is_kept_costs_nothing(tmp_path: Path) -> None:
    def costly(cells: Ints, texts: list[str]) -> Reward:
        letters = np.array([text.count("a") for text in texts], np.float64)
        return Reward(total=letters, costs=(("letters", letters), ("none", 0 * letters)))

    for name in TUNERS:
        limits = (("letters", -1.0), ("none", 1.0))
        found = tune(
            tiny_writer(), replace(TASK, reward=costly), short(name, limits=limits), 0, tmp_path / name
        )
        told = [dict(update.more) for update in found.updates]
        assert told[-1]["multipliers/letters"] > 0 == told[-1]["multipliers/none"], name


def test_refused_texts_are_never_taught(tmp_path: Path) -> None:
    """Texts with an "a" earn most and are refused: best-of-n and DPO must not learn them."""

    def tempting(cells: Ints, texts: list[str]) -> Reward:
        bad = np.array(["a" in text for text in texts], np.float64)
        return Reward(
            total=bad * 5 - np.array([len(text) for text in texts]) / 100, components=(("refused", bad),)
        )

    def share(writer: CausalLM) -> float:
        rows = writer.write(PROMPTS, 8, np.random.default_rng(0))
        return float(np.mean(["a" in text for row in rows for text in row]))

    for name in ("dpo", "best-of-n"):
        found = tune(tiny_writer(), replace(TASK, reward=tempting), TUNERS[name], 0, tmp_path)
        assert share(found.writer) < share(tiny_writer()) - 0.1, name


def test_pairs_are_made_from_outside_in_and_never_prefer_what_is_refused() -> None:
    from copybandit.agents.tune_dpo import ranked
    from copybandit.agents.tune_rollout import Scored

    def pairs(score: list[float], approved: list[bool]) -> list[tuple[int, int]]:
        scored = Scored(
            texts=("",) * 8, score=np.array(score), approved=np.array(approved), reward=0.0, components=(), costs=(),
            multipliers=(), length=1.0, ended=1.0,
        )  # fmt: skip
        found = ranked(scored, 4)
        return sorted(zip(found.chosen.tolist(), found.rejected.tolist(), strict=True))

    first, second = [3.0, 1.0, 4.0, 2.0], [5.0, 5.0, 5.0, 5.0]
    assert pairs(first + second, [True] * 8) == [(0, 3), (2, 1)]
    assert pairs(first + second, [True, True, False, True] + [True] * 4) == [(0, 2), (3, 1)]
    assert pairs(first + second, [False] * 8) == []


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(DataError, match="grpo: batch_size must be a multiple of group"):
        GRPOSettings(batch_size=30)
    with pytest.raises(DataError, match="dpo: group must be >= 2"):
        DPOSettings(group=1)
    with pytest.raises(DataError, match="gan: episodes and batch_size must be >= 1"):
        GANTuneSettings(episodes=0)
    with pytest.raises(DataError, match="gan: trains all weights, got lora_rank 4"):
        GANTuneSettings(lora_rank=4)
    for wrong, words in (
        ({"learning_rate": -1.0}, "learning rates must be >= 0 and finite, got -1.0"),
        ({"reward_clip": 0.0}, "reward_clip must be above 0, got 0.0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be >= 1, got 0"),
        ({"lora_rank": -2}, "lora_rank must be >= 1, got -2"),
    ):
        for settings in (PPOSettings, BestOfNSettings):
            with pytest.raises(DataError, match=words):
                settings(**wrong)
    with pytest.raises(DataError, match="gan: needs real copy of at least 2 products, got 0"):
        tune(tiny_writer(), Task(prompts=PROMPTS, reward=share_of_a), TUNERS["gan"], 0, "never-made")


def test_reading_the_settings_loads_neither_torch_nor_trl() -> None:
    code = (
        "import sys, copybandit.agents.tune, copybandit.agents.tune_settings\n"
        "assert not {'torch', 'trl', 'transformers'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
