"""Saved records: they come back bit by bit; what is broken or foreign gets one line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from copybandit.sim.encoders import Lsa, Style
from copybandit.sim.store import load_record, save_record
from copybandit.sim.types import DataError
from copybandit.sim.wording import LinearWording
from copybandit.sim.world import Coefficients, World
from tests.small_world import small_world


@dataclass(frozen=True, kw_only=True)
class Stranger:
    value: float = 1.0


def style() -> Style:
    return Style(mean=np.array([0.1, np.pi]), scale=np.array([1e-300, np.inf]))


@pytest.mark.parametrize("name", ["gold", "fitted"])
def test_a_world_comes_back_bit_by_bit(name: str, tmp_path: Path) -> None:
    shop = small_world()
    world: World = getattr(shop, name)
    save_record(tmp_path / "world", world)
    again = load_record(tmp_path / "world", World)
    texts, product = shop.sample.texts, shop.sample.product
    before, after = world.encode(texts, product), again.encode(texts, product)
    assert (before.wording == after.wording).all() and (before.topic == after.topic).all()
    assert again.coefficients == world.coefficients and again.references == world.references
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world.json", "world.safetensors"]


def test_the_same_record_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_record(tmp_path / name, style())
    for suffix in (".json", ".safetensors"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_strided_arrays_are_saved_as_they_look(tmp_path: Path) -> None:
    grid = np.arange(12.0).reshape(3, 4)
    save_record(tmp_path / "x", Style(mean=grid.T[1], scale=grid[:, ::2]))
    again = load_record(tmp_path / "x", Style)
    assert (again.mean == grid.T[1]).all() and (again.scale == grid[:, ::2]).all()


def test_a_foreign_class_is_neither_saved_nor_loaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Stranger cannot be saved"):
        save_record(tmp_path / "x", Stranger())
    assert not list(tmp_path.iterdir())
    save_record(tmp_path / "x", style())
    tree = json.loads((tmp_path / "x.json").read_text())
    (tmp_path / "x.json").write_text(json.dumps(tree | {"class": "Stranger"}))
    with pytest.raises(DataError, match="cannot read the saved Style"):
        load_record(tmp_path / "x", Style)


def test_a_field_that_is_no_record_is_refused(tmp_path: Path) -> None:
    bad = LinearWording(encoders=(style(),), coefficients=[np.zeros((1, 2))])  # type: ignore[arg-type]  # on purpose
    with pytest.raises(DataError, match=r"r.coefficients: a list cannot be saved"):
        save_record(tmp_path / "x", bad)


def test_the_wrong_kind_of_record_is_refused(tmp_path: Path) -> None:
    save_record(tmp_path / "x", style())
    with pytest.raises(DataError, match="must hold a Lsa, got Style"):
        load_record(tmp_path / "x", Lsa)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise"])
def test_a_broken_file_gets_one_line(suffix: str, damage: str, tmp_path: Path) -> None:
    save_record(tmp_path / "x", style())
    path = tmp_path / f"x{suffix}"
    whole = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "noise": b"\xff\x00" * 50}[damage])
    with pytest.raises(DataError, match="cannot read the saved Style") as caught:
        load_record(tmp_path / "x", Style)
    assert "\n" not in str(caught.value) and "run the stage again" in str(caught.value)


def test_a_missing_field_and_a_missing_array_are_refused(tmp_path: Path) -> None:
    save_record(tmp_path / "x", Coefficients(base=0.0))
    tree = json.loads((tmp_path / "x.json").read_text())
    del tree["fields"]["base"]
    (tmp_path / "x.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match="cannot read"):
        load_record(tmp_path / "x", Coefficients)
    save_record(tmp_path / "y", style())
    (tmp_path / "y.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes())
    with pytest.raises(DataError, match="cannot read"):
        load_record(tmp_path / "y", Style)
