"""Guard rails on a host that somebody else changed: what was seen, and who it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tenancy.enums import ActorSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from tenancy.enums import FindingKind


@dataclass(frozen=True)
class Difference:
    """One field that is not as wanted; both sides are short texts, empty for absent."""

    path: str
    wanted: str
    seen: str


@dataclass(frozen=True)
class Culprit:
    """Who changed it, and how that is known."""

    name: str = ""
    """Empty when nobody can tell."""
    source: ActorSource = ActorSource.UNKNOWN
    verb: str = ""
    """As the host's audit log has it: ``delete``, ``patch``."""
    at: datetime | None = None
    addresses: tuple[str, ...] = ()
    """Where the request came from."""


@dataclass(frozen=True)
class Drift:
    """One guard rail that is not as Atoll left it."""

    kind: FindingKind
    subject: str
    """Kind and name on the host: ``ResourceQuota atoll-quota``."""
    details: tuple[Difference, ...]
    culprit: Culprit
    next_step: str
    """What happens now, or what an admin has to do."""


@dataclass(frozen=True)
class Place:
    """Where guard rails are: a cluster's namespace, or the host itself."""

    host: str
    namespace: str = ""
    """Empty for the host itself."""
    tenant: str = ""
    cluster: str = ""
    cluster_uid: UUID | None = None

    def __str__(self) -> str:
        return f"cluster {self.tenant}/{self.cluster}" if self.cluster else f"host {self.host}"


@dataclass(frozen=True)
class Established:
    """A guard rail that was seen in place, as Atoll wants it."""

    wanted: str
    """Digest of what Atoll asked for: another one now is Atoll's own change."""
    seen: str
    """Digest of what the host made of it."""
    since: str
    """ISO time at which it was first seen so."""


def to_json(rails: Mapping[str, Established]) -> dict[str, Any]:
    """For the database column."""
    return {subject: asdict(rail) for subject, rail in rails.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, Established]:
    """Of the database column."""
    return {subject: Established(**rail) for subject, rail in data.items()}
