"""Whether the compiled kernel is at hand: it is where the extra ``[fast]`` is installed, unless COPYBANDIT_COMPILED=0.

Everything works without it, by NumPy, to the same numbers; it is loaded when a policy first decides or learns, and
compiled then if it never was (some ten seconds). Numba keeps what it compiled in ``__pycache__`` and looks at the file of
a function alone: whoever changes a file `kernel_NAME`, or a constant that it takes from elsewhere, empties that folder.
"""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType

SWITCH = "COPYBANDIT_COMPILED"


@lru_cache(maxsize=1)
def kernel() -> ModuleType | None:
    """`policy_kernel`, or None; asked once a process."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        from copybandit.agents import policy_kernel
    except ImportError:
        return None
    return policy_kernel


@lru_cache(maxsize=1)
def desk_kernel() -> ModuleType | None:
    """`desk_kernel`, or None; asked once a process."""
    if kernel() is None:
        return None
    from copybandit.agents import desk_kernel as found

    return found
