"""The tables of rules and words that ship with the package, read fast."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

# The C loader reads the same YAML ten times as fast; it is part of PyYAML's wheels but not of every build.
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def table(name: str) -> Any:
    """Return what the package's own YAML file of that name holds."""
    return yaml.load(files("copybandit.generators").joinpath(name).read_text("utf-8"), _LOADER)
