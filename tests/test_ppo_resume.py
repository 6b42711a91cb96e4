"""A run of PPO that was interrupted goes on as if nothing had happened, and what was saved is never lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from copybandit.agents.ppo import PPOSettings, PPOUpdate, TuneResult, tune_ppo
from copybandit.agents.ppo_interrupt import Interrupted
from copybandit.agents.ppo_order import PromptLoader, RowOrders, epoch_order
from copybandit.agents.reward_seam import Reward
from copybandit.generators.lm import CausalLM
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_tokenizer, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(24)]
SETTINGS = PPOSettings(
    episodes=50,
    batch_size=10,
    reference_samples=16,
    critic_hidden=8,
    learning_rate=1e-2,
    target_kl=1e-3,
    limits=(("length", 4.0),),
    checkpoint_every=3,
)
"""Five updates of 10 of 24 prompts: update 4 is in the middle of the second pass over the prompts."""


def share_of_a(cells: Ints, texts: list[str]) -> Reward:
    total = np.array([text.count("a") / len(text) for text in texts])
    length = np.array([float(len(text)) for text in texts])
    return Reward(total=total, components=(("a", total),), costs=(("length", length),))


def tune(
    out: Path, settings: PPOSettings = SETTINGS, *, until: int | None = None, resume: bool = False
) -> TuneResult:
    def on_update(update: PPOUpdate) -> bool:
        return update.update != until

    return tune_ppo(
        tiny_writer(), PROMPTS, share_of_a, settings, 3, out, on_update, clock=lambda: 0.0, resume=resume
    )


def same_weights(one: CausalLM, two: CausalLM) -> bool:
    ours, theirs = one.model.state_dict(), two.model.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("lora_rank", [None, 2])
def test_a_resumed_run_is_an_uninterrupted_one_bit_by_bit(lora_rank: int | None, tmp_path: Path) -> None:
    settings = replace(SETTINGS, lora_rank=lora_rank, learning_rate=0.1 if lora_rank else 0.01)
    whole = tune(tmp_path / "whole", settings)
    begun = tune(tmp_path / "parts", settings, until=3)
    assert len(begun.updates) == 3 and begun.ended_by == "on_update"
    resumed = tune(tmp_path / "parts", settings, resume=True)
    assert resumed.updates == whole.updates and len(whole.updates) == 5
    assert same_weights(resumed.writer, whole.writer) and not same_weights(begun.writer, whole.writer)
    assert resumed.reward_scale == whole.reward_scale and resumed.ended_by == "episodes"
    assert [update for update, _ in resumed.checkpoints] == [update for update, _ in whole.checkpoints] == [3]
    assert all(same_weights(CausalLM.load(str(path)), begun.writer) for _, path in resumed.checkpoints)
    prices = [update.kl_coef for update in whole.updates]
    assert max(prices) > prices[0]  # the price is steered, and went on where it was
    assert whole.updates[-1].multipliers != whole.updates[0].multipliers


def test_a_resumed_run_tells_the_updates_made_before_and_asks_no_reward_for_them(tmp_path: Path) -> None:
    tune(tmp_path, until=3)
    told: list[int] = []
    scored: list[int] = []

    def counted(cells: Ints, texts: list[str]) -> Reward:
        scored.append(len(texts))
        return share_of_a(cells, texts)

    def tell(update: PPOUpdate) -> bool:
        told.append(update.update)
        return True

    tune_ppo(tiny_writer(), PROMPTS, counted, SETTINGS, 3, tmp_path, tell, resume=True)
    assert told == [1, 2, 3, 4, 5] and len(scored) == 2


def test_a_finished_run_is_resumed_into_its_result(tmp_path: Path) -> None:
    settings = replace(SETTINGS, checkpoint_every=5)
    whole = tune(tmp_path, settings)
    again = tune(tmp_path, settings, resume=True)
    assert again.updates == whole.updates and same_weights(again.writer, whole.writer)


def test_without_a_state_a_run_begins_anew_and_a_new_run_removes_old_states(tmp_path: Path) -> None:
    fresh = tune(tmp_path, replace(SETTINGS, checkpoint_every=1), resume=True)
    assert len(fresh.updates) == 5
    assert sorted(path.name for path in tmp_path.glob("state-*")) == ["state-0004", "state-0005"]
    tune(tmp_path, replace(SETTINGS, episodes=30))
    assert [path.name for path in tmp_path.glob("state-*")] == ["state-0003"]
    assert [path.name for path in tmp_path.glob(".state-*")] == []


def test_a_state_holds_critic_moments_and_sampler_and_no_pickle(tmp_path: Path) -> None:
    """TRL saves the policy alone (quirks 9 and 10)."""
    from safetensors.torch import load_file

    tune(tmp_path, replace(SETTINGS, episodes=30))
    state = tmp_path / "state-0003"
    assert sorted(path.name for path in state.iterdir()) == ["state.json", "state.safetensors"]
    tensors = load_file(state / "state.safetensors")
    kinds = {name.split(".")[0] for name in tensors}
    assert kinds == {"policy", "critic", "adam", "sampler"}
    assert "critic.score.weight" in tensors and tensors["critic.score.weight"].abs().max() > 0
    moments = [name for name in tensors if name.endswith(".exp_avg_sq")]
    assert len(moments) == sum(name.startswith(("policy.", "critic.")) for name in tensors)


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path) -> None:
    settings = replace(SETTINGS, checkpoint_every=1)
    whole = tune(tmp_path / "whole", settings)
    tune(tmp_path / "parts", settings, until=3)
    weights = tmp_path / "parts" / "state-0003" / "state.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    resumed = tune(tmp_path / "parts", settings, resume=True)
    assert resumed.updates == whole.updates and same_weights(resumed.writer, whole.writer)


def test_where_every_state_is_damaged_a_run_does_not_begin_anew_unasked(tmp_path: Path) -> None:
    tune(tmp_path, replace(SETTINGS, checkpoint_every=1), until=3)
    for state in tmp_path.glob("state-*"):
        (state / "state.json").write_text("{}", "utf-8")
    with pytest.raises(
        DataError, match=r"a state must be readable .*state-0003.*; remove the states"
    ) as told:
        tune(tmp_path, replace(SETTINGS, checkpoint_every=1), resume=True)
    assert "\n" not in str(told.value) and len(list(tmp_path.glob("state-*"))) == 2


def test_the_newest_state_is_that_of_the_latest_update_whatever_its_digits(tmp_path: Path) -> None:
    tune(tmp_path, replace(SETTINGS, checkpoint_every=1), until=4)
    (tmp_path / "state-0003").rename(tmp_path / "state-9999")
    (tmp_path / "state-0004").rename(tmp_path / "state-10000")
    asked: list[int] = []

    def counted(cells: Ints, texts: list[str]) -> Reward:
        asked.append(len(texts))
        return share_of_a(cells, texts)

    tune_ppo(tiny_writer(), PROMPTS, counted, SETTINGS, 3, tmp_path, clock=lambda: 0.0, resume=True)
    assert len(asked) == 1, "of five updates four are in the newest state"


def test_a_state_of_another_run_is_refused_in_one_line(tmp_path: Path) -> None:
    tune(tmp_path, until=3)
    writer = tiny_writer()

    def refused(match: str, writer: CausalLM = writer, prompts: list[str] = PROMPTS, seed: int = 3) -> None:
        with pytest.raises(DataError, match=match) as caught:
            tune_ppo(writer, prompts, share_of_a, SETTINGS, seed, tmp_path, resume=True)
        assert "\n" not in str(caught.value) and "state-0003" in str(caught.value)

    refused("writer must be", writer=tiny_writer(seed=1))
    refused("prompts must be", prompts=PROMPTS[::-1])
    refused("seed must be 4, this run's, got 3", seed=4)
    foreign = tiny_writer()
    foreign.tokenizer = tiny_tokenizer(150)
    refused("tokenizer must be", writer=foreign)
    with pytest.raises(DataError, match=r"learning_rate must be 0\.01, as the run began, got 0\.5"):
        tune(tmp_path, replace(SETTINGS, learning_rate=0.5), resume=True)
    assert len(tune(tmp_path, replace(SETTINGS, checkpoint_every=2), resume=True).updates) == 5


RUN = """
import sys, time
from pathlib import Path
import numpy as np
from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.cli.errors import one_line
from tests import test_ppo_resume as t
from dataclasses import replace

