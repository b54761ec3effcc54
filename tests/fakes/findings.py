"""Findings kept in memory, and an audit log that tells what a test wrote into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from provisioner.ports import Act, Target
    from tenancy.rules.drift import Drift, Place


@dataclass
class FakeFindings:
    """``ports.Findings``: at most one open per subject."""

    told: list[Drift] = field(default_factory=list)
    open: dict[str, Drift] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)

    def noticed(self, place: Place, drift: Drift) -> None:
        if drift.subject not in self.open:
            self.told.append(drift)
        self.open[drift.subject] = drift

    def restored(self, place: Place, subject: str) -> None:
        if self.open.pop(subject, None):
            self.closed.append(subject)


@dataclass
class FakeAuditLog:
    """``ports.AuditLog`` over a list, oldest first."""

    acts: list[tuple[Target, Act]] = field(default_factory=list)

    def last_write(self, target: Target, *, since: datetime, but: str) -> Act | None:
        fitting = [a for t, a in self.acts if t == target and a.user != but and a.at >= since]
        return fitting[-1] if fitting else None
