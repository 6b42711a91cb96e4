"""The critic: warm-up on answers of the untuned writer."""

from __future__ import annotations

import copy

import numpy as np
import torch

from copybandit.agents.critic import Critic, warm_up

GOOD, BAD, END, PAD = 5, 6, 1, 0


def _answers(n: int, rng: np.random.Generator) -> tuple[list[list[int]], list[list[int]], np.ndarray]:
    """Answers that earn +1 or -1 by their first token, after prompts of different lengths."""
    prompts = [rng.integers(10, 40, size=rng.integers(2, 6)).tolist() for _ in range(n)]
    good = rng.random(n) < 0.5
    answers = [
        [GOOD if g else BAD, *rng.integers(10, 40, size=rng.integers(0, 4)).tolist(), END] for g in good
    ]
    return prompts, answers, np.where(good, 1.0, -1.0)


def _critic(seed: int) -> Critic:
    torch.manual_seed(seed)
    return Critic(torch.randn(50, 16), hidden=16)


def _value(critic: Critic, row: list[int]) -> float:
    """Value once the row has been read."""
    ids = torch.tensor([row])
    states = critic.backbone(ids, torch.ones_like(ids)).hidden_states[-1]
    return float(critic.score(states)[0, -1, 0].detach())


def test_warm_up_teaches_what_answers_earn_and_nothing_before_they_begin() -> None:
    rng = np.random.default_rng(0)
    critic = _critic(0)
    prompts, answers, scores = _answers(400, rng)
    warm_up(critic, prompts, answers, scores, epochs=8, learning_rate=1e-2, pad_id=PAD, rng=rng)
    prompts, answers, scores = _answers(50, rng)
    after = np.array([_value(critic, [*p, *a[:1]]) for p, a in zip(prompts, answers, strict=True)])
    before = np.array([_value(critic, p) for p in prompts])
    assert np.abs(after - scores).mean() < 0.3
    assert np.abs(before).mean() < 0.4


def test_warm_up_of_no_passes_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    critic = _critic(0)
    begun = copy.deepcopy(critic.state_dict())
    prompts, answers, scores = _answers(20, rng)
    warm_up(critic, prompts, answers, scores, epochs=0, learning_rate=1e-2, pad_id=PAD, rng=rng)
    assert all(torch.equal(begun[name], value) for name, value in critic.state_dict().items())


def test_one_step_of_warm_up_does_not_depend_on_the_order_of_rows() -> None:
    prompts, answers, scores = _answers(8, np.random.default_rng(1))
    one, other = _critic(2), _critic(2)
    for critic, seed in ((one, 0), (other, 5)):
        rng = np.random.default_rng(seed)
        warm_up(
            critic, prompts, answers, scores, epochs=1, learning_rate=1e-3, pad_id=PAD, rng=rng, batch_size=8
        )
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[name], atol=1e-5, rtol=1e-4)
