"""A season's policy beyond the season: taken up from a checkpoint, kept as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from copybandit.agents.policy_files import load_policy, read_manifest, save_policy
from copybandit.agents.policy_kinds import AROUND
from copybandit.agents.stateful import Lasting, Stateful
from copybandit.sim.types import DataError


@dataclass(frozen=True, kw_only=True)
class CarriedPolicy:
    """Where a policy comes from and where it goes.

    Attributes:
        start: checkpoint to go on from; None begins anew.
        save: folder to keep it in afterwards; None keeps nothing.
        now: time that the checkpoint is stamped with.
    """

    start: Path | None = None
    save: Path | None = None
    now: datetime

    def name(self, given: str | None) -> str | None:
        """Name of the policy: the checkpoint's where there is one.

        Raises:
            DataError: the checkpoint is another policy's than the one that was given, or of what is put around one.
        """
        if self.start is None:
            return given
        found = read_manifest(self.start).policy
        if found in AROUND:
            raise DataError(
                f"simulate: policy must be one that settings can name, got {found} of {self.start}; save the policy "
                "inside, and let bandit.half_life_days, window_days, false_alarm and guardrails surround it"
            )
        if given not in (None, found):
            raise DataError(
                f"simulate: policy must be {found}, that of {self.start}, got {given}; drop --policy"
            )
        return found

    @property
    def mark(self) -> str:
        """What tells a season that goes on from a checkpoint from one that begins anew."""
        return f"-from-{read_manifest(self.start).sha256[:8]}" if self.start else ""

    def take_up(self, fresh: Lasting) -> Lasting:
        """The policy of the checkpoint, or the fresh one."""
        return load_policy(self.start) if self.start else fresh

    def keep(self, policy: Stateful, rows: int) -> None:
        """Saves the policy after so many more rows, with its lineage."""
        if self.save is None:
            return
        before = read_manifest(self.start) if self.start else None
        save_policy(
            policy,
            self.save,
            rows=rows + (before.lineage.rows if before else 0),
            created=self.now,
            parent=before.sha256 if before else None,
        )
