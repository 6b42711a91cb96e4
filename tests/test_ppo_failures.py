"""What goes wrong while tuning is said in one line, and costs nothing that was saved."""

from __future__ import annotations

import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.agents.reward_seam import Reward
from copybandit.generators.prompts import field_prompt
from copybandit.sim.types import DataError, Ints
from tests.tiny_lm import brief, tiny_writer

PROMPTS = [field_prompt(brief(i)) for i in range(24)]
SETTINGS = PPOSettings(episodes=40, batch_size=8, reference_samples=16, critic_hidden=8, checkpoint_every=1)


class Flaky:
    """Pays for length, until a call at which something happens instead."""

    def __init__(self, call: int, what: Exception | float) -> None:
        self.left, self.what = call, what

    def __call__(self, cells: Ints, texts: list[str]) -> Reward:
        total = np.array([float(len(text)) for text in texts])
        self.left -= 1
        if self.left == 0 and isinstance(self.what, Exception):
            raise self.what
        return Reward(total=np.where(self.left == 0, self.what, total) if self.left == 0 else total)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (ValueError("no such\nproduct"), r"must not raise, got ValueError \(no such product\) at update 3"),
        (KeyError(), r"must not raise, got KeyError \(no message\) at update 3"),
        (np.nan, r"total must be finite, got nan for prompt \d+, text .* at update 3"),
        (np.inf, r"total must be finite, got inf for prompt"),
    ],
)
def test_a_reward_that_fails_names_the_update_and_keeps_the_state_before(
    what: Exception | float, told: str, tmp_path: Path
) -> None:
    flaky = Flaky(4, what)  # the reference sample, then three updates
    with pytest.raises(DataError, match=told) as caught:
        tune_ppo(tiny_writer(), PROMPTS, flaky, SETTINGS, 0, tmp_path, clock=lambda: 0.0)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is (what if isinstance(what, Exception) else None)
    assert sorted(path.name for path in tmp_path.glob("state-*")) == ["state-0001", "state-0002"]
    sound = Flaky(-1, 0.0)
    resumed = tune_ppo(tiny_writer(), PROMPTS, sound, SETTINGS, 0, tmp_path, clock=lambda: 0.0, resume=True)
    whole = tune_ppo(tiny_writer(), PROMPTS, Flaky(-1, 0.0), SETTINGS, 0, tmp_path / "w", clock=lambda: 0.0)
    assert resumed.updates == whole.updates


def test_a_reward_that_fails_before_the_first_update_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"got ZeroDivisionError \(x\) at the reference sample"):
        tune_ppo(tiny_writer(), PROMPTS, Flaky(1, ZeroDivisionError("x")), SETTINGS, 0, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_and_a_missing_extra_in_a_reward_speak_for_themselves(tmp_path: Path) -> None:
    for error in (OSError(28, "No space left on device"), ModuleNotFoundError("harper")):
        with pytest.raises(type(error)) as caught:
            tune_ppo(tiny_writer(), PROMPTS, Flaky(2, error), SETTINGS, 0, tmp_path)
        assert caught.value is error


def test_components_must_be_one_number_per_text(tmp_path: Path) -> None:
    def short(cells: Ints, texts: list[str]) -> Reward:
        return Reward(total=np.zeros(len(texts)), components=(("a", np.zeros(1)),))

    with pytest.raises(DataError, match=r"reward: a must return shape \(16,\), got \(1,\)"):
        tune_ppo(tiny_writer(), PROMPTS, short, SETTINGS, 0, tmp_path)


WITHOUT_TRL = """
import site, sys
site.addsitedir(sys.argv[1])
sys.path.insert(0, sys.argv[3])
from copybandit.agents.ppo import PPOSettings, tune_ppo
from copybandit.cli.errors import one_line
from tests.tiny_lm import tiny_writer

with one_line("tune again"):
    tune_ppo(tiny_writer(), ["a mug >", "a lamp >"], lambda cells, texts: None, PPOSettings(batch_size=2), 0, sys.argv[2])
"""


def test_without_trl_the_remedy_is_told(tmp_path: Path) -> None:
    """A site of links to all that is installed here, but for trl."""
    packages = tmp_path / "site"
    packages.mkdir()
    for folder in dict.fromkeys([sysconfig.get_path("purelib"), *site.getsitepackages(), *sys.path]):
        if not folder.endswith("site-packages") or not Path(folder).is_dir():
            continue
        for entry in Path(folder).iterdir():
            kept = entry.suffix != ".pth" or entry.name.startswith("__editable__")
            if kept and not entry.name.lower().startswith("trl") and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-S", "-c", WITHOUT_TRL, str(packages), str(tmp_path / "out"), root]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2, found.stderr
    assert found.stderr == (
        "error: tuning needs TRL, which is not installed; run: pip install 'trl>=1.10,<1.13'\n"
    )
