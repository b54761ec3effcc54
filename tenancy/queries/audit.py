"""Reads of the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from tenancy import policy
from tenancy.enums import Permission
from tenancy.models import AuditEvent, AuditHead
from tenancy.rules import chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from tenancy.models import Tenant, VirtualCluster
    from tenancy.policy import Actor
    from tenancy.rules.chain import Fault, Head, Row

BATCH = 1000


def visible_to(actor: Actor, tenant: Tenant | None = None) -> QuerySet[AuditEvent]:
    """Rows of a tenant, or of the whole platform when none is named; newest first."""
    policy.check(actor, Permission.AUDIT_VIEW, tenant)
    rows = AuditEvent.objects.all()
    return rows.filter(tenant=tenant.name) if tenant is not None else rows


def of_cluster(actor: Actor, cluster: VirtualCluster) -> QuerySet[AuditEvent]:
    """What people did to this cluster; for everyone who may see it."""
    policy.check(actor, Permission.CLUSTER_VIEW, cluster.tenant)
    target = f"cluster/{cluster.tenant.name}/{cluster.name}"
    return AuditEvent.objects.filter(tenant=cluster.tenant.name, target=target, at__gte=cluster.created_at)


def head() -> AuditHead:
    """The end of the chain as it is now; the state before the first row where there is none."""
    start = AuditHead(sequence=chain.START.sequence, digest=chain.START.digest)
    return AuditHead.objects.first() or start


def rows(after: int | None, most: int = BATCH, *, last: int | None = None) -> list[Row]:
    """The next rows behind a number, or from the very beginning; up to ``last``."""
    found = AuditEvent.objects.order_by("sequence")
    if after is not None:
        found = found.filter(sequence__gt=after)
    if last is not None:
        found = found.filter(sequence__lte=last)
    return [to_row(event) for event in found[:most]]


def digest_at(sequence: int) -> str:
    """The fingerprint that a row has now; empty where there is none of this number."""
    return AuditEvent.objects.filter(sequence=sequence).values_list("digest", flat=True).first() or ""


def read_head(envelope: str) -> Head | None:
    """A head that we signed; None for anything else."""
    return chain.read_head(settings.SIGNING_KEYS, envelope)


def faults() -> list[Fault]:
    """What is wrong with all of the stored chain, its own head included."""
    end, at, found = head(), chain.START, []
    known = {end.sequence: end.digest} if end.sequence else {}
    for batch in _batches():
        at, wrong = chain.walk(at, batch, known)
        found += wrong
    return [*found, *chain.ending(at, known)]


def to_row(event: AuditEvent) -> Row:
    """As the rules see it."""
    content = chain.Event(event.at, event.actor, event.action, event.tenant, event.target, event.facts)
    return chain.Row(event.sequence, content, event.previous, event.digest)


def _batches() -> Iterator[list[Row]]:
    after = None
    while batch := rows(after):
        yield batch
        after = batch[-1].sequence
