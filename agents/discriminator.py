"""The discriminator of the GAN: is this copy real, for this brief? One logit at every token, so that reward is dense.

    a_i, p_j = the tokens of answer and prompt, embedded as the writer embeds them and projected
    c_i      = sum_j softmax_j(a_i . p_j / sqrt(h)) p_j            what the prompt says of this token
    logit_i  = score(GRU([a_i, c_i, a_i * c_i])_i)                 from tokens up to i only

Attention to the prompt lets it see whether a word was asked for. What keeps it from winning outright, as in ScratchGAN
(de Masson d'Autume et al., NeurIPS 2019, arXiv 1905.09922): frozen embeddings, layer norm, dropout, weight decay; and
one-sided label smoothing (Salimans et al., NeurIPS 2016).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from copybandit.agents.token_rows import TokenRows


class Discriminator(nn.Module):
    """Tells real copy from written copy, token by token."""

    def __init__(self, embedding: Tensor, hidden: int = 64, dropout: float = 0.1) -> None:
        """Read tokens through `embedding`, shape (vocabulary, width), shared and never trained.

        The output layer starts at zero: an untrained discriminator calls everything even.
        """
        super().__init__()
        self.register_buffer("embedding", embedding.detach().clone(), persistent=False)
        self.embedding: Tensor
        self.norm = nn.LayerNorm(embedding.shape[1])
        self.project = nn.Linear(embedding.shape[1], hidden)
        self.begin = nn.Linear(hidden, hidden)
        self.cell = nn.GRU(3 * hidden, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, rows: TokenRows) -> Tensor:
        """Log-odds that an answer is real, as seen up to each of its tokens, shape (b, t)."""
        said, asked = self._read(rows.answer), self._read(rows.prompt)
        there = rows.prompt_mask.bool()
        alike = said @ asked.transpose(1, 2) / math.sqrt(said.shape[-1])
        found = alike.masked_fill(~there[:, None], -math.inf).softmax(-1) @ asked
        whole = (asked * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        states, _ = self.cell(torch.cat([said, found, said * found], -1), self.begin(whole).tanh()[None])
        logits: Tensor = self.score(self.drop(states))[..., 0]
        return logits

    def _read(self, ids: Tensor) -> Tensor:
        vectors: Tensor = self.project(self.norm(self.embedding[ids]))
        return vectors

    @torch.no_grad()
    def judge(self, rows: TokenRows) -> Tensor:
        """`forward` without dropout or gradients."""
        was = self.training
        logits: Tensor = self.eval()(rows)
        self.train(was)
        return logits


def discriminator_loss(net: Discriminator, real: TokenRows, fake: TokenRows, smoothing: float) -> Tensor:
    """Cross-entropy per token, real and fake copy weighing the same; real copy is labelled 1 - smoothing."""
    losses = []
    for rows, label in ((real, 1 - smoothing), (fake, 0.0)):
        logits = net(rows)
        target = torch.full_like(logits, label)
        losses.append(
            rows.mean(functional.binary_cross_entropy_with_logits(logits, target, reduction="none"))
        )
    return torch.stack(losses).mean()


def accuracy(net: Discriminator, real: TokenRows, fake: TokenRows) -> float:
    """Share of texts on the right side by the mean logit of their tokens, real and fake weighing the same; ties are half."""
    found = []
    for rows, sign in ((real, 1.0), (fake, -1.0)):
        text = (net.judge(rows) * rows.answer_mask).sum(1) * sign
        found.append(((text > 0).float() + 0.5 * (text == 0).float()).mean())
    return float(torch.stack(found).mean())
