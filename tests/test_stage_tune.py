"""Tuning one seed: what an interrupt leaves, and what a finished run keeps."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from copybandit.agents.tune import TuneUpdate
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.stage_tune import Chosen, tune_seed
from copybandit.generators.lm import CausalLM
from tests.tiny_lm import tiny_writer


def states(out: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in out.rglob("state-*"))


def test_states_are_kept_until_the_writer_is_chosen_and_not_longer(fitted: Pipeline, tmp_path: Path) -> None:
    options = msgspec.structs.replace(
        fitted.settings.tune, episodes=64, batch_size=16, minibatches=1, reference_samples=16, restarts=2
    )
    rewards = fitted.reward("fit"), fitted.reward("select")

    def tune(out: Path, cut: tuple[int, int] | None = None, *, resume: bool = False) -> Chosen:
        def on_update(restart: int, update: TuneUpdate) -> bool:
            if (restart, update.update) == cut:
                raise OSError("the disk is full")
            return True

        return tune_seed(tiny_writer(), *rewards, options, 0, out, on_update, resume=resume)

    whole = tune(tmp_path / "whole")
    assert states(tmp_path / "whole") == []
    with pytest.raises(OSError, match="the disk is full"):
        tune(tmp_path / "cut", (1, 3))
    assert states(tmp_path / "cut") == [
        "ppo-0/state-0003", "ppo-0/state-0004", "ppo-1/state-0002", "ppo-1/state-0003",
    ]  # fmt: skip
    again = tune(tmp_path / "cut", resume=True)
    assert states(tmp_path / "cut") == []
    assert (again.select, again.calls) == (whole.select, whole.calls)
    one, two = (CausalLM.load(str(tmp_path / name / "writer")).card for name in ("whole", "cut"))
    assert one == two and one is not None
