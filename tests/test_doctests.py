"""Examples in docstrings run, in every module that can be imported without torch."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "ray", "tokenizers"}
MODULES = {
    f"copybandit.{path.parent.name}" + ("" if path.stem == "__init__" else f".{path.stem}"): path
    for init in sorted(ROOT.glob("[a-z]*/__init__.py"))
    for path in sorted(init.parent.glob("*.py"))
}


def imports(path: Path) -> set[str]:
    """Modules that a file imports as it is loaded."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def light() -> list[str]:
    """Modules that load no heavy one, at any remove."""
    direct = {name: imports(path) for name, path in MODULES.items()}
    heavy = {name for name, found in direct.items() if {one.partition(".")[0] for one in found} & HEAVY}
    while more := {name for name, found in direct.items() if name not in heavy and found & heavy}:
        heavy |= more
    return sorted(set(MODULES) - heavy)


@pytest.mark.parametrize("name", light())
def test_examples_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_examples_are_found() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = ("copybandit.configs", "copybandit.evaluation.headline", "copybandit.evaluation.storage")
    found = [test for name in names for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 4
