"""One regression test for each habit of TRL's PPO that silently spoils a programmatic reward.

The numbers are those of the list in the project's notes; each test says what goes wrong when the habit wins.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from copybandit.agents.constraints import DAMPING
from copybandit.agents.critic import Critic
from copybandit.agents.kl_price import KLPrice
from copybandit.agents.ppo import PPOSettings, PPOUpdate, TuneResult, tune_ppo
from copybandit.agents.ppo_parts import ClippedAdamW
from copybandit.agents.reward_scale import RewardScale
from copybandit.agents.reward_seam import ProgrammaticReward, PromptIndex, Reward, RewardFn
from copybandit.agents.trl_guard import check_trl_version
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Floats, Ints
from tests.tiny_lm import brief, tiny_tokenizer, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(24)]
SMALL = PPOSettings(episodes=24, batch_size=8, reference_samples=16, critic_hidden=8)


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    total = np.array([text.count("a") / len(text) for text in texts])
    return Reward(total=total, components=(("a", total),))


def tune(
    tmp_path: Path,
    settings: PPOSettings = SMALL,
    *,
    writer: CausalLM | None = None,
    reward: RewardFn = share_of_a,
    seed: int = 0,
) -> TuneResult:
    return tune_ppo(writer or tiny_writer(), PROMPTS, reward, settings, seed, tmp_path)


def changed(settings: PPOSettings, **fields: object) -> PPOSettings:
    return replace(settings, **fields)  # type: ignore[arg-type]  # field names and values vary by test


def seam(reward: RewardFn, writer: CausalLM, **scale: float) -> ProgrammaticReward:
    standard = RewardScale(**{"mean": 0.0, "sd": 1.0, "missing_eos_penalty": 0.0, **scale})
    index = PromptIndex(writer.prompt_ids(PROMPTS))
    return ProgrammaticReward(reward, index, writer.decode, writer.eos_id, standard)


def scores_of(module: ProgrammaticReward, ids: torch.Tensor, pad_id: int, context: int) -> Floats:
    """Score rows the way TRL does."""
    from trl.experimental.utils import get_reward

    values: Floats = get_reward(module, ids, pad_id, context)[1].double().numpy()
    return values


def rows(writer: CausalLM, cells: list[int], answers: list[list[int]]) -> tuple[torch.Tensor, int]:
    heads = writer.prompt_ids([PROMPTS[cell] for cell in cells])
    width, tail = max(map(len, heads)), max(map(len, answers))
    padded = [
        [writer.pad_id] * (width - len(head)) + head + answer + [writer.pad_id] * (tail - len(answer))
        for head, answer in zip(heads, answers, strict=True)
    ]
    return torch.tensor(padded), width


# Quirk 1: the loader reads one batch ahead, so a collator side channel scores the wrong context.


def test_quirk_1_the_reward_gets_the_context_of_its_own_row_under_prefetch(tmp_path: Path) -> None:
    """A nearly greedy writer has one text per prompt, so a text tells which prompt it was written for."""
    writer = tiny_writer(spread=1.0)
    writer.temperature = 0.0
    own = [text for (text,) in writer.write(PROMPTS, 1, np.random.default_rng(0))]
    assert len(set(own)) > len(PROMPTS) / 2
    writer.temperature = 1e-3
    told: list[int] = []

    def spy(cells: Ints, texts: list[str]) -> Reward:
        assert texts == [own[cell] for cell in cells]
        told.extend(cells.tolist())
        return share_of_a(cells, texts)

    tune(tmp_path, changed(SMALL, episodes=48, learning_rate=0.0), writer=writer, reward=spy)
    assert len(told) == SMALL.reference_samples + 48 and set(told) == set(range(len(PROMPTS)))


def test_quirk_1_ambiguous_prompts_are_refused() -> None:
    writer = tiny_writer()
    ids = writer.prompt_ids(PROMPTS[:2])
    with pytest.raises(DataError, match="no prompt may equal or begin another"):
        PromptIndex([*ids, ids[0]])
    with pytest.raises(DataError, match="no prompt may equal or begin another"):
        PromptIndex([*ids, ids[1] + [5]])
    with pytest.raises(DataError, match="no known prompt"):
        PromptIndex(ids).split([5, 6])


@given(st.lists(st.integers(2, 40), max_size=12), st.integers(0, len(PROMPTS) - 1))
def test_quirk_1_any_answer_leaves_the_prompt_recognised(answer: list[int], cell: int) -> None:
    ids = tiny_writer().prompt_ids(PROMPTS)
    assert PromptIndex(ids).split(ids[cell] + answer) == (cell, answer)


# Quirk 2: with pad == eos the end drops out of the policy's loss and prompts lose tokens.


def test_quirk_2_pad_equal_to_eos_is_refused(tmp_path: Path) -> None:
    writer = tiny_writer()
    writer.tokenizer.pad_token = "<eos>"
    with pytest.raises(DataError, match="pad token must differ from eos token"):
        tune(tmp_path, writer=writer)


def test_quirk_2_the_end_carries_loss(tmp_path: Path) -> None:
    """A reward for short answers can only be earned by writing the end sooner: the end must be learned."""

    def short(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.array([-float(len(text)) for text in texts]))

    settings = changed(SMALL, episodes=48 * 20, batch_size=24, learning_rate=5e-3, kl_coef=0.0)
    updates = tune(tmp_path, settings, writer=tiny_writer(max_new_tokens=12), reward=short).updates
    assert updates[-1].ended > 0.9 > 0.3 > updates[0].ended
    assert updates[-1].length < 0.6 * updates[0].length


# Quirk 3: padding reaches the reward's backbone as token 0, an ordinary token to the decoder.


def test_quirk_3_padding_is_never_decoded() -> None:
    """Here the pad token is not 0, and token 0 is a word: only the mask tells them apart."""
    writer = tiny_writer()
    writer.tokenizer = tiny_tokenizer(specials=("a word", "<eos>", "<pad>"))
    writer.pad_id = 2
    seen: list[str] = []

    def spy(cells: Ints, texts: list[str]) -> Reward:
        seen.extend(texts)
        return Reward(total=cells.astype(np.float64))

    answers = [row for row in writer.response_ids(["mug", "new blue lamp for you"])]
    ids, context = rows(writer, [3, 20], answers)
    assert (ids == writer.pad_id).any(1).any()
    scores = scores_of(seam(spy, writer, clip=100.0), ids, writer.pad_id, context)
    assert seen == ["mug", "new blue lamp for you"] and scores.tolist() == [3.0, 20.0]


# Quirk 26: what stands behind the end must not count.


def test_quirk_26_text_behind_the_end_does_not_count() -> None:
    writer = tiny_writer()
    first, second = writer.response_ids(["mug", "red aaa"])
    ids, context = rows(writer, [0, 0], [first, first + second])
    scores = scores_of(seam(share_of_a, writer), ids, writer.pad_id, context)
    assert scores[0] == scores[1]


# Quirk 11: without stop_token TRL removes the end from the model's generation config.


def test_quirk_11_answers_stop_at_the_end_token_and_the_tuned_writer_keeps_it(tmp_path: Path) -> None:
    writer = tiny_writer(max_new_tokens=12)
    eager = torch.nn.functional.one_hot(torch.tensor(writer.eos_id), 200) * 5.0
    writer.model.get_output_embeddings().register_forward_hook(lambda _module, _args, out: out + eager)
    result = tune(tmp_path, writer=writer)
    assert result.updates[0].ended > 0.8 and result.updates[0].length < 8
    saved = result.writer.save(tmp_path / "tuned")
    config = CausalLM.load(str(saved)).model.generation_config
    assert (config.eos_token_id, config.pad_token_id) == (writer.eos_id, writer.pad_id)


# Quirk 12: TRL's penalty for a missing end is taken from the raw score; ours is in sd.


def test_quirk_12_the_penalty_for_a_missing_end_is_in_sd() -> None:
    writer = tiny_writer()
    answer = writer.response_ids(["red mug"])[0]
    ids, context = rows(writer, [0, 0], [answer, answer[:-1]])
    module = seam(share_of_a, writer, sd=0.01, clip=1.0, missing_eos_penalty=2.0)
    ended, endless = scores_of(module, ids, writer.pad_id, context)
    assert ended - endless == pytest.approx(2.0)
    assert module.last.ended == 0.5


# Quirk 14: any leftover sampling default makes the ratio differ from 1.


@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("lora_rank", [None, 2])
def test_quirk_14_at_learning_rate_0_ratio_is_1_and_kl_is_0(
    temperature: float, lora_rank: int | None, tmp_path: Path
) -> None:
    writer = tiny_writer(max_new_tokens=12)
    writer.temperature = temperature
    writer.model.generation_config.repetition_penalty = 1.3
    writer.model.generation_config.min_new_tokens = 4
    still = changed(SMALL, learning_rate=0.0, lora_rank=lora_rank)
    result = tune(tmp_path, still, writer=writer)
    for update in result.updates:
        assert update.ratio == pytest.approx(1, abs=1e-5)
        assert update.kl == pytest.approx(0, abs=1e-4)
        assert update.clip_fraction == 0
    for name, weight in writer.model.state_dict().items():
        torch.testing.assert_close(result.writer.model.state_dict()[name], weight)


# Quirk 25: fewer prompts than a batch is a silent endless loop.


def test_quirk_25_fewer_prompts_than_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="ppo: an update needs 8 prompts, got 7; add prompts or lower batch_size"
    ):
        tune_ppo(tiny_writer(), PROMPTS[:7], share_of_a, SMALL, 0, tmp_path)
    assert len(tune_ppo(tiny_writer(), PROMPTS[:8], share_of_a, SMALL, 0, tmp_path).updates) == 3


# Quirks 4, 5, 8, 21, 22: minibatches, clipping, stopping, critic, constant batches.


def test_quirk_4_every_minibatch_is_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    step = ClippedAdamW.step

    def counted(self: ClippedAdamW, closure: object = None) -> object:
        steps.append(self.param_groups[0]["lr"])
        return step(self, closure)

    monkeypatch.setattr(ClippedAdamW, "step", counted)
    tune(tmp_path, changed(SMALL, minibatches=4, ppo_epochs=2))
    assert len(steps) == 3 * 4 * 2
    assert steps == sorted(steps, reverse=True) and steps[-1] < steps[0]


def test_quirk_5_gradients_are_clipped_in_each_group() -> None:
    one, two = torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(4))
    one.grad, two.grad = torch.full((4,), 100.0), torch.full((4,), 0.01)
    groups = [{"params": [one], "lr": 1.0}, {"params": [two], "lr": 1.0}]
    ClippedAdamW(groups, 1.0, lambda: False).step()
    assert one.grad.norm().item() == pytest.approx(1.0, rel=1e-4)
    assert two.grad.norm().item() == pytest.approx(0.02)
    before = one.detach().clone()
    ClippedAdamW(groups, 1.0, lambda: True).step()
    assert torch.equal(one.detach(), before)


def test_quirk_8_returning_false_stops(tmp_path: Path) -> None:
    seen: list[PPOUpdate] = []

    def second_is_enough(update: PPOUpdate) -> bool:
        seen.append(update)
        return update.update < 2

    result = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SMALL, 0, tmp_path, second_is_enough)
    assert result.ended_by == "on_update" and result.stopped and len(result.updates) == 2 == len(seen)
    assert not tune(tmp_path).stopped


def test_quirk_8_kl_coef_is_steered_and_honoured(tmp_path: Path) -> None:
    options = changed(SMALL, target_kl=1e-9, kl_coef=0.1)
    result, price, steered = tune(tmp_path, options), options.price(), []
    for update in result.updates:
        steered.append(price.at(update.update))
        price = price.after(update.kl, options.multiplier_rate, options.multiplier_cap)
    coefs = [update.kl_coef for update in result.updates]
    assert coefs == pytest.approx(steered) and max(coefs) > 0.1


def test_the_price_of_kl_never_falls_below_where_it_began(tmp_path: Path) -> None:
    result = tune(tmp_path, changed(SMALL, target_kl=5.0, kl_coef=0.1))
    assert [update.kl_coef for update in result.updates] == pytest.approx([0.1, 0.1, 0.1])


def test_kl_is_held_at_its_target_where_tuning_would_go_beyond(tmp_path: Path) -> None:
    free = changed(SMALL, episodes=16 * 80, batch_size=16, learning_rate=1e-2, kl_coef=0.0, lora_rank=None)
    late = {
        target: np.mean(
            [update.kl for update in tune(tmp_path / name, changed(free, target_kl=target)).updates[-20:]]
        )
        for name, target in (("free", None), ("held", 0.5))
    }
    assert late[None] > 1.0
    assert late[0.5] == pytest.approx(0.5, abs=0.2)


@given(st.floats(0, 5), st.floats(-5, 100), st.floats(0.1, 20), st.integers(1, 40))
def test_the_price_of_kl_moves_the_right_way_by_a_bounded_step(
    coef: float, kl: float, target: float, update: int
) -> None:
    before = KLPrice.of(coef, 1.0, 0.0, target)
    after = before.after(kl, 0.1, 10.0)
    moved = after.at(update) - before.at(update)
    assert 0 <= moved <= 0.1 * (1 + DAMPING) + 1e-12 and (moved > 0) == (kl > target)
    relaxed = after.after(0.0, 0.1, 10.0).after(0.0, 0.1, 10.0)
    assert relaxed.at(update) <= after.at(update) and relaxed.at(update) >= coef


def test_the_price_of_kl_is_annealed_and_steering_is_on_top(tmp_path: Path) -> None:
    options = changed(SMALL, kl_coef=0.1, kl_anneal=4.0, kl_anneal_share=0.6, episodes=160, batch_size=16)
    price = [options.price().at(update) for update in range(1, 11)]
    assert price[0] == pytest.approx(0.4) and price[6:] == pytest.approx([0.1] * 4)
    np.testing.assert_allclose(np.diff(np.log(price[:7])), np.log(0.1 / 0.4) / 6)
    assert options.price().after(3.0, 0.1, 10.0).at(2) == pytest.approx(price[1])
    steered = changed(options, target_kl=2.0).price()
    assert steered.after(1.0, 0.1, 10.0).at(2) == pytest.approx(price[1])
    assert steered.after(9.0, 0.1, 10.0).at(2) == pytest.approx(price[1] + 0.1 * (1 + DAMPING))
    assert steered.after(9.0, 0.1, 10.0).after(2.0, 0.1, 10.0).at(3) == pytest.approx(price[2] + 0.1)
    result = tune(tmp_path, changed(SMALL, kl_coef=0.1, kl_anneal=4.0))
    found = [update.kl_coef for update in result.updates]
    settings = changed(SMALL, kl_coef=0.1, kl_anneal=4.0)
    assert found == pytest.approx([settings.price().at(row + 1) for row in range(len(found))])
    with pytest.raises(DataError, match="kl_anneal must be >= 1"):
        changed(SMALL, kl_anneal=0.5)


def test_quirk_21_the_critic_starts_at_zero_and_does_not_see_padding() -> None:
    torch.manual_seed(0)
    critic = Critic(torch.randn(50, 12), hidden=8)
    ids = torch.randint(2, 50, (3, 7))
    padded = torch.cat([torch.zeros(3, 5, dtype=torch.long), ids], 1)
    mask = torch.cat([torch.zeros(3, 5), torch.ones(3, 7)], 1).long()
    states = critic.backbone(input_ids=ids, attention_mask=torch.ones(3, 7).long()).hidden_states[-1]
    after_padding = critic.backbone(input_ids=padded, attention_mask=mask).hidden_states[-1]
    torch.testing.assert_close(after_padding[:, 5:], states)
    assert after_padding[:, :5].abs().max() == 0 and critic.score(states).abs().max() == 0
    assert not any(p.requires_grad for n, p in critic.named_parameters() if "embedding" in n)


def test_quirk_22_a_constant_reward_leaves_the_policy_at_the_reference(tmp_path: Path) -> None:
    def constant(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.full(len(texts), 3.0))

    writer = tiny_writer()
    settings = changed(SMALL, learning_rate=1e-2, missing_eos_penalty=0.0, episodes=64)
    result = tune(tmp_path, settings, writer=writer, reward=constant)
    assert max(abs(update.kl) for update in result.updates) < 1e-4
    assert (result.reward_scale.mean, result.reward_scale.sd) == (3.0, 1.0)


@pytest.mark.parametrize("version", ["1.9.2", "1.13.0", "2.0"])
def test_an_unknown_trl_is_refused_with_the_remedy(version: str) -> None:
    with pytest.raises(DataError, match=r"pip install 'trl>=1.10,<1.13'"):
        check_trl_version(version)
    check_trl_version("1.12.0")
