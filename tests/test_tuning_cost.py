"""The floor of an update: counted products are those of the models that are tuned."""

from __future__ import annotations

import pytest
import torch

from copybandit.evaluation.bench_turns import Asked, turns
from copybandit.evaluation.tuning_cost import Update, operations, products, traffic, weight_count
from tests.tiny_lm import tiny_model

ECHO = "import sys\nfor n, _ in enumerate(sys.stdin):\n    print('{\"n\": %d}' % n, flush=True)\n"


def test_weights_are_those_of_the_model() -> None:
    model = tiny_model(layers=3, kv_heads=1)
    inside = sum(part.weight.numel() for part in model.modules() if isinstance(part, torch.nn.Linear))
    assert weight_count(model.config) == inside


@pytest.mark.parametrize("adapter", [True, False])
def test_operations_are_those_that_torch_counts(adapter: bool) -> None:
    """One row, nothing generated beyond the first token: a forward pass of the prompt twice, and its gradients."""
    from torch.utils.flop_counter import FlopCounterMode

    model = tiny_model(layers=2)
    ids = torch.randint(2, 200, (3, 7))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.model.set_attn_implementation("eager")
        model(input_ids=ids, logits_to_keep=1)
    forward = 2 * (3 * 7 * (weight_count(model.config) - 32 * 200) + 3 * 32 * 200)
    assert 0 < counter.get_total_flops() - forward < 0.2 * forward  # attention, which is left out
    update = Update(rows=3, prompt=7, answer=1, epochs=1, adapter=adapter)
    assert operations(model.config, update) == forward * (1 + 2 + (1 if adapter else 2))


def test_more_of_anything_costs_more() -> None:
    config = tiny_model().config
    base = Update(rows=4, prompt=6, answer=5, epochs=2, adapter=True)
    more = [
        Update(rows=5, prompt=6, answer=5, epochs=2, adapter=True),
        Update(rows=4, prompt=7, answer=5, epochs=2, adapter=True),
        Update(rows=4, prompt=6, answer=6, epochs=2, adapter=True),
        Update(rows=4, prompt=6, answer=5, epochs=3, adapter=True),
        Update(rows=4, prompt=6, answer=5, epochs=2, adapter=False),
    ]
    assert all(operations(config, other) > operations(config, base) for other in more)
    assert traffic(config, more[-1], 2) > traffic(config, base, 2)
    assert sum(gemm.operations for gemm in products(config, base)) == operations(config, base)


def test_sides_take_turns_and_say_why_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    sides = [Asked("good", ["-c", ECHO]), Asked("sick", ["-c", "input(); raise OSError('broken')"])]
    found, lost = turns(sides, 3, 60.0)
    assert found == [[{"n": 1}, {"n": 2}, {"n": 3}], []]
    assert len(lost) == 1 and lost[0].startswith("sick: ") and lost[0].endswith("OSError: broken")
    assert "turn 3, good: {'n': 3}" in capsys.readouterr().err
