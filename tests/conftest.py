"""Where the tests find real data, and what several files share."""

from __future__ import annotations

import os
from pathlib import Path

# Two workers share the machine: one thread each, set before torch is imported, or they wait for each other in busy loops.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

from copybandit.evaluation.pipeline import Pipeline
from tests.small_run import small_pipeline

# A shared machine is slow now and then, and the first example loads what all others use.
settings.register_profile("copybandit", deadline=None)
settings.load_profile("copybandit")

VARIABLE = "COPYBANDIT_DATA"
DEFAULT = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the owners' real files; a test that needs it is skipped, and says so, where there is none."""
    folder = Path(os.environ.get(VARIABLE, DEFAULT))
    if not folder.is_dir():
        pytest.skip(
            f"REAL DATA ABSENT: no folder {folder}; set {VARIABLE} to the folder that holds "
            "online_retail.parquet, upworthy-exploratory-sample.csv.gz and open_bandit/"
        )
    return folder


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A small shop whose fit is done."""
    pipeline = small_pipeline(tmp_path_factory.mktemp("fitted") / "run")
    for name in ("data", "fit"):
        pipeline.folder.run_stage(name, getattr(pipeline, name))
    return pipeline
