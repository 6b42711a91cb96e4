"""Ray RLlib plays in the shop, one environment at a time and as a vector; only where ray is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CODE = """
import json, sys
import ray
from ray import tune
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import FlattenObservations
import copybandit.envs
from copybandit.envs.rllib import make_rllib_env

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _temp_dir=sys.argv[1])
tune.register_env("copy-selection", make_rllib_env)
found = []
for env, config in (("copy-selection", {"plan": {"visits": 5}}), ("copybandit/CopySelection-v0", {})):
    for mode in ("sync", "vector_entry_point"):
        setting = (
            PPOConfig()
            .environment(env, env_config=config)
            .env_runners(num_env_runners=0, num_envs_per_env_runner=4, gym_env_vectorize_mode=mode,
                         env_to_module_connector=lambda *a, **k: FlattenObservations())
            .training(train_batch_size=64, minibatch_size=32, num_epochs=1)
        )
        algorithm = setting.build_algo()
        result = algorithm.train()["env_runners"]
        vector = type(algorithm.env_runner.env.unwrapped).__name__
        found.append([env, mode, vector, int(result["num_env_steps_sampled"])])
        algorithm.stop()
ray.shutdown()
print(json.dumps(found))
"""


def processes_of(folder: Path) -> list[str]:
    """Command lines of running processes that name a folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if str(folder) in line]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Ray puts sockets into its folder, whose paths may have 107 bytes; pytest's own folders are longer."""
    with TemporaryDirectory(prefix="ray-") as folder:
        yield Path(folder)


@pytest.mark.slow
def test_rllib_trains_in_both_modes_and_leaves_nothing(short_folder: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip('RAY ABSENT: run pip install "copybandit[rllib]" to play with RLlib')
    # RLlib keeps its results in the home folder, and ray tells its makers of each session unless it is told not to.
    (short_folder / "home").mkdir()
    own = {"HOME": str(short_folder / "home"), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(short_folder / "r")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | own,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    names = {"sync": "SyncVectorEnv", "vector_entry_point": "CopySelectionVectorEnv"}
    assert len(rows) == 4
    for _, mode, vector, steps in rows:
        assert vector == names[mode] and steps >= 64
    assert any((short_folder / "r").iterdir()) and (short_folder / "home" / "ray_results").is_dir()
    assert processes_of(short_folder) == []
