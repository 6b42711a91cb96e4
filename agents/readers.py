"""How the writer's model is read and written with while it is tuned: the interface, and the reader that fits every model."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from copybandit.agents.chosen_tokens import from_logits
from copybandit.agents.llama_reader import LlamaReader, readable
from copybandit.agents.packed_rows import PackedRows
from copybandit.generators.decoding import Decoder, decoder_for, multiplies_bf16
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError

Precision = Literal["float32", "bfloat16"]
ROWS_PER_GROUP = 16
"""Rows read together; small groups waste little on padding and still fill a CPU's matrix units."""


def check_precision(precision: Precision, writer: CausalLM) -> None:
    """Raise DataError where bfloat16 is asked for and would be emulated."""
    if precision == "bfloat16" and not multiplies_bf16(writer.device):
        raise DataError(
            f"writer {writer.generator_id}: precision bfloat16 needs a processor that multiplies it in hardware, got "
            f"{writer.device}; choose float32"
        )


class Reader(Protocol):
    """Finds the answers of rows more or less likely, with gradients, and writes with the same weights."""

    def read(self, rows: PackedRows, *, adapted: bool = True) -> tuple[Tensor, Tensor]:
        """Log probability, and entropy without a gradient, at each answer token, both of shape (m,); `adapted` with LoRA."""
        ...

    def decoder(self) -> Decoder:
        """A decoder of the weights as they are now."""
        ...


def reader_for(model: Any, precision: Precision, temperature: float, adapter: Any | None = None) -> Reader:
    """Return the fastest reader that fits a model; `adapter` is the PeftModel around it, if there is one."""
    if readable(model):
        return LlamaReader(model, getattr(torch, precision), temperature)
    return PlainReader(model, precision, temperature, adapter)


class PlainReader:
    """Reads through the model's own forward pass, rounding by torch's autocast."""

    def __init__(self, model: Any, precision: Precision, temperature: float, adapter: Any | None) -> None:
        """Read with `model`, whatever it is made of."""
        self._model, self._precision, self._temperature = model, precision, temperature
        self._adapter = adapter

    def decoder(self) -> Decoder:
        """The decoder that fits the model best."""
        return decoder_for(self._model, bf16=self._precision == "bfloat16")

    def read(self, rows: PackedRows, *, adapted: bool = True) -> tuple[Tensor, Tensor]:
        """Rows of like length together, without the columns that only pad them."""
        positions = (rows.mask.cumsum(1) - 1).clamp(min=0)
        order = rows.mask.sum(1).argsort(stable=True)
        plain = nullcontext() if adapted or self._adapter is None else self._adapter.disable_adapter()
        half = torch.autocast(rows.ids.device.type, torch.bfloat16, enabled=self._precision == "bfloat16")
        with plain, half:
            parts = [
                self._group_logits(rows.ids[some], rows.mask[some], positions[some], rows.prompt)
                for some in torch.split(order, ROWS_PER_GROUP)
            ]
        logits = torch.cat(parts)[order.argsort()].flatten(0, 1)[rows.slot]
        return from_logits(logits, rows.answer, self._temperature)

    def _group_logits(self, ids: Tensor, mask: Tensor, positions: Tensor, prompt: int) -> Tensor:
        """Logits of the answers of a few rows, shape (rows, t, v); zeros where every row is padding."""
        used, width = mask.any(0).nonzero(), ids.shape[1]
        # At least one answer column stays, so that a group of empty answers has logits too.
        kept = slice(int(used[0]), max(int(used[-1]), prompt) + 1)
        logits: Tensor = self._model(
            input_ids=ids[:, kept],
            attention_mask=mask[:, kept],
            position_ids=positions[:, kept],
            use_cache=False,
            logits_to_keep=kept.stop - prompt + 1,
        ).logits[:, :-1]
        return nn.functional.pad(logits, (0, 0, 0, width - kept.stop))
