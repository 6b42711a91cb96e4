"""What one update of PPO must multiply and move at least, whoever writes the loop: the floor that a speed is held against.

A product of x, shape (n, k), and W, shape (k, m), takes 2 n k m operations. An update of b rows, of p prompt and t answer
tokens each, over a Llama's layers L and its output layer E:

    generation    L over b p tokens once and over b tokens t - 1 times, E over b tokens t times
    reference     L over b (p + t - 1) tokens, E over b t
    each epoch    the same forward; the same again for the gradient of x; and for that of W, where W is trained
    first epoch   its forward pass is the one that the old log-probs need: counted once

Attention, norms and the critic of `copybandit.agents.critic` are left out: together under 3% here. The floor in seconds
takes each product at the rate this machine was measured to multiply its very shape at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from copybandit.generators.products import matrix_product


@dataclass(frozen=True, kw_only=True)
class Update:
    """One update: b rows of p prompt and t answer tokens, passes over them, and whether W is trained or an adapter."""

    rows: int
    prompt: int
    answer: int
    epochs: int
    adapter: bool


@dataclass(frozen=True, kw_only=True)
class Gemm:
    """A product of shapes (n, k) and (k, m), and how often an update needs it."""

    n: int
    k: int
    m: int
    times: int

    @property
    def operations(self) -> int:
        """Of all of them."""
        return 2 * self.n * self.k * self.m * self.times


def _layers(config: Any) -> list[tuple[int, int, int]]:
    """(in, out, how many) of the products of one forward pass through the layers."""
    heads = config.num_attention_heads + 2 * config.num_key_value_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    return [
        (width, heads * size, layers),
        (config.num_attention_heads * size, width, layers),
        (width, 2 * inner, layers),
        (inner, width, layers),
    ]


def products(config: Any, update: Update) -> list[Gemm]:
    """Every product that an update of a Llama of this configuration needs."""
    return [gemm for gemm in _products(config, update) if gemm.times > 0]


def _products(config: Any, update: Update) -> Iterator[Gemm]:
    tokens = update.rows * (update.prompt + update.answer - 1)
    head = (config.hidden_size, config.vocab_size, 1)
    for (k, m, layers), steps in [
        *((part, update.answer - 1) for part in _layers(config)),
        (head, update.answer),
    ]:
        yield Gemm(n=update.rows, k=k, m=m, times=layers * steps)
    for k, m, layers in _layers(config):
        yield Gemm(n=update.rows * update.prompt, k=k, m=m, times=layers)
    for (k, m, layers), n in [
        *((part, tokens) for part in _layers(config)),
        (head, update.rows * update.answer),
    ]:
        yield Gemm(n=n, k=k, m=m, times=layers * (1 + update.epochs))
        yield Gemm(n=n, k=m, m=k, times=layers * update.epochs)
        if not update.adapter:
            yield Gemm(n=m, k=n, m=k, times=layers * update.epochs)


def operations(config: Any, update: Update) -> int:
    """Floating-point operations of an update."""
    return sum(gemm.operations for gemm in products(config, update))


def weight_count(config: Any) -> int:
    """Weights of layers and output layer."""
    head: int = config.hidden_size * config.vocab_size
    return sum(k * m * layers for k, m, layers in _layers(config)) + head


def traffic(config: Any, update: Update, width: int) -> int:
    """Bytes that an update moves at least: weights of `width` bytes once a pass, the optimizer's numbers once a step.

    Activations are left out. Trained weights are read and written in single precision with their gradient and two
    moments: 7 numbers a weight and step.
    """
    weights: int = weight_count(config)
    passes = update.answer + 1 + update.epochs * (2 if update.adapter else 3)
    optimizer = 0 if update.adapter else 28 * weights * update.epochs
    return passes * weights * width + optimizer


def rate(n: int, k: int, m: int, dtype: torch.dtype, device: torch.device, repeats: int = 7) -> float:
    """Operations a second of one product, the weight laid out beforehand: the median of some, after one to warm up."""
    x = torch.randn(n, k, device=device).to(dtype)
    multiply = matrix_product(torch.randn(m, k, device=device).to(dtype))
    calls = max(1, int(2e9 / (2 * n * k * m))) if device.type == "cpu" else 10
    seconds = []
    for _ in range(repeats + 1):
        _wait(device)
        start = time.perf_counter()
        for _ in range(calls):
            multiply(x)
        _wait(device)
        seconds.append((time.perf_counter() - start) / calls)
    return 2 * n * k * m / median(seconds[1:])


def floor_seconds(config: Any, update: Update, dtype: torch.dtype, device: torch.device) -> float:
    """Seconds of an update that does nothing but its products, each at the measured rate of its shape."""
    shapes: dict[tuple[int, int, int], float] = {}
    seconds = 0.0
    for gemm in products(config, update):
        shape = (gemm.n, gemm.k, gemm.m)
        if shape not in shapes:
            shapes[shape] = rate(*shape, dtype, device)
        seconds += gemm.operations / shapes[shape]
    return seconds


def copy_bandwidth(device: torch.device, megabytes: int = 256) -> float:
    """Bytes a second, read and written, of a plain copy larger than any cache."""
    source = torch.ones(megabytes * 2**20, dtype=torch.uint8, device=device)
    target, seconds = torch.empty_like(source), []
    for _ in range(6):
        _wait(device)
        start = time.perf_counter()
        target.copy_(source)
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return 2 * len(source) / median(seconds[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
