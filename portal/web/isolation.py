"""The last isolation report of a cluster as its page shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from portal.web.presenters import Badge
from portal.web.words import Tone
from tenancy.enums import ClaimResult
from tenancy.queries import reports

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenancy.models import IsolationReport, VirtualCluster

RESULTS: Final = {
    ClaimResult.PASSED: Badge("passed", Tone.GOOD),
    ClaimResult.FAILED: Badge("failed", Tone.BAD),
    ClaimResult.NOT_RUN: Badge("could not run", Tone.BAD),
}


@dataclass(frozen=True)
class ShownClaim:
    """One claim."""

    title: str
    control: str
    source: str
    evidence: str
    badge: Badge


@dataclass(frozen=True)
class Isolation:
    """The verdict, and whether a new report is being made."""

    badge: Badge
    uid: UUID | None = None
    finished: datetime | None = None
    expires: datetime | None = None
    claims: tuple[ShownClaim, ...] = ()
    pending: bool = False

    @property
    def bad(self) -> tuple[ShownClaim, ...]:
        """What did not pass."""
        return tuple(c for c in self.claims if c.badge.tone is not Tone.GOOD)


def of(cluster: VirtualCluster) -> Isolation:
    """As last reported."""
    last, pending = reports.latest(cluster), reports.pending(cluster) is not None
    if last is None:
        return Isolation(Badge("No report yet", Tone.IDLE), pending=pending)
    return Isolation(
        _badge(last), last.uid, last.finished_at, last.expires_at, tuple(_claims(last)), pending=pending
    )


def _badge(row: IsolationReport) -> Badge:
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return Badge("Expired", Tone.WARN)
    return Badge("Holds", Tone.GOOD) if row.verdict else Badge("Does not hold", Tone.BAD)


def _claims(row: IsolationReport) -> list[ShownClaim]:
    found = json.loads(row.statement)["claims"]
    return [
        ShownClaim(c["title"], c["control"], c["source"], c["evidence"], RESULTS[ClaimResult(c["result"])])
        for c in found
    ]
