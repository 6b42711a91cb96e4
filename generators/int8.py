"""Writers with linear layers of eight-bit integers: a quarter of the memory, for a measured loss.

    y_i = s_i s_x sum_j Q_ij q_j,    Q_ij = round(W_ij / s_i), s_i = max_j |W_ij| / 127,
                                     q_j = round(x_j / s_x),   s_x = max_j |x_j| / 127

Weights are rounded once, one scale an output; what comes in is rounded as it comes, one scale a token (dynamic
quantisation). The output layer and the embedding it shares stay as they are: they are read once a token, and an error in a
logit is an error in a probability. Torch's `quantize_dynamic` is about to be removed, and its layers cannot be saved as
plain tensors; these can.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

MARK = "copybandit_int8"
"""Key of config.json that makes a saved model an int8 one."""
LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer without bias whose weights, shape (out, in), are int8 with a scale for each output."""

    weight: Tensor
    scale: Tensor

    def __init__(self, outputs: int, inputs: int) -> None:
        """Make room for weights; they are zero until loaded or taken from another layer."""
        super().__init__()
        self.register_buffer("weight", torch.zeros(outputs, inputs, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(outputs))

    @classmethod
    def of(cls, layer: nn.Linear) -> Int8Linear:
        """Round the weights of a layer."""
        made = cls(layer.out_features, layer.in_features)
        with torch.no_grad():
            scale = layer.weight.float().abs().amax(1).clamp(min=1e-12) / LARGEST
            made.scale.copy_(scale)
            made.weight.copy_((layer.weight.float() / scale[:, None]).round())
        return made

    @classmethod
    def joined(cls, layers: Sequence[Int8Linear], order: Tensor | None = None) -> Int8Linear:
        """One layer with the outputs of several, side by side or in `order`, shape (out,); the same numbers."""
        weight = torch.cat([layer.weight for layer in layers])
        made = cls(*weight.shape)
        made.weight = weight if order is None else weight[order]
        scale = torch.cat([layer.scale for layer in layers])
        made.scale = scale if order is None else scale[order]
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Product with x, shape (..., in)."""
        rows = x.reshape(-1, x.shape[-1]).float()
        scale = rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / LARGEST
        whole = torch._int_mm((rows / scale).round().to(torch.int8), self.weight.t())
        return (whole * scale * self.scale).to(x.dtype).view(*x.shape[:-1], -1)


def quantise(writer: CausalLM, generator_id: str) -> CausalLM:
    """Return a copy of a writer with int8 linear layers; it writes, scores, saves and loads, and is not to be trained.

    Raises:
        DataError: the writer carries an adapter, or is on a GPU.
    """
    if writer.adapter is not None or writer.device.type != "cpu":
        raise DataError(
            f"int8: the writer must be plain and on a CPU, got {writer.generator_id} on {writer.device}; "
            "merge its adapter, or load it on the CPU"
        )
    small = writer.clone(generator_id)
    _replace(small.model, Int8Linear.of)
    setattr(small.model.config, MARK, True)
    return small


def is_int8(model: Any) -> bool:
    """Whether a model's linear layers are int8."""
    return bool(getattr(model.config, MARK, False))


def load_int8(folder: Path) -> Any:
    """Return the model of a folder whose config carries `MARK`.

    Raises:
        DataError: the weights do not fit the config.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):  # throw-away initial weights must not move global random state
        config = AutoConfig.from_pretrained(folder)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    _replace(model, lambda layer: Int8Linear(layer.out_features, layer.in_features))
    missing, unexpected = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    model.tie_weights()
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise DataError(
            f"{folder}: int8 weights do not fit config.json (missing {missing[:3]}, unexpected {unexpected[:3]}); "
            "save the writer again"
        )
    return model


def _replace(model: Any, make: Any) -> None:
    """Put another layer in the place of each linear layer without bias, the output layer excepted."""
    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and layer.bias is None and layer is not head:
                setattr(parent, name, make(layer))
