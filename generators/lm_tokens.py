"""The end token, which a writer writes last, the pad, which it never writes, and how many tokens a text may have."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from copybandit.generators.limits import LIMITS, limit_for
from copybandit.sim.types import Brief, DataError

SHORT_NAME = 24
"""Characters of name and longest fact that a headline of the usual length has room for."""
NEVER = -1e4
"""Logit of a token that is never written; finite, so that entropy stays defined."""


def special_tokens(tokenizer: Any) -> tuple[int, int]:
    """Return the ids of end-of-sequence and pad.

    Raises:
        DataError: the tokenizer has no end-of-sequence token, or no pad token of its own.
    """
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    if eos is None:
        raise DataError("tokenizer: eos token must be set, got None; set tokenizer.eos_token")
    if pad is None or pad == eos:
        raise DataError(
            f"tokenizer: pad token must differ from eos token {tokenizer.eos_token!r} (id {eos}), got "
            f"{tokenizer.pad_token!r}; set tokenizer.pad_token to another token"
        )
    return int(eos), int(pad)


class Never:
    """Forward hook of the output layer that rules one token out."""

    def __init__(self, token: int) -> None:
        self.token = token

    def __call__(self, module: object, args: object, logits: Tensor) -> Tensor:
        """Put the token's logit, in place, where no sampling reaches."""
        logits.select(-1, self.token).fill_(NEVER)
        return logits


def forbid_token(model: Any, token: int) -> None:
    """Let `model` never write `token`; asking twice changes nothing."""
    head = model.get_output_embeddings()
    if not any(isinstance(hook, Never) for hook in head._forward_hooks.values()):
        head.register_forward_hook(Never(token))


def most_tokens(brief: Brief, headline: int) -> int:
    """Most tokens that a text of the brief's kind needs, its end included.

    An English headline without voice and place takes `headline`, and half a token for every character by which the name
    and the longest fact are long; all other kinds take what their limit of characters allows: half a token a character in
    English, one in Chinese.
    """
    product = brief.product
    if brief.content_type == "headline" and brief.language == "en" and not (brief.voice or brief.placement):
        longest = len(product.name) + max(map(len, product.facts), default=0)
        return headline + max(0, longest - SHORT_NAME) // 2
    characters = limit_for(brief.content_type, brief.placement, LIMITS).characters
    return max(headline, characters if brief.language == "zh" else characters // 2)
