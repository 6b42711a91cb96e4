"""What kind of checkpoint a folder is, found from real ones, and what is refused in one line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from copybandit.agents.policies import Uniform
from copybandit.agents.policy_files import save_policy
from copybandit.evaluation.checkpoint_kind import checkpoint_of, one_kind
from copybandit.evaluation.comparison import slugs
from copybandit.sim.types import DataError
from tests.tiny_lm import tiny_writer


def policy_in(folder: Path) -> Path:
    save_policy(Uniform(), folder, rows=0, created=datetime(2026, 1, 1, tzinfo=UTC))
    return folder


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_writer().save(tmp_path_factory.mktemp("writer") / "w")


def test_each_kind_is_told_by_what_its_folder_holds(writer: Path, tmp_path: Path) -> None:
    policy = policy_in(tmp_path / "p")
    assert checkpoint_of(str(writer)).kind == "writer" and checkpoint_of(str(policy)).kind == "policy"
    pair = checkpoint_of(f"{writer}+{policy}")
    assert (pair.kind, pair.writer, pair.policy) == ("pair", writer, policy)
    plus = policy_in(tmp_path / "a+b")
    assert checkpoint_of(str(plus)).kind == "policy", "a folder of that name goes first"
    assert checkpoint_of(f"{writer}+{plus}").policy == plus, "a + in a folder's name parts nothing"


def test_what_is_none_is_one_line(writer: Path, tmp_path: Path) -> None:
    policy, ray = policy_in(tmp_path / "p"), tmp_path / "ray"
    ray.mkdir()
    (ray / "rllib_checkpoint.json").write_text("{}")
    refused = {
        str(tmp_path): "must be the folder of a saved writer",
        str(ray): r"got one of RLlib.*copybandit\[rllib\]",
        f"{policy}+{writer}": r"must be WRITER\+POLICY, got policy\+writer",
        f"{writer}+{tmp_path / 'gone'}": r"must be two folders joined by \+",
        f"{writer}+{ray}": "got one of RLlib",
    }
    for name, words in refused.items():
        with pytest.raises(DataError, match=words) as caught:
            checkpoint_of(name)
        assert "\n" not in str(caught.value)


def test_all_are_of_one_kind_and_none_comes_twice(writer: Path, tmp_path: Path) -> None:
    policy = policy_in(tmp_path / "p")
    with pytest.raises(DataError, match="got policy and writer"):
        one_kind([str(writer), str(policy)])
    with pytest.raises(DataError, match="got one folder twice"):
        one_kind([str(policy), f"{policy}/../p"])
    with pytest.raises(DataError, match="needs a checkpoint, got none"):
        one_kind([])


def test_names_are_as_short_as_tells_them_apart() -> None:
    assert slugs(["a/w+a/p", "b/w+b/p"]) == ["a-w-a-p", "b-w-b-p"]
    assert slugs(["runs/0", "uniform"]) == ["_0", "uniform"]
    with pytest.raises(DataError, match="must differ in letters and digits"):
        slugs(["a:b", "a;b"])
