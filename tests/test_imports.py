"""What an import may cost: a bare folder loads nothing heavy, and help answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = sorted(path.parent.name for path in Path(__file__).parents[1].glob("[a-z]*/__init__.py"))
HEAVY = {"torch", "transformers", "trl", "peft", "ray", "datasets"}
SLOW = HEAVY | {"numpy", "pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "gymnasium"}


def loaded(code: str, cwd: Path) -> set[str]:
    """Top-level modules that are loaded once the code has run, in a process of its own."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert done.returncode == 0, done.stderr
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(names)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_bare_folder_loads_nothing_heavy(name: str, tmp_path: Path) -> None:
    assert loaded(f"import copybandit.{name}", tmp_path) & HEAVY == set()


def test_help_loads_nothing_slow(tmp_path: Path) -> None:
    code = """
import sys
from copybandit.cli.main import main
for arguments in (["--help"], ["run", "--help"]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
"""
    assert loaded(code, tmp_path) & SLOW == set()


def test_refusing_bad_input_needs_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from copybandit.cli.main import main
sys.argv[1:] = ["run", "--config", "absent"]
try:
    main()
except SystemExit as stop:
    assert stop.code == 2, stop.code
"""
    assert loaded(code, tmp_path) & HEAVY == set()


def test_the_report_needs_no_torch(tmp_path: Path) -> None:
    assert loaded("import copybandit.evaluation.report", tmp_path) & HEAVY == set()
