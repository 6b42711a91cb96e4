"""The shop that judges: that of a run folder, or of a config, which is made where it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from copybandit.evaluation.load_settings import load_settings, read_settings
from copybandit.evaluation.pipeline import Pipeline
from copybandit.evaluation.progress import Progress, Silent
from copybandit.evaluation.run_folder import RunFolder, stored_settings
from copybandit.evaluation.settings import RunSettings
from copybandit.sim.types import DataError

STAGES = ("data", "fit", "sft")
"""What a run folder must hold to judge writers."""
WITHOUT_WRITER = ("data", "fit")
"""What it must hold to judge policies."""


def open_run(path: Path, stages: Sequence[str] = STAGES) -> Pipeline:
    """The pipeline of a finished or half-finished run folder in which some stages are done.

    Raises:
        DataError: there is no run in it, or one of them is not done.
    """
    if not (path / "config.yaml").is_file():
        raise DataError(f"--run {path} holds no run; name the folder of one, or pass --config to make a shop")
    folder = RunFolder.resume(path, stored_settings(path))
    missing = [name for name in stages if not folder.stage(name)]
    if missing:
        raise DataError(
            f"{path}: stages {', '.join(stages)} must be done, {', '.join(missing)} is not; "
            f"go on with copybandit run --resume {path}"
        )
    return Pipeline(folder.settings, folder, Silent())


def staged(path: Path, settings: RunSettings, stages: Sequence[str], progress: Progress) -> Pipeline:
    """The pipeline of a run folder, made or gone on with, in which some stages are done; those that are stay.

    Raises:
        DataError: the folder was told something else.
    """
    with (RunFolder.resume if path.exists() else RunFolder.create)(path, settings) as folder:
        pipeline = Pipeline(settings, folder, progress)
        for name in stages:
            folder.run_stage(name, getattr(pipeline, name), keep=name == "tune")
    return pipeline


def folder_of_config(name: str) -> Path:
    """Run folder of the shop of a config: `runs/NAME-SEED`.

    Raises:
        DataError: an unusable config.
    """
    settings = read_settings(name)
    return Path("runs") / f"{settings.name}-{settings.seed}"


def make_shop(name: str, progress: Progress, stages: Sequence[str] = STAGES) -> None:
    """Do what is missing of a config's shop, some stages, in its run folder.

    Raises:
        DataError: an unusable config, or a folder of that name that was told something else.
    """
    path = folder_of_config(name)
    if not path.exists():
        staged(path, load_settings(name), stages, progress)
        return
    try:
        staged(path, read_settings(name), stages, progress)
    except DataError as error:
        raise DataError(
            f"--config {name}: its shop lies in {path}, which was made otherwise ({error}); judge there with --run {path}"
        ) from error
