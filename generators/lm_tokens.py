"""The two tokens a writer treats apart: the end, which it writes last, and the pad, which it never writes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from copybandit.sim.types import DataError

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
