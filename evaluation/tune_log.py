"""Where tuning is told to while it runs: TensorBoard, Weights & Biases, or nobody; the same names whatever the algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from copybandit.sim.types import DataError

ReportTo = Literal["tensorboard", "wandb", "none"]
REPORTERS: tuple[ReportTo, ...] = get_args(ReportTo)
PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}
EXTRAS = {"tensorboard": "train", "wandb": "wandb"}
PROJECT = "copybandit"
IDENTITY = ("seed", "restart", "update")
"""Parts of a row that say which update it is."""


class Reporter(Protocol):
    """Takes numbers of runs as they come."""

    def record(self, run: str, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one run after an update."""

    def close(self) -> None:
        """Write what is still held back."""


class Nobody:
    """Tells nobody.

    >>> Nobody().record("ppo-0-0", 1, {"kl": 0.0})
    """

    def record(self, run: str, step: int, values: Mapping[str, float]) -> None:
        """Tell nobody."""

    def close(self) -> None:
        """Nothing is held back."""


class TensorBoard:
    """Event files, one folder a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def record(self, run: str, step: int, values: Mapping[str, float]) -> None:
        """Write one event a number."""
        from torch.utils.tensorboard import SummaryWriter

        if run not in self._writers:
            self._writers[run] = SummaryWriter(str(self._folder / run))
        for name, value in values.items():
            self._writers[run].add_scalar(name, value, step)

    def close(self) -> None:
        """Flush the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


class WandB:
    """One run of Weights & Biases per run of the tuner; with WANDB_MODE=offline it stays on this machine."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._folder, self._config = folder, dict(config)
        self._name, self._run = "", None

    def record(self, run: str, step: int, values: Mapping[str, float]) -> None:
        """Log them; the first numbers of a run begin it and end the one before."""
        import wandb

        if run != self._name:
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True)
            self._name = run
            self._run = wandb.init(
                project=PROJECT,
                name=f"{self._folder.parent.name}/{run}",
                group=self._folder.parent.name,
                dir=str(self._folder),
                config=self._config,
                settings=wandb.Settings(silent=True),
            )
        assert self._run is not None
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Finish the run that is open."""
        if self._run is not None:
            self._run.finish()
        self._name, self._run = "", None


def check_reporter(name: str) -> ReportTo:
    """The reporter of that name.

    Raises:
        DataError: there is none, or its package is not installed.
    """
    for known in REPORTERS:
        if known == name:
            package = PACKAGES.get(name)
            if package and find_spec(package) is None:
                extra = f'pip install "copybandit[{EXTRAS[name]}]"'
                raise DataError(
                    f"--report-to {name}: {package} is not installed; run: {extra}, or pass --report-to none"
                )
            return known
    raise DataError(f"--report-to must be one of {', '.join(REPORTERS)}, got {name!r}; give one of them")


def reporter(name: ReportTo, folder: Path, config: Mapping[str, Any]) -> Reporter:
    """Make the reporter, which writes under `folder`."""
    if name == "tensorboard":
        return TensorBoard(folder / "tensorboard")
    return WandB(folder / "wandb", config) if name == "wandb" else Nobody()


def scalars(row: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a row of an update by the names they are shown under, parts as ``component/match``.

    >>> scalars({"update": 1, "seed": 0, "kl": 0.5, "components": {"match": 0.1}})
    {'kl': 0.5, 'component/match': 0.1}
    """
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name.removesuffix('s')}/{part}": float(number) for part, number in value.items()}
        elif isinstance(value, int | float) and name not in IDENTITY:
            found[name] = float(value)
    return found
