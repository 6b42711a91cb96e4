"""`copybandit bench`: runs a benchmark of a checkout by its path, and makes the environments of its peers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from copybandit.cli.errors import one_line

FOLDER = Path("tests") / "benchmarks"


def bench(name: str | None, json: Path | None, install_peers: bool, options: Sequence[str]) -> None:
    """Run one benchmark, or list them.

    Args:
        name: of the benchmark; None lists them.
        json: file that it writes.
        install_peers: make the environments of its peers first.
        options: passed on to it.

    Raises:
        SystemExit: bad input (2), or the exit status of the benchmark.
    """
    with one_line("copybandit bench"):
        from copybandit.sim.types import DataError

        folder = find_benchmarks(Path.cwd(), Path(__file__))
        names = sorted(path.stem for path in folder.glob("*.py"))
        if name is None:
            print("\n".join(f"{known:<16} {about(folder / f'{known}.py')}" for known in names))
            return
        if name not in names:
            raise DataError(f"bench: {name!r} is unknown; choose from {', '.join(names)}")
        if json is None:
            raise DataError(f"bench {name}: needs a file to write, got none; pass --json FILE")
        if install_peers:
            _install(folder, name)
        command = [sys.executable, str(folder / f"{name}.py"), "--json", str(json), *options]
        status = subprocess.run(command, check=False).returncode
    if status:
        raise SystemExit(status)


def find_benchmarks(here: Path, module: Path) -> Path:
    """Folder of the benchmarks: of the checkout around a folder, else of the one a module was installed from in place.

    Raises:
        DataError: neither is in a checkout.
    """
    from copybandit.sim.types import DataError

    for root in (here, *here.parents, module.resolve().parents[1]):
        if (root / FOLDER).is_dir() and (root / "cli" / module.name).is_file():
            return root / FOLDER
    raise DataError(
        f"bench: benchmarks run from a checkout, got {here}, which is in none; clone the repository and run it there"
    )


def about(path: Path) -> str:
    """First sentence of a script's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def _install(folder: Path, name: str) -> None:
    from copybandit.evaluation.bench_peers import install, peers_of
    from copybandit.sim.types import DataError

    peers = peers_of(folder, name)
    if not peers:
        raise DataError(f"bench {name}: has no peers to install; drop --install-peers")
    for peer in peers:
        install(peer, lambda line: print(line, file=sys.stderr, flush=True))