def slow(cells, texts):
    print("scored", flush=True)
    time.sleep(float(sys.argv[2]))
    return t.share_of_a(cells, texts)

with one_line("tune again with resume=True"):
    tune_ppo(t.tiny_writer(), t.PROMPTS, slow, replace(t.SETTINGS, checkpoint_every=None), 3, Path(sys.argv[1]))
"""


def _started(out: Path, sleep: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(out), str(sleep)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )


def test_ctrl_c_leaves_a_state_that_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    process = _started(tmp_path, 0.3)
    assert process.stdout is not None
    for _ in range(3):  # the reference sample and two updates
        assert process.stdout.readline() == "scored\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told == "interrupted; to go on: tune again with resume=True\n"
    settings = replace(SETTINGS, checkpoint_every=None)
    assert len(list(tmp_path.glob("state-*"))) == 1
    resumed, whole = tune(tmp_path, settings, resume=True), tune(tmp_path / "whole", settings)
    assert [replace(update, seconds=0.0) for update in resumed.updates] == list(whole.updates)
    assert same_weights(resumed.writer, whole.writer)


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    process = _started(tmp_path, 3.0)
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130 and told.startswith("interrupted") and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_interrupt_says_where_the_state_is() -> None:
    assert str(Interrupted(7, Path("out/state-0006"))) == (
        "interrupted after update 7; out/state-0006 goes on with resume=True"
    )
    assert isinstance(Interrupted(0, None), KeyboardInterrupt)


SMALL_DISK = """
import resource, sys
from pathlib import Path
from dataclasses import replace
from tests import test_ppo_resume as t
from copybandit.cli.errors import one_line

