"""More habits of TRL's PPO, numbered like those of `tests/test_ppo_quirks.py`: what its loop does by itself."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from copybandit.agents.adapters import AdapterSettings, Choice, attach
from copybandit.agents.critic import Critic
from copybandit.agents.policy_module import ChosenTokens
from copybandit.agents.ppo import PPOSettings, PPOUpdate, TuneResult, tune_ppo
from copybandit.agents.ppo_loop import Loop, mended_train, trl_names
from copybandit.agents.ppo_order import RowOrders, epoch_order
from copybandit.agents.ppo_parts import make_optimizer, with_adapter
from copybandit.agents.reward_scale import RewardScale
from copybandit.agents.reward_seam import ProgrammaticReward, PromptIndex, Reward, RewardFn
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_model, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(24)]
SMALL = PPOSettings(episodes=24, batch_size=8, reference_samples=16, critic_hidden=8)
PAD = 0


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    return Reward(total=np.array([text.count("a") / len(text) for text in texts]))


def tune(
    out: Path, options: PPOSettings, *, reward: RewardFn = share_of_a, writer: CausalLM | None = None
) -> TuneResult:
    return tune_ppo(writer or tiny_writer(), PROMPTS, reward, options, 0, out, clock=lambda: 0.0)


# Quirk 6: the precision comes from the environment, and from nowhere else.


def test_quirk_6_the_environment_does_not_choose_the_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tune(tmp_path, SMALL)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert tune(tmp_path, SMALL).updates == plain.updates
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "bf16"


def test_quirk_6_what_trained_before_in_the_process_does_not_choose_the_precision(tmp_path: Path) -> None:
    """Accelerate keeps one state per process, in which the first precision stays."""
    plain = tune(tmp_path, SMALL)
    AcceleratorState._reset_state()
    try:
        Accelerator(mixed_precision="bf16", cpu=True)
        assert tune(tmp_path, SMALL).updates == plain.updates
    finally:
        AcceleratorState._reset_state()


# Quirks 8 and 23: no stop on the KL of an update, none on that to the reference.


def test_quirk_23_passes_over_a_batch_stop_once_the_policy_has_moved_far(tmp_path: Path) -> None:
    eager = replace(SMALL, ppo_epochs=6, learning_rate=2e-2)
    free = tune(tmp_path, eager)
    assert [update.passes for update in free.updates] == [6, 6, 6]
    stopped = tune(tmp_path, replace(eager, stop_kl=0.5 * max(update.approx_kl for update in free.updates)))
    assert min(update.passes for update in stopped.updates) < 6
    for update in stopped.updates:
        assert update.passes == 6 or update.approx_kl > 0
    at_once = tune(tmp_path, replace(eager, stop_kl=1e-12, minibatches=2))
    once = tune(tmp_path, replace(eager, ppo_epochs=1))
    assert [update.passes for update in at_once.updates] == [1, 1, 1]
    assert at_once.updates[0] == once.updates[0]


def test_quirk_8_tuning_ends_when_kl_to_the_reference_is_spent(tmp_path: Path) -> None:
    eager = replace(SMALL, episodes=160, learning_rate=2e-2, kl_coef=0.0)
    result = tune(tmp_path, replace(eager, max_kl=0.5))
    assert result.ended_by == "max_kl" and result.stopped
    assert result.updates[-1].kl > 0.5 >= max(update.kl for update in result.updates[:-1])
    saved = replace(eager, max_kl=0.5, checkpoint_every=1)
    spent = tune(tmp_path / "saved", saved)
    again = tune_ppo(tiny_writer(), PROMPTS, share_of_a, saved, 0, tmp_path / "saved", resume=True)
    assert again.updates == spent.updates == result.updates and again.ended_by == "max_kl"
    assert tune(tmp_path, SMALL).ended_by == "episodes"
    for name in ("max_kl", "stop_kl", "target_kl"):
        with pytest.raises(DataError, match=f"{name} must be above 0, got 0"):
            replace(SMALL, **{name: 0.0})  # type: ignore[arg-type]  # the name varies


def test_quirk_23_the_low_variance_estimate_of_kl_is_never_negative(tmp_path: Path) -> None:
    moved = replace(SMALL, episodes=80, learning_rate=1e-3)
    k1 = tune(tmp_path, moved).updates
    k3 = tune(tmp_path, replace(moved, trl={"kl_estimator": "k3"})).updates
    assert min(update.kl for update in k3) > -1e-6 and k3[-1].kl > 1e-4
    assert min(update.kl for update in k1) < -1e-4


# Quirk 13: the score lands on the place behind the end, and no value may be lost on the way back.


def test_quirk_13_every_token_of_an_answer_gets_the_whole_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At lambda 1, with a critic that says 0 and free KL, the advantage of each token is the answer's score."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    mends = Loop.mends

    def watched(self: Loop) -> dict[str, object]:
        found = mends(self)
        whiten = found["masked_whiten"]

        def whitened(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            seen.append((values.clone(), mask.clone()))
            return whiten(values, mask)  # type: ignore[no-any-return, operator]  # a function of TRL's

        return {**found, "masked_whiten": whitened}

    monkeypatch.setattr(Loop, "mends", watched)
    writer = tiny_writer(max_new_tokens=6)
    eager = torch.nn.functional.one_hot(torch.tensor(writer.eos_id), 200) * 4.0
    writer.model.get_output_embeddings().register_forward_hook(lambda _module, _args, out: out + eager)
    scored: list[list[float]] = []

    def by_length(cells: Ints, texts: list[str]) -> Reward:
        scored.append([float(len(text)) for text in texts])
        return Reward(total=np.array(scored[-1]))

    options = replace(
        SMALL, episodes=8, kl_coef=0.0, critic_epochs=0, missing_eos_penalty=0.0, reward_clip=100.0
    )
    result = tune(tmp_path, options, reward=by_length, writer=writer)
    ((advantages, mask),) = seen
    lengths = mask.sum(1)
    assert 1 <= int(lengths.min()) < int(lengths.max())
    for row, own in zip(advantages, mask, strict=True):
        torch.testing.assert_close(row[own], row[own][:1].expand(int(own.sum())))
    written = result.reward_scale.standardised(np.array(scored[-1]))
    expected = np.sort([*written, *[-options.reward_clip] * (8 - len(written))])  # empty texts get the lowest
    np.testing.assert_allclose(np.sort(advantages[:, 0]), expected, rtol=1e-4, atol=1e-4)


# Quirk 16: TRL passes options to `generate` that transformers is about to drop.


def test_quirk_16_tuning_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tune(tmp_path, SMALL)
        tune(tmp_path, replace(SMALL, lora_rank=2, episodes=8))
    assert [str(one.message) for one in told] == []


# Quirk 17: with an adapter, the critic stays whole and needs a learning rate of its own.


def test_quirk_17_adapters_are_in_every_linear_layer_and_the_critic_has_its_own_learning_rate() -> None:
    model = tiny_model(layers=2)
    linear = [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    model.requires_grad_(True)
    adapter = with_adapter(model, 3)
    assert adapter is not None
    trained = [name for name, weight in adapter.named_parameters() if weight.requires_grad]
    assert all(".lora_" in name for name in trained)
    assert len(trained) == 2 * sum("lm_head" not in name for name in linear)
    writer = tiny_writer()
    scale = RewardScale(mean=0.0, sd=1.0)
    index = PromptIndex(writer.prompt_ids(PROMPTS))
    reward = ProgrammaticReward(share_of_a, index, writer.decode, writer.eos_id, scale)
    critic = Critic(torch.randn(200, 32), hidden=8)
    options = replace(SMALL, learning_rate=1e-3, critic_learning_rate=2e-2, lora_rank=3)
    policy, value = make_optimizer(model, critic, reward, options).param_groups
    assert (policy["lr"], value["lr"]) == (1e-3, 2e-2) and len(policy["params"]) == len(trained)
    assert {id(weight) for weight in value["params"]} == {
        id(weight) for weight in critic.parameters() if weight.requires_grad
    }


# Quirks 18 and 19: prefixes break KL at the start, prompt tuning breaks the loop, AdaLoRA never shares out its ranks.


@pytest.mark.parametrize("kind", ["lora", "prefix", "adalora"])
def test_quirks_18_and_19_a_writer_with_an_adapter_is_refused(kind: Choice, tmp_path: Path) -> None:
    adapted = attach(tiny_writer(), AdapterSettings(kind=kind, rank=2), generator_id="x", seed=0, steps=20)
    with pytest.raises(DataError, match=f"must carry no adapter to be trained, got {kind}"):
        tune(tmp_path, SMALL, writer=adapted)


# Quirk 20: TRL wants a value model with one label; any backbone with a score will do.


def test_quirk_20_a_critic_far_smaller_than_the_policy_gives_one_value_per_place() -> None:
    names = trl_names()
    critic = Critic(torch.randn(200, 32), hidden=8)
    ids = torch.tensor([[PAD, 5, 6, 7, 1, PAD], [4, 5, 6, 7, 8, 1]])
    values, last, _ = names["get_reward"](critic, ids, PAD, 3)
    assert values.shape == (2, 6, 1) and last.shape == (2,)
    learned = sum(weight.numel() for weight in critic.parameters() if weight.requires_grad)
    assert learned < sum(weight.numel() for weight in tiny_model().parameters()) / 10


# Quirk 24: metrics average padding, so that thresholds shrink with it.


def _args(rows: int) -> SimpleNamespace:
    return SimpleNamespace(local_batch_size=rows, cliprange=0.2, response_length=4)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=4, max_size=4), st.integers(0, 1000), st.booleans())
def test_quirk_24_metrics_are_over_answer_tokens_only(
    lengths: list[int], seed: int, two_passes: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(1, 9, (4, 4), generator=generator)
    mask = torch.arange(4) < torch.tensor(lengths)[:, None]
    chosen = chosen.masked_fill(~mask, PAD)
    before, after = torch.randn(2, 4, 4, 9, generator=generator).double()
    loop = Loop(_args(4), PAD, RowOrders(4, seed, 0), None)
    mends = loop.mends()
    told, permutation = mends["selective_log_softmax"], mends["np"].random.permutation  # type: ignore[attr-defined]

    def log_probs(logits: torch.Tensor, tokens: torch.Tensor) -> None:
        found = logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
        told(ChosenTokens(log_prob=found, entropy=found, prompt=1, temperature=1.0), tokens)  # type: ignore[operator]

    with torch.no_grad():
        log_probs(before, chosen)
        log_probs(before, chosen)  # the reference's: must not count
    for _ in range(1 + two_passes):
        order = permutation(4)
        for rows in (order[:2], order[2:]):
            log_probs(after[rows].requires_grad_(), chosen[rows])
    old = before.log_softmax(-1).gather(-1, chosen[..., None])[..., 0][mask].numpy()
    new = after.log_softmax(-1).gather(-1, chosen[..., None])[..., 0][mask].numpy()
    ratio = np.exp(new - old)
    assert loop.passes == 1 + two_passes
    for one in loop.measures():
        assert one.ratio == pytest.approx(ratio.mean())
        assert one.clip_fraction == pytest.approx((np.abs(ratio - 1) > 0.2).mean())
        assert one.approx_kl == pytest.approx((ratio - 1 - np.log(ratio)).mean())
    assert loop.entropy() == pytest.approx(-old.sum() / 4)


def test_quirk_24_episodes_per_second_are_no_whole_number() -> None:
    update = PPOUpdate(
        update=3,
        episodes=48,
        reward=0.0,
        components=(),
        kl=0.0,
        entropy=1.0,
        length=2.0,
        ended=1.0,
        kl_coef=0.1,
        ratio=1.0,
        clip_fraction=0.0,
        seconds=64.0,
    )
    assert update.episodes_per_s == 0.25


# What stands in for TRL's own names gives what TRL's would.


@pytest.mark.parametrize("seed", [0, 7])
def test_prompts_come_in_the_order_of_torch_s_own_loader(seed: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rows: Any = list(range(17))
        loader: DataLoader[Any] = DataLoader(rows, batch_size=17, shuffle=True)
        drawn = [tuple(batch.tolist()) for _ in range(3) for batch in loader]
    assert drawn == [epoch_order(17, seed, epoch) for epoch in range(3)]


def test_rows_come_in_the_order_of_numpy_s_global_state() -> None:
    ours = RowOrders(9, 5, 0)
    legacy = np.random.RandomState(5)
    assert all(np.array_equal(ours.next(), legacy.permutation(9)) for _ in range(4))


def test_a_loop_without_one_of_the_names_is_refused() -> None:
    with pytest.raises(DataError, match="TRL's loop must call whiten_masked, which this release does not"):
        mended_train({"whiten_masked": None})
