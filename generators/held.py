"""Weights that are laid out for reading once, and not at each call: for as long as they stay what they are."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from copybandit.generators.decoding import Decoder, decoder_for

PROBES = 64
"""Numbers of each weight that are looked at."""


class HeldDecoder:
    """The decoder of a model, made anew when the model's weights have changed; adapted models are folded at each call."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._marks: tuple[Any, ...] | None = None
        self._decoder: Decoder | None = None

    def of(self, model: Any, *, bf16: bool) -> Decoder:
        """A decoder of its own for each caller: only the weights are shared, and never written to."""
        marks = None if _adapted(model) else (bf16, *_marks(model))
        if self._decoder is None or marks is None or marks != self._marks:
            self._decoder = None  # The old weights go before the new ones come.
            self._decoder, self._marks = decoder_for(model, bf16=bf16), marks
        return copy.copy(self._decoder)


def _adapted(model: Any) -> bool:
    """Whether some layer is one of peft's: which of its adapters counts, and how much, stands in no weight."""
    return any(type(part).__module__.startswith("peft.") for part in model.modules())


def _marks(model: Any) -> tuple[Any, ...]:
    """What differs once weights do: where they lie, how often each was written to, and a few of its numbers.

    Torch does not count what is written through `weight.data`, as peft's merge does; hence the numbers.
    """
    weights = list(chain(model.parameters(), model.buffers()))
    lies = tuple((weight.data_ptr(), weight._version, weight.dtype, weight.shape) for weight in weights)
    return (*lies, *torch.cat([_probed(weight) for weight in weights]).tolist())


def _probed(weight: Tensor) -> Tensor:
    """At most `PROBES` of a weight's numbers, evenly spread."""
    flat = weight.detach().reshape(-1)
    return flat[:: max(1, -(-flat.numel() // PROBES))].double()
