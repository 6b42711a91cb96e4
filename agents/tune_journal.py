"""The records of a run, its saved writers, and the loop that every tuner but those of TRL goes through.

while texts are left and nobody says stop:   write, score, learn  ->  record, save, ask
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from copybandit.agents.tune import STOPPED, Tuned, TuneUpdate
from copybandit.agents.tune_rollout import Scored
from copybandit.agents.tune_settings import TunerSettings
from copybandit.generators.lm import CausalLM
from copybandit.sim.types import DataError, Floats


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an update is recorded from.

    Attributes:
        scored: its texts.
        own, untuned: shape (b,), their log probability under the writer that wrote them and under the untuned one.
        more: what only this algorithm has, by name.
    """

    scored: Scored
    own: Floats
    untuned: Floats
    more: tuple[tuple[str, float], ...] = ()


class Journal:
    """Keeps the records of a run, saves its writers, and asks whether to go on.

    Attributes:
        updates: so far.
        stopped: why the run ends early; empty while it does not.
    """

    def __init__(
        self,
        settings: TunerSettings,
        out_dir: Path,
        on_update: Callable[[TuneUpdate], bool],
        clock: Callable[[], float],
    ) -> None:
        """Begin with the first update."""
        self.updates: list[TuneUpdate] = []
        self.stopped = ""
        self._checkpoints: list[tuple[int, Path]] = []
        self._settings, self._out_dir, self._on_update, self._clock = settings, out_dir, on_update, clock
        self._since = clock()

    @property
    def over(self) -> bool:
        """Whether all texts are written or somebody said stop."""
        return bool(self.stopped) or len(self.updates) >= self._settings.updates

    def tell(self, told: Told, snapshot: Callable[[], CausalLM]) -> None:
        """Record an update whose steps are done, save the writer where that is due, and ask whether to go on.

        Raises:
            DataError: the policy diverged.
        """
        update = self._record(told)
        self.updates.append(update)
        every = self._settings.checkpoint_every
        if every and update.update % every == 0:
            folder = self._out_dir / f"update-{update.update:04d}"
            shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
            self._checkpoints.append((update.update, snapshot().save(folder)))
        go_on = self._on_update(update)
        if not (go_on or self.over):
            self.stopped = STOPPED
        self._since = self._clock()

    def _record(self, told: Told) -> TuneUpdate:
        scored, number = told.scored, len(self.updates) + 1
        kl = float((told.own - told.untuned).mean())
        if not math.isfinite(kl):
            raise DataError(
                f"{self._settings.algorithm}: policy diverged at update {number} (KL {kl}); lower learning_rate"
            )
        limits = tuple((f"multipliers/{name}", value) for name, value in scored.multipliers)
        return TuneUpdate(
            update=number,
            episodes=number * self._settings.batch_size,
            reward=scored.reward,
            components=scored.components,
            costs=scored.costs,
            kl=kl,
            entropy=float(-told.own.mean()),
            length=scored.length,
            ended=scored.ended,
            seconds=self._clock() - self._since,
            more=(*told.more, *limits),
        )

    def found(self, writer: CausalLM) -> Tuned:
        """What the run came to.

        Raises:
            DataError: it ended before its first update.
        """
        if not self.updates:
            raise DataError(
                f"{self._settings.algorithm}: no update was finished, got {self.stopped}; lower learning_rate"
            )
        return Tuned(
            writer=writer,
            updates=tuple(self.updates),
            checkpoints=tuple(self._checkpoints),
            calls=self._settings.reference_samples + self.updates[-1].episodes,
            stopped=self.stopped,
        )


def run_updates(journal: Journal, update: Callable[[], Told], snapshot: Callable[[], CausalLM]) -> Tuned:
    """Make updates until the journal is over; `snapshot` is the writer as it is now."""
    while not journal.over:
        journal.tell(update(), snapshot)
    return journal.found(snapshot())
