"""The tables of rules and words that ship with the package, read fast."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, TypeAlias

import yaml

Row: TypeAlias = "str | list[str | list[Row]]"
"""A regular expression, whole or as parts that follow one another; a part that is a list is a choice of rows."""

# The C loader reads the same YAML ten times as fast; it is part of PyYAML's wheels but not of every build.
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def table(name: str) -> Any:
    """Return what the package's own YAML file of that name holds."""
    return yaml.load(files("copybandit.generators").joinpath(name).read_text("utf-8"), _LOADER)


def regex(row: Row) -> str:
    """Return the regular expression that a row of a table stands for.

    >>> regex(["a ", ["cat", ["d", ["o", "i"], "g"]], "s?"])
    'a (?:cat|d(?:o|i)g)s?'
    """
    if isinstance(row, str):
        return row
    return "".join(part if isinstance(part, str) else f"(?:{alternatives(part)})" for part in row)


def alternatives(rows: list[Row]) -> str:
    """Return what matches where one of several rows does."""
    return "|".join(map(regex, rows))
