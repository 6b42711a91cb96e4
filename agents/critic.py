"""The critic of PPO: a small recurrent reader of tokens that predicts the standardised reward to come.

TRL runs policy and critic as two networks, so a critic of the policy's size would double the cost of
an update and share nothing. This one reads frozen token embeddings of the reference writer. Padding on the left
does not change its values: padding is embedded as zeros and the cell has no bias, so its state stays exactly
zero until the first token.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


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
