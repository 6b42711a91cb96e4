"""PPO through TRL earns a toy reward, the same way each time, and leaves alone what is not its own."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.agents.reward_scale import RewardScale
from copybandit.agents.reward_seam import Reward
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(40)]
SMALL = PPOSettings(
    episodes=64, batch_size=16, reference_samples=32, critic_hidden=16, learning_rate=3e-3, kl_coef=0.02
)


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    total = np.array([text.count("a") / len(text) for text in texts])
    return Reward(total=total, components=(("a", total), ("cell", cells.astype(np.float64))))


def weights(writer: CausalLM) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in writer.model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_toy_reward_rises_clearly(tmp_path: Path) -> None:
    result = tune_ppo(tiny_writer(), PROMPTS, share_of_a, replace(SMALL, episodes=640), 0, tmp_path)
    first, last = result.updates[0], result.updates[-1]
    assert last.reward > first.reward + 0.2
    assert last.kl > 1 and last.entropy < first.entropy
    texts = [text for (text,) in result.writer.write(PROMPTS, 1, np.random.default_rng(0)) if text]
    written = share_of_a(np.arange(len(texts)), texts).total.mean()
    assert written == pytest.approx(last.reward, abs=0.15)


def test_a_reward_that_depends_on_the_context_is_learned(tmp_path: Path) -> None:
    """Half of the prompts want "a", the other half do not: only a context-aware policy earns both."""
    wants = np.array(["garden" in prompt or "warm" in prompt for prompt in PROMPTS])

    def fitting(cells: Ints, texts: list[str]) -> Reward:
        has = np.array([min(text.count("a"), 3) / 3 for text in texts])
        return Reward(total=np.where(wants[cells], has, 1 - has))

    settings = replace(SMALL, episodes=32 * 40, batch_size=32)
    result = tune_ppo(tiny_writer(), PROMPTS, fitting, settings, 0, tmp_path)
    assert result.updates[-1].reward > result.updates[0].reward + 0.05


def test_low_rank_adapters_learn_too_and_are_merged(tmp_path: Path) -> None:
    settings = replace(SMALL, episodes=480, lora_rank=4, learning_rate=2e-2)
    writer = tiny_writer(spread=0.2)
    result = tune_ppo(writer, PROMPTS, share_of_a, settings, 0, tmp_path)
    assert result.updates[-1].reward > result.updates[0].reward + 0.05
    assert weights(result.writer).keys() == weights(writer).keys()
    assert all(weight.requires_grad for weight in result.writer.model.parameters())


def test_same_seed_same_weights_another_seed_others(tmp_path: Path) -> None:
    one = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SMALL, 5, tmp_path, clock=lambda: 0.0)
    torch.manual_seed(99)
    two = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SMALL, 5, tmp_path, clock=lambda: 0.0)
    assert equal(weights(one.writer), weights(two.writer)) and one.updates == two.updates
    three = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SMALL, 6, tmp_path)
    assert not equal(weights(one.writer), weights(three.writer))


def test_the_writer_and_the_global_random_state_stay_as_they_are(tmp_path: Path) -> None:
    writer = tiny_writer()
    before = weights(writer)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    result = tune_ppo(writer, PROMPTS, share_of_a, SMALL, 0, tmp_path)
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == random.getstate()
    assert np.array_equal(states[2], np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002
    assert equal(before, weights(writer)) and not equal(before, weights(result.writer))
    assert (result.writer.generator_id, result.writer.lineage, writer.generator_id) == ("ppo", "test", "test")
    assert not list(tmp_path.iterdir())


def test_updates_say_what_was_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticks = iter(range(100))
    settings = replace(SMALL, missing_eos_penalty=0.0)
    result = tune_ppo(tiny_writer(), PROMPTS, share_of_a, settings, 0, tmp_path, clock=lambda: next(ticks))
    assert [update.update for update in result.updates] == [1, 2, 3, 4]
    assert [update.episodes for update in result.updates] == [16, 32, 48, 64]
    for update in result.updates:
        components = dict(update.components)
        assert components["a"] == pytest.approx(update.reward)
        assert 0 <= components["cell"] < len(PROMPTS)
        assert 1 <= update.length <= 8 and 0 <= update.ended <= 1 and update.seconds >= 1
        assert update.entropy > 0 and update.ratio == pytest.approx(1, abs=0.2)
    assert capsys.readouterr().out == ""


def test_checkpoints_are_writers(tmp_path: Path) -> None:
    settings = replace(SMALL, checkpoint_every=2, tensorboard=True)
    (tmp_path / "update-0002").mkdir()
    (tmp_path / "update-0002" / "half").write_text("an interrupted run", encoding="utf-8")
    result = tune_ppo(tiny_writer(), PROMPTS, share_of_a, settings, 0, tmp_path)
    assert [update for update, _ in result.checkpoints] == [2, 4]
    last = CausalLM.load(str(result.checkpoints[-1][1]))
    assert last.card == result.writer.card
    middle = CausalLM.load(str(result.checkpoints[0][1]))
    assert not equal(weights(middle), weights(last))
    assert list(tmp_path.rglob("events.out.tfevents*"))


def test_a_policy_that_only_ends_is_scored_lowest_and_never_reaches_the_reward(tmp_path: Path) -> None:
    writer = tiny_writer()
    final = torch.nn.functional.one_hot(torch.tensor(writer.eos_id), 200) * 1e3
    writer.model.get_output_embeddings().register_forward_hook(lambda _module, _args, out: out + final)

    def untouched(cells: Ints, texts: list[str]) -> Reward:
        raise AssertionError("an empty text reached the reward")

    result = tune_ppo(writer, PROMPTS, untouched, SMALL, 0, tmp_path)
    assert all(update.length == 1 and update.ended == 1 for update in result.updates)


@pytest.mark.parametrize(
    ("total", "message"), [(np.nan, "must be finite, got nan for prompt"), (None, "must return shape")]
)
def test_a_broken_reward_is_named(total: float | None, message: str, tmp_path: Path) -> None:
    def broken(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.zeros(1) if total is None else np.full(len(texts), total))

    with pytest.raises(DataError, match=message) as caught:
        tune_ppo(tiny_writer(), PROMPTS, broken, SMALL, 0, tmp_path)
    assert "\n" not in str(caught.value)


def test_senseless_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="multiple of minibatches, got 16 and 3"):
        replace(SMALL, minibatches=3)
    with pytest.raises(DataError, match="episodes must be >= 1, got 0"):
        replace(SMALL, episodes=0)
    with pytest.raises(DataError, match=r"unknown trl options \['top_k'\]; allowed are cliprange"):
        replace(SMALL, trl={"top_k": 5})
    with pytest.raises(DataError, match="sd must be above 0"):
        RewardScale(mean=0.0, sd=0.0)
    greedy = tiny_writer()
    greedy.temperature = 0.0
    with pytest.raises(DataError, match="temperature must be above 0"):
        tune_ppo(greedy, PROMPTS, share_of_a, SMALL, 0, tmp_path)


def test_trl_options_reach_trl(tmp_path: Path) -> None:
    base = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SMALL, 0, tmp_path)
    tight = tune_ppo(tiny_writer(), PROMPTS, share_of_a, replace(SMALL, trl={"cliprange": 1e-6}), 0, tmp_path)
    assert sum(u.clip_fraction for u in tight.updates) > 2 * sum(u.clip_fraction for u in base.updates)


def test_reading_the_settings_loads_neither_torch_nor_trl() -> None:
    code = (
        "import sys, copybandit.agents.ppo, copybandit.agents.sft, copybandit.generators.smollm2\n"
        "assert not {'torch', 'trl', 'transformers'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
