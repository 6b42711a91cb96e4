"""Two processes give what one gives: losses and gradients on the same rollouts, and a whole update."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from copybandit.agents.ppo import PPOSettings, PPOUpdate, tune_ppo
from copybandit.agents.ppo_loop import trl_names
from copybandit.agents.ppo_processes import mean_of_all, rows_of, whitened_by_all
from copybandit.agents.reward_seam import Reward, RewardBatch, together
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(24)]
SETTINGS = PPOSettings(
    episodes=16,
    batch_size=8,
    minibatches=1,
    reference_samples=16,
    critic_hidden=8,
    limits=(("length", 4.0),),
    checkpoint_every=1,
)


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    total = np.array([text.count("a") / len(text) for text in texts])
    length = np.array([float(len(text)) for text in texts])
    return Reward(total=total, components=(("a", total),), costs=(("length", length),))


def launched(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module's `main` in two processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", "--no-python", sys.executable]
    code = f"import sys; from tests.test_ppo_processes import {module}; {module}(*sys.argv[1:])"
    return subprocess.run(
        [*command, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def rollouts() -> dict[str, torch.Tensor]:
    """Eight answers of unequal lengths with advantages, as a tiny linear policy could have had them."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(8, 5, generator=generator) * 3 + 1
    lengths = torch.tensor([1, 5, 2, 3, 5, 4, 1, 5])
    features = torch.randn(8, 5, 3, generator=generator)
    return {"values": values, "mask": torch.arange(5) < lengths[:, None], "features": features}


def injected_loss(batch: dict[str, torch.Tensor], model: torch.nn.Module) -> torch.Tensor:
    """A clipped policy loss on whitened advantages, of the kind TRL takes."""
    advantages = whitened_by_all(batch["values"], batch["mask"]).masked_fill(~batch["mask"], 0.0)
    ratio = model(batch["features"]).squeeze(-1).exp()
    return mean_of_all(torch.max(-advantages * ratio, -advantages * ratio.clamp(0.8, 1.2)), batch["mask"])


def linear() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Linear(3, 1)


def loss_in_a_process(out: str) -> None:
    from torch import distributed

    distributed.init_process_group("gloo")
    found = shared_loss(distributed.get_rank())
    if distributed.get_rank() == 0:
        save_file(found, out)
    # Both leave together and nothing holds the group any more: else its threads may keep a process from ending.
    distributed.barrier()
    distributed.destroy_process_group()


def shared_loss(rank: int) -> dict[str, torch.Tensor]:
    """Mean loss and gradients, by name, of a process that has half of the rollouts."""
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    model = DistributedDataParallel(linear())
    batch = {name: part[4 * rank : 4 * rank + 4] for name, part in rollouts().items()}
    loss = injected_loss(batch, model)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    mean = loss.detach().clone()
    distributed.all_reduce(mean)
    grads = {name: weight.grad for name, weight in model.module.named_parameters() if weight.grad is not None}
    return {**grads, "loss": mean / 2}


def test_two_processes_have_the_loss_and_gradients_of_one_on_injected_rollouts(tmp_path: Path) -> None:
    out = tmp_path / "two.safetensors"
    done = launched("loss_in_a_process", str(out))
    assert done.returncode == 0, done.stderr
    two, model = load_file(out), linear()
    loss = injected_loss(rollouts(), model)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    torch.testing.assert_close(two["loss"], loss.detach())
    for name, weight in model.named_parameters():
        torch.testing.assert_close(two[name], weight.grad)


def test_in_one_process_the_means_are_those_of_trl() -> None:
    names = trl_names()
    masked_mean, masked_whiten = names["masked_mean"], names["masked_whiten"]
    batch = rollouts()
    for shift in (True, False):
        ours = whitened_by_all(batch["values"], batch["mask"], shift)
        torch.testing.assert_close(ours, masked_whiten(batch["values"], batch["mask"], shift))
    torch.testing.assert_close(
        mean_of_all(batch["values"], batch["mask"]), masked_mean(batch["values"], batch["mask"])
    )


def tune_in_a_process(out: str) -> None:
    told: list[PPOUpdate] = []

    def tell(update: PPOUpdate) -> bool:
        told.append(update)
        return True

    result = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SETTINGS, 3, out, tell)
    (Path(out) / f"told-{os.environ['RANK']}.json").write_text(json.dumps(len(told)), encoding="utf-8")
    weights = {name: weight.clone() for name, weight in result.writer.model.state_dict().items()}
    save_file(weights, Path(out) / f"weights-{os.environ['RANK']}.safetensors")


def test_a_run_in_two_processes_is_that_of_one_up_to_rounding(tmp_path: Path) -> None:
    two = tmp_path / "two"
    done = launched("tune_in_a_process", str(two))
    assert done.returncode == 0, done.stderr
    one = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SETTINGS, 3, tmp_path / "one")
    zeroth, first = (load_file(two / f"weights-{rank}.safetensors") for rank in (0, 1))
    start = tiny_writer().model.state_dict()
    moved = 0.0
    for name, weight in one.writer.model.state_dict().items():
        assert torch.equal(zeroth[name], first[name])
        torch.testing.assert_close(zeroth[name], weight, atol=2e-6, rtol=1e-4)
        moved += float((weight - start[name]).abs().max())
    assert moved > 1e-4
    assert [json.loads((two / f"told-{rank}.json").read_text()) for rank in (0, 1)] == [2, 0]
    resumed = tune_ppo(tiny_writer(), PROMPTS, share_of_a, SETTINGS, 3, two, resume=True)
    for ours, theirs in zip(resumed.updates, one.updates, strict=True):
        for name in ("reward", "kl", "entropy", "length", "ended", "ratio", "approx_kl", "clip_fraction"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-4, abs=1e-5), name
        assert dict(ours.costs) == pytest.approx(dict(theirs.costs))
        assert dict(ours.multipliers) == pytest.approx(dict(theirs.multipliers))


def test_a_batch_that_cannot_be_shared_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert rows_of(8, 2) == slice(4, 8)
    with pytest.raises(DataError, match="multiple of processes times minibatches, got 6 for 2 times 2"):
        rows_of(6, 2)


def test_parts_of_a_batch_are_put_together_by_their_weights() -> None:
    one = RewardBatch(
        rows=4, texts=4, reward=1.0, components=(("a", 1.0),), length=2.0, lowest=0.0, highest=1.0
    )
    empty = RewardBatch(rows=4, texts=0, length=1.0, ended=1.0, lowest=-5.0, highest=-5.0)
    two = RewardBatch(
        rows=8, texts=2, reward=4.0, components=(("a", 4.0),), length=3.0, lowest=1.0, highest=2.0
    )
    whole = together([empty, one, two])
    assert (whole.rows, whole.texts, whole.reward, whole.components) == (16, 6, 2.0, (("a", 2.0),))
    assert (whole.length, whole.ended, whole.lowest, whole.highest) == (2.25, 0.25, -5.0, 2.0)
    assert together([empty]).constant and not whole.constant
