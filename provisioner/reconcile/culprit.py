"""Who changed an object on a host: the audit log's word where it can be had, else a hint, else nobody's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from provisioner.ports import Target
from tenancy.enums import ActorSource
from tenancy.rules.drift import Culprit

if TYPE_CHECKING:
    from provisioner.ports import AuditLog, Kind, Object

SKEW: Final = timedelta(seconds=5)
"""By how much the host's clock may be behind ours."""
_OURS: Final = frozenset({"atoll-provisioner", "helm"})
_LONGEST: Final = 128


def find(audit: AuditLog, target: Target, since: datetime, us: str, seen: Object | None) -> Culprit:
    """Of the last write that was not ours; ``seen`` is the object as it is now, if it is there."""
    act = audit.last_write(target, since=since - SKEW, but=us)
    if act is not None:
        return Culprit(act.user, ActorSource.AUDIT_LOG, act.verb, act.at, act.addresses)
    hint = manager(seen) if seen else ""
    return Culprit(hint, ActorSource.FIELD_MANAGER) if hint else Culprit()


def target(kind: Kind, name: str, namespace: str) -> Target:
    """An object of this kind as the audit log names it."""
    group = kind.api.rpartition("/")[0]
    return Target(group, kind.plural, name, namespace)


def manager(seen: Object) -> str:
    """The tool that wrote last by what the object says of itself; anybody may claim any name."""
    entries = seen["metadata"].get("managedFields") or []
    foreign = [e for e in entries if e.get("manager") not in _OURS and not e.get("subresource")]
    last: Any = max(foreign, key=lambda e: str(e.get("time", "")), default={})
    return "".join(c for c in str(last.get("manager", "")) if c.isprintable())[:_LONGEST]


def made_at(seen: Object) -> datetime:
    """When the object was created; a day ago when it does not tell."""
    try:
        return datetime.fromisoformat(seen["metadata"]["creationTimestamp"])
    except (KeyError, ValueError, TypeError):
        return datetime.now(UTC) - timedelta(days=1)
