"""The layout: what is packaged is what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = sorted(path.parent.name for path in ROOT.glob("[a-z]*/__init__.py") if path.parent.name != "build")


def test_the_package_table_names_every_folder_and_nothing_else() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    assert sorted(setuptools["packages"]) == [f"copybandit.{name}" for name in FOLDERS]
    assert setuptools["package-dir"] == {f"copybandit.{name}": name for name in FOLDERS}
    assert sorted(PROJECT["tool"]["importlinter"]["root_packages"]) == [
        f"copybandit.{name}" for name in FOLDERS
    ]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_typed_flat_and_all_of_it_is_packaged(name: str) -> None:
    folder = ROOT / name
    assert (folder / "py.typed").is_file()
    inside = [path for path in folder.iterdir() if path.name != "__pycache__"]
    assert [path.name for path in inside if path.is_dir()] == []
    patterns = ["*.py", *PROJECT["tool"]["setuptools"]["package-data"]["*"]]
    unpackaged = [p.name for p in inside if not any(p.match(pattern) for pattern in patterns)]
    assert unpackaged == []


@pytest.mark.parametrize("name", FOLDERS)
def test_static_tools_find_the_folder(name: str) -> None:
    link = ROOT / ".typing" / "copybandit" / name
    assert link.is_symlink() and not link.readlink().is_absolute()
    assert link.resolve() == ROOT / name


def test_the_namespace_itself_holds_nothing() -> None:
    assert (
        not (ROOT / "__init__.py").exists() and not (ROOT / ".typing" / "copybandit" / "__init__.py").exists()
    )
    assert not (ROOT / "tests" / "__init__.py").exists()
