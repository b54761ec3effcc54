"""What happened, for those who listen: which audit rows are events, who may read them, and their form on the wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tenancy.event_enums import EventType
from tenancy.rules import chain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_DEVICES: Final = ("accelerator", "amount", "days")
_REQUEST: Final = (*_DEVICES, "state")
_GRANT: Final = (*_DEVICES, "pool")
OF_ACTION: Final[Mapping[str, tuple[EventType, tuple[str, ...]]]] = {
    "tenant.create": (EventType.TENANT_CREATED, ("uid",)),
    "tenant.update": (EventType.TENANT_UPDATED, ("changes",)),
    "tenant.delete": (EventType.TENANT_DELETED, ("uid",)),
    "member.put": (EventType.MEMBER_CHANGED, ("role", "before")),
    "member.remove": (EventType.MEMBER_REMOVED, ("role",)),
    "token.create": (EventType.TOKEN_CREATED, ("uid", "owner", "name", "read_only", "expires")),
    "token.revoke": (EventType.TOKEN_REVOKED, ("uid", "owner", "name")),
    "kubeconfig.collect": (EventType.KUBECONFIG_ISSUED, ("uid", "role", "expires")),
    "cluster.create": (EventType.CLUSTER_CREATED, ("uid", "generation")),
    "cluster.update": (EventType.CLUSTER_UPDATED, ("uid", "generation")),
    "cluster.pause": (EventType.CLUSTER_PAUSED, ("uid", "generation", "accelerators")),
    "cluster.resume": (EventType.CLUSTER_RESUMED, ("uid", "generation")),
    "cluster.quarantine": (EventType.CLUSTER_QUARANTINED, ("uid", "reason")),
    "cluster.quarantine.lift": (EventType.CLUSTER_QUARANTINE_LIFTED, ("uid",)),
    "cluster.gone": (EventType.CLUSTER_DELETED, ("uid",)),
    "request.submit": (EventType.REQUEST_SUBMITTED, _REQUEST),
    "request.amend": (EventType.REQUEST_CHANGED, _REQUEST),
    "request.endorse": (EventType.REQUEST_CHANGED, _REQUEST),
    "request.counter": (EventType.REQUEST_CHANGED, _REQUEST),
    "request.concur": (EventType.REQUEST_CHANGED, _REQUEST),
    "request.approve": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.auto-approve": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.accept": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.decline": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.deny": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.withdraw": (EventType.REQUEST_DECIDED, _REQUEST),
    "request.lapse": (EventType.REQUEST_DECIDED, _REQUEST),
    "grant.activate": (EventType.GRANT_BEGUN, _GRANT),
    "grant.end": (EventType.GRANT_ENDED, (*_GRANT, "cause")),
    "grant.close": (EventType.GRANT_CLOSED, _GRANT),
    "finding.noticed": (EventType.FINDING_OPENED, ("subject", "kind")),
    "finding.restored": (EventType.FINDING_CLOSED, ("subject",)),
    "report.failed": (EventType.REPORT_FAILED, ("report", "claims")),
    "webhook.disable": (EventType.WEBHOOK_DISABLED, ("uid", "reason")),
}
"""The audit rows that are events, and which of their facts go with them: what is not named here stays inside."""

FOR_OWNERS: Final = frozenset({EventType.TOKEN_CREATED, EventType.TOKEN_REVOKED, EventType.KUBECONFIG_ISSUED})
"""Read by those who may read the audit log: who holds which credential is not for every member."""

_ID: Final = re.compile(r"evt(?:-(?P<tenant>[a-z0-9][a-z0-9-]*))?-(?P<sequence>[0-9]{1,18})")


@dataclass(frozen=True)
class Happening:
    """Something that happened in a transaction that is still open, so it has no number yet."""

    type: EventType
    tenant: str
    """Empty for what concerns the platform."""
    data: Mapping[str, Any] = field(default_factory=dict)


def of_audit(row: chain.Event) -> Happening | None:
    """The event that an audit row is; ``None`` for most."""
    found = OF_ACTION.get(row.action)
    if found is None:
        return None
    kind, facts = found
    told = {camel(name): row.facts[name] for name in facts if row.facts.get(name) is not None}
    return Happening(kind, row.tenant, {"object": reference(row.target), "actor": row.actor, **told})


def reference(target: str) -> dict[str, str]:
    """``cluster/team/first`` → its kind and name."""
    kind, _, rest = target.partition("/")
    return {"kind": kind, "name": rest.rpartition("/")[2]}


def identity(tenant: str, sequence: int) -> str:
    """The event's id: unique on the platform, and it says where to go on in the tenant's stream."""
    return "-".join(["evt", *([tenant] if tenant else []), str(sequence)])


def sequence_of(identifier: str, tenant: str) -> int | None:
    """Where in this tenant's stream an id is; ``None`` for anything but an id of this tenant."""
    found = _ID.fullmatch(identifier)
    if found is None or (found["tenant"] or "") != tenant:
        return None
    return int(found["sequence"])


def payload(identifier: str, kind: str, at: datetime, tenant: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it is sent, by stream and by webhook alike."""
    return {
        "id": identifier,
        "type": kind,
        "timestamp": chain.stamp(at),
        "tenant": tenant or None,
        "data": data,
    }


def text(body: Mapping[str, Any]) -> str:
    """One line of JSON: what is signed is what is sent."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def camel(name: str) -> str:
    """``read_only`` → ``readOnly``, as all keys of the API are."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
