"""The GAN: moves towards real copy without being shown it, repeats itself, and says why it stops."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from copybandit.agents.gan import DiscriminatorSettings, GANResult, GANRound, GANSettings, Shown, train_gan
from copybandit.agents.gan_loop import _moved_baseline, begin, discounted
from copybandit.agents.token_rows import TokenRows, answer_log_pmf, entropy_of, log_prob_of
from copybandit.agents.trl_guard import isolated_randomness
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError
from tests.taught_lm import BRIEFS, SELDOM, copy_ending, taught_writer
from tests.tiny_lm import tiny_writer

TOY = GANSettings(rounds=30, batch_size=32, learning_rate=1e-3, mle_learning_rate=0.0, entropy_floor=0.0)
BLIND = DiscriminatorSettings(steps=0, warm_up=0)
BRIEF_RUN = GANSettings(rounds=2, batch_size=8, discriminator=DiscriminatorSettings(warm_up=2, replay_size=8))


def share_with(writer: CausalLM, word: str) -> float:
    drawn = writer.propose(BRIEFS, 20, np.random.default_rng(1))
    return float(np.mean([variant.text.endswith(f" {word}") for row in drawn for variant in row]))


@cache
def trained() -> tuple[CausalLM, GANResult]:
    writer = taught_writer()
    return writer, train_gan(writer, BRIEFS, copy_ending(SELDOM), TOY, 0)


def test_the_writer_moves_towards_what_real_copy_always_says() -> None:
    writer, found = trained()
    assert share_with(writer, SELDOM) < 0.2
    assert share_with(found.writer, SELDOM) > 0.6
    assert [one.round for one in found.rounds] == list(range(1, TOY.rounds + 1)) and found.stopped == ""
    early = np.mean([one.accuracy for one in found.rounds[:3]])
    late = np.mean([one.accuracy for one in found.rounds[-3:]])
    assert late < early, "the discriminator finds it harder to tell the copy apart"


def test_the_control_without_a_discriminator_goes_nowhere() -> None:
    writer = taught_writer()
    found = train_gan(
        writer,
        BRIEFS,
        copy_ending(SELDOM),
        replace(TOY, rounds=10, entropy_bonus=0.0, discriminator=BLIND),
        0,
    )
    assert all(one.reward == 0.0 and one.accuracy == 0.5 for one in found.rounds)
    assert share_with(found.writer, SELDOM) == share_with(writer, SELDOM)


def test_likelihood_steps_alone_also_move_it() -> None:
    writer = taught_writer()
    settings = replace(TOY, rounds=10, learning_rate=0.0, mle_learning_rate=3e-3, discriminator=BLIND)
    found = train_gan(writer, BRIEFS, copy_ending(SELDOM), settings, 0)
    assert found.rounds[-1].mle_loss < found.rounds[0].mle_loss
    assert share_with(found.writer, SELDOM) > 0.6


def weights_of(writer: CausalLM) -> list[torch.Tensor]:
    return [weight.detach() for weight in writer.model.parameters()]


def test_the_same_seed_gives_the_same_weights_and_leaves_the_rest_alone() -> None:
    writer = tiny_writer()
    before = [weight.clone() for weight in weights_of(writer)]
    texts = copy_ending(SELDOM)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = train_gan(writer, BRIEFS, texts, BRIEF_RUN, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    same, other = (train_gan(writer, BRIEFS, texts, BRIEF_RUN, seed) for seed in (0, 1))
    assert same.rounds == one.rounds != other.rounds
    assert all(map(torch.equal, weights_of(one.writer), weights_of(same.writer)))
    assert not all(map(torch.equal, weights_of(one.writer), weights_of(other.writer)))
    assert all(map(torch.equal, weights_of(writer), before))


def test_it_is_saved_and_loaded_as_any_writer(tmp_path: Path) -> None:
    found = train_gan(tiny_writer(), BRIEFS, copy_ending(SELDOM), BRIEF_RUN, 0)
    again = CausalLM.load(str(found.writer.save(tmp_path / "gan")))
    assert (again.generator_id, again.lineage) == ("gan", "test")
    rng = np.random.default_rng
    assert again.propose(BRIEFS, 2, rng(0)) == found.writer.propose(BRIEFS, 2, rng(0))


def test_the_caller_may_stop_it() -> None:
    told: list[GANRound] = []

    def once(done: GANRound) -> bool:
        told.append(done)
        return False

    found = train_gan(tiny_writer(), BRIEFS, copy_ending(SELDOM), BRIEF_RUN, 0, once)
    assert found.rounds == tuple(told) and len(told) == 1
    assert found.stopped == "stopped by the caller after round 1"


def test_collapse_ends_training_and_says_so() -> None:
    settings = replace(TOY, rounds=200, learning_rate=1e-2, entropy_bonus=0.0, entropy_floor=0.9)
    found = train_gan(tiny_writer(max_new_tokens=4), BRIEFS, copy_ending(SELDOM), settings, 0)
    assert "entropy collapsed" in found.stopped and len(found.rounds) < 200
    assert found.rounds[-1].entropy < 0.9 * found.rounds[0].entropy


def test_a_loss_that_is_not_finite_ends_training_before_it_is_followed() -> None:
    settings = replace(BRIEF_RUN, entropy_bonus=float("inf"))
    writer = tiny_writer()
    found = train_gan(writer, BRIEFS, copy_ending(SELDOM), settings, 0)
    assert found.stopped.startswith("diverged: loss -inf") and found.rounds == ()
    assert all(map(torch.equal, weights_of(found.writer), weights_of(writer)))


def test_returns_are_discounted_sums_within_the_answer() -> None:
    reward = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 9.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert discounted(reward, mask, 0.5).tolist() == [[3.0, 4.0, 4.0], [2.0, 2.0, 0.0]]


def test_a_place_that_no_earlier_batch_reached_is_its_own_baseline() -> None:
    shown = Shown(
        prompts=[field_prompt(one) for one in BRIEFS],
        product=[str(i) for i in range(len(BRIEFS))],
        texts=copy_ending(SELDOM),
    )
    with isolated_randomness(0):
        game = begin(tiny_writer(), shown, replace(BRIEF_RUN, baseline_memory=0.5), 0)
    short, long = torch.tensor([[1, 1, 0]]), torch.tensor([[1, 1, 1]])
    first = _moved_baseline(game, torch.tensor([[2.0, 4.0, 0.0]]), short)
    assert first[:2].tolist() == [2.0, 4.0]
    assert _moved_baseline(game, torch.tensor([[4.0, 4.0, 9.0]]), long).tolist() == [2.0, 4.0, 9.0]
    assert _moved_baseline(game, torch.tensor([[0.0, 0.0, 1.0]]), long).tolist() == [3.0, 4.0, 9.0]


def test_log_probabilities_are_those_of_the_writer() -> None:
    writer, texts = tiny_writer(spread=1.0), copy_ending(SELDOM)
    heads = writer.prompt_ids([field_prompt(one) for one in BRIEFS])
    rows = TokenRows.of(heads, writer.response_ids(texts), writer.pad_id, writer.device)
    with torch.no_grad():
        log_pmf = answer_log_pmf(writer.model, rows)
    own = (log_prob_of(log_pmf, rows) * rows.answer_mask).sum(1).double().numpy()
    np.testing.assert_allclose(own, writer.log_prob(BRIEFS, texts), rtol=1e-4)
    assert (entropy_of(log_pmf) >= 0).all() and (entropy_of(log_pmf) <= np.log(200) + 1e-5).all()


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (["one"], "16 briefs, 1 texts"),
        (["", *copy_ending(SELDOM)[1:]], "got '' in row 0"),
    ],
)
def test_unfit_copy_is_refused(texts: list[str], rule: str) -> None:
    with pytest.raises(DataError, match=rule):
        train_gan(tiny_writer(), BRIEFS, texts, BRIEF_RUN, 0)
    with pytest.raises(DataError, match="at least 2 products, got 1"):
        train_gan(tiny_writer(), BRIEFS[:1] * 2, ["a", "b"], BRIEF_RUN, 0)


def test_unfit_settings_are_refused() -> None:
    with pytest.raises(DataError, match="discount must be in"):
        GANSettings(discount=1.5)
    with pytest.raises(DataError, match="rounds and batch_size"):
        GANSettings(rounds=0)
    with pytest.raises(DataError, match="leave room for fresh copy"):
        DiscriminatorSettings(mismatched=0.5, replayed=0.5)
    with pytest.raises(DataError, match="smoothing"):
        DiscriminatorSettings(smoothing=0.5)
