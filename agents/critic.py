"""The critic of PPO: a small recurrent reader of tokens that predicts the standardised reward to come.

TRL runs policy and critic as two networks, so a critic of the policy's size would double the cost of
an update and share nothing. This one reads frozen token embeddings of the reference writer. Padding on the left
does not change its values: padding is embedded as zeros and the cell has no bias, so its state stays exactly
zero until the first token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from copybandit.generators.sampling import left_pad
from copybandit.sim.types import Floats


@dataclass(frozen=True, kw_only=True)
class CriticOutput:
    """What TRL reads of a backbone: the last of `hidden_states`, shape (b, t, hidden)."""

    hidden_states: tuple[Tensor, ...]


class _Reader(nn.Module):
    def __init__(self, embedding: Tensor, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(embedding.detach(), freeze=True)
        # Embeddings of small writers have tiny norms; the layer norm puts the cell into its working range.
        self.norm = nn.LayerNorm(embedding.shape[1])
        self.project = nn.Linear(embedding.shape[1], hidden)
        self.cell = nn.GRU(hidden, hidden, bias=False, batch_first=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> CriticOutput:
        tokens = self.project(self.norm(self.embedding(input_ids))) * attention_mask[..., None]
        states, _last = self.cell(tokens)
        return CriticOutput(hidden_states=(states,))


class Critic(nn.Module):
    """Value network in the shape TRL asks for: a backbone named by `base_model_prefix`, and `score`."""

    base_model_prefix = "backbone"

    def __init__(self, embedding: Tensor, hidden: int = 64) -> None:
        """Read tokens through `embedding`, shape (vocabulary, width), shared and never trained.

        The value head starts at zero: an untrained critic must not move the first advantages.
        """
        super().__init__()
        self.backbone = _Reader(embedding, hidden)
        self.score = nn.Linear(hidden, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)


def warm_up(
    critic: Critic,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    scores: Floats,
    *,
    epochs: int,
    learning_rate: float,
    pad_id: int,
    rng: np.random.Generator,
    batch_size: int = 64,
) -> None:
    """Teach the critic what answers of the untuned writer earn, so that the first advantages are not mere noise.

    Least squares of the score on the value at every place where a token of the answer is about to be chosen.

    Args:
        critic: changed in place.
        prompts: n prompts, token ids.
        answers: n answers, token ids, none empty.
        scores: shape (n,), standardised.
        epochs: passes over the answers; 0 does nothing.
        learning_rate: of AdamW.
        pad_id: fills rows on the left.
        rng: orders the answers.
        batch_size: answers per step.
    """
    optimizer = torch.optim.AdamW(critic.parameters(), lr=learning_rate, weight_decay=0.0)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(scores)), max(1, len(scores) // batch_size)):
            loss = _squared_error(critic, [(prompts[i], answers[i]) for i in rows], scores[rows], pad_id)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def _squared_error(
    critic: Critic, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], scores: Floats, pad_id: int
) -> Tensor:
    device = critic.score.weight.device
    ids, mask = left_pad([[*prompt, *answer] for prompt, answer in pairs], pad_id, device)
    values = critic.score(critic.backbone(ids, mask).hidden_states[-1])[..., 0]
    length = torch.tensor([len(answer) for _, answer in pairs], device=device)
    left = ids.shape[1] - 1 - torch.arange(ids.shape[1], device=device)  # tokens that follow each place
    chosen = (left >= 1) & (left <= length[:, None])
    target = torch.as_tensor(scores, dtype=values.dtype, device=device)[:, None]
    return ((values - target).square() * chosen).sum() / chosen.sum()
