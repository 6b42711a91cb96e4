"""The shipped experiments: one YAML file each, each runnable with `copybandit run --config NAME`.

>>> shipped()
('online-retail', 'quickstart', 'weekly')
"""

from __future__ import annotations

from importlib.resources import files

SUFFIX = ".yaml"


def shipped() -> tuple[str, ...]:
    """Names of the shipped configs, sorted."""
    names = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


def read_shipped(name: str) -> bytes:
    """The YAML of one shipped config as it stands in the package.

    Raises:
        KeyError: no config of that name is shipped.
    """
    if name not in shipped():
        raise KeyError(name)
    return files(__name__).joinpath(name + SUFFIX).read_bytes()
