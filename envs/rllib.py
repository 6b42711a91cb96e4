"""Creators for Ray RLlib, which passes its ``env_config``; ray itself is not needed here.

config.environment(env="copybandit/CopySelection-v0")          # after `import copybandit.envs`, or
ray.tune.register_env("copy-selection", make_rllib_env)

With ``gym_env_vectorize_mode="vector_entry_point"`` RLlib calls the same creator with ``num_envs`` and wants a vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copybandit.envs.copy_selection import CopySelectionEnv
from copybandit.envs.copy_selection_vector import CopySelectionVectorEnv
from copybandit.sim.effects import Effects
from copybandit.sim.season import Plan


def make_rllib_env(config: Mapping[str, Any]) -> CopySelectionEnv | CopySelectionVectorEnv:
    """One environment, or a vector of them where the config holds ``num_envs``.

    Args:
        config: arguments of `CopySelectionEnv`; ``effects`` and ``plan`` may be mappings of their attributes.
    """
    arguments = _arguments(config)
    return CopySelectionVectorEnv(**arguments) if "num_envs" in arguments else CopySelectionEnv(**arguments)


def make_rllib_vector_env(config: Mapping[str, Any], num_envs: int = 1) -> CopySelectionVectorEnv:
    """Many environments in one.

    Args:
        config: arguments of `CopySelectionVectorEnv`; ``num_envs`` in it goes first.
        num_envs: rows.
    """
    return CopySelectionVectorEnv(**({"num_envs": num_envs} | _arguments(config)))


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Plain arguments with records made of the mappings; RLlib's EnvContext is a mapping too."""
    found = dict(config)
    for name, record in (("effects", Effects), ("plan", Plan)):
        if isinstance(found.get(name), Mapping):
            found[name] = record(**found[name])
    return found
