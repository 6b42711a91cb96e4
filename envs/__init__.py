"""Environments. Importing this package registers ``copybandit/CopySelection-v0`` with Gymnasium."""

from gymnasium import register, registry

COPY_SELECTION = "copybandit/CopySelection-v0"

if COPY_SELECTION not in registry:
    register(
        id=COPY_SELECTION,
        entry_point="copybandit.envs.copy_selection:CopySelectionEnv",
        vector_entry_point="copybandit.envs.copy_selection_vector:CopySelectionVectorEnv",
    )
