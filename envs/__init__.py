"""Environments. Importing this package registers the two of them with Gymnasium."""

from gymnasium import register, registry

COPY_SELECTION, COPY_WRITING = "copybandit/CopySelection-v0", "copybandit/CopyWriting-v0"

if COPY_SELECTION not in registry:
    register(
        id=COPY_SELECTION,
        entry_point="copybandit.envs.copy_selection:CopySelectionEnv",
        vector_entry_point="copybandit.envs.copy_selection_vector:CopySelectionVectorEnv",
    )

if COPY_WRITING not in registry:
    register(
        id=COPY_WRITING,
        entry_point="copybandit.envs.copy_writing:CopyWritingEnv",
        vector_entry_point="copybandit.envs.copy_writing_vector:CopyWritingVectorEnv",
    )
