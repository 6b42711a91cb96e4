"""What TRL does to its process, kept in bounds: version, notices, global random state, garbage collection, memory."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

import numpy as np
import torch

from copybandit.sim.types import DataError

LOWEST, BELOW = (1, 10), (1, 13)
"""TRL 1.13 removed PPOTrainer."""
TRIM, MAPS = -1, -4
"""Names that `mallopt` of glibc has for: keep this much that is free, and map this many large pieces one by one."""
REMEDY = "pip install 'trl>=1.10,<1.13'"


def check_trl_version(installed: str | None = None) -> None:
    """Raise DataError unless TRL is one of the releases whose PPOTrainer is known.

    Args:
        installed: version to judge; that of the installed distribution when None.
    """
    if installed is None:
        try:
            installed = metadata.version("trl")
        except metadata.PackageNotFoundError as error:
            raise DataError(f"tuning needs TRL, which is not installed; run: {REMEDY}") from error
    major, minor = (int(number) for number in re.findall(r"\d+", installed)[:2])
    if not LOWEST <= (major, minor) < BELOW:
        raise DataError(f"tuning needs trl >=1.10,<1.13 (1.13 removed PPO), got {installed}; run: {REMEDY}")


@contextmanager
def importing_trl() -> Iterator[None]:
    """Check the version first, and keep TRL's notice about its experimental folder off the terminal."""
    check_trl_version()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are importing from 'trl.experimental'")
        yield


@contextmanager
def quiet_arguments() -> Iterator[None]:
    """Silence the warning that TRL's own default for gradient_checkpointing sets off in transformers 5.23."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="`gradient_checkpointing` is deprecated", category=FutureWarning
        )
        yield


@contextmanager
def own_precision() -> Iterator[None]:
    """Keep the environment from choosing a precision: TRL's trainer reads it from there and from nowhere else."""
    asked = os.environ.get("ACCELERATE_MIXED_PRECISION")
    os.environ["ACCELERATE_MIXED_PRECISION"] = "no"
    try:
        yield
    finally:
        del os.environ["ACCELERATE_MIXED_PRECISION"]
        if asked is not None:
            os.environ["ACCELERATE_MIXED_PRECISION"] = asked


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seed the global random state that TRL and transformers draw from; put the caller's back afterwards."""
    ours = random.getstate(), np.random.get_state()  # noqa: NPY002  (TRL shuffles with the legacy generator)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(ours[0])
            np.random.set_state(ours[1])  # noqa: NPY002


@contextmanager
def cheap_collection() -> Iterator[None]:
    """Spare the libraries' million long-lived objects the two full collections TRL runs in each update."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def kept_memory() -> Iterator[None]:
    """Let glibc keep what is freed until tuning ends: every pass takes the same hundreds of megabytes again.

    Given back to the system they would be zeroed anew, page by page, which takes longer than what is worked out in them.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(TRIM, -1)
    libc.mallopt(MAPS, 0)
    try:
        yield
    finally:
        libc.mallopt(TRIM, 1 << 26)  # what glibc itself goes up to
        libc.mallopt(MAPS, 1 << 16)
        libc.malloc_trim(0)