def full_at_three(update):
    if update.update == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    return True

with one_line("tune again with resume=True"):
    settings, out = replace(t.SETTINGS, checkpoint_every=1), Path(sys.argv[1])
    t.tune_ppo(t.tiny_writer(), t.PROMPTS, t.share_of_a, settings, 3, out, full_at_three)
"""


def test_a_state_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    """The operating system refuses files above 20 kB from the third update on."""
    found = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1, found.stderr
    assert found.stderr.count("\n") == 1 and "File too large while saving" in found.stderr
    assert "state-0002 is kept; make room" in found.stderr
    assert sorted(path.name for path in tmp_path.glob("*state-*")) == ["state-0001", "state-0002"]
    settings = replace(SETTINGS, checkpoint_every=1)
    resumed, whole = tune(tmp_path, settings, resume=True), tune(tmp_path / "whole", settings)
    assert [replace(update, seconds=0.0) for update in resumed.updates] == list(whole.updates)
    assert same_weights(resumed.writer, whole.writer)


def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here; a limit on file sizes is tested above")
    try:
        with pytest.raises(OSError, match=r"while saving") as caught:
            tune(small / "run", replace(SETTINGS, checkpoint_every=1))
        assert "is kept" in str(caught.value)
        states = sorted((small / "run").glob("*state-*"))
        assert 1 <= len(states) <= 2 and not any(state.name.startswith(".") for state in states)
        state = states[-1]
        shutil.copytree(state, tmp_path / "room" / state.name)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert len(tune(tmp_path / "room", replace(SETTINGS, checkpoint_every=1), resume=True).updates) == 5


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 5))
def test_prompts_are_read_once_per_epoch_in_an_order_of_seed_and_epoch(n: int, size: int, seed: int) -> None:
    size = min(n, size)
    loader = PromptLoader([[5]] * n, batch_size=size, seed=seed, pad_id=0, first=1)
    per_epoch = n // size
    for epoch in range(3):
        read = [row for k in range(per_epoch) for row in loader.batch(1 + epoch * per_epoch + k)]
        assert len(set(read)) == len(read) == size * per_epoch
        assert sorted(epoch_order(n, seed, epoch)) == list(range(n))


@given(st.integers(1, 20), st.integers(0, 2**40), st.integers(0, 6))
def test_orders_of_rows_go_on_where_they_were(rows: int, seed: int, passes: int) -> None:
    begun = RowOrders(rows, seed, 0)
    for _ in range(passes):
        begun.next()
    assert np.array_equal(begun.next(), RowOrders(rows, seed, passes).next())


def test_the_record_of_a_state_is_plain_json(tmp_path: Path) -> None:
    tune(tmp_path, until=3)
    record = json.loads((tmp_path / "state-0003" / "state.json").read_text(encoding="utf-8"))
    assert record["identity"]["settings"]["learning_rate"] == SETTINGS.learning_rate
    assert len(record["progress"]["updates"]) == 3
