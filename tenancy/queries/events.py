"""Reads of what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Min, Q

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import FieldError, Invalid, Lapsed
from tenancy.event_enums import EventType
from tenancy.models import ApiToken, Event, EventHead, Membership, Tenant
from tenancy.queries import tenants, tokens
from tenancy.rules import events as rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import QuerySet

    from tenancy.policy import Actor


@dataclass(frozen=True)
class Stream:
    """What one who listens may hear."""

    tenant: str
    types: frozenset[EventType]


def stream(actor: Actor, tenant_name: str, only: str | None = None) -> Stream:
    """All types, or one; raises ``NotFound`` where the actor may not see the tenant (any more)."""
    tenant = tenants.get(actor, tenant_name)
    policy.check(actor, Permission.CLUSTER_VIEW, tenant)
    all_of_it = policy.allows(actor, Permission.AUDIT_VIEW, tenant)
    types = frozenset(EventType) - (frozenset() if all_of_it else rules.FOR_OWNERS)
    return Stream(tenant.name, types & {EventType(only)} if only else types)


def grounds(listeners: Collection[tuple[str, str]]) -> dict[tuple[str, str], object]:
    """On what it rests that each of these, a token's digest and a tenant, may hear what they hear.

    Three reads for however many: as long as the rows of token, user, account, membership and tenant are
    as they were, so is what ``stream`` says. That a token expires is no change of a row, and seen here.
    """
    digests, names = {digest for digest, _ in listeners}, {name for _, name in listeners}
    rows = ApiToken.objects.filter(digest__in=digests).filter(tokens.valid()).values_list(*_GROUNDS)
    found = {row[0]: row[1:] for row in rows}
    of_tenants = Tenant.objects.filter(name__in=names).values_list("name", "uid", "suspended")
    there = {name: rest for name, *rest in of_tenants}
    users = {row[0] for row in found.values()}
    roles = Membership.objects.filter(tenant__name__in=names, user__in=users)
    members = {(user, name): role for user, name, role in roles.values_list("user", "tenant__name", "role")}
    return {
        (digest, name): (row, there.get(name), members.get((row[0], name))) if row else None
        for digest, name in listeners
        for row in [found.get(digest)]
    }


_GROUNDS: Final = (
    "digest",
    "user",
    "tenant",
    "scopes",
    "read_only",
    "user__platform_role",
    "user__service_account__role",
    "user__service_account__tenant",
)


def visible_to(actor: Actor, tenant: Tenant) -> QuerySet[Event]:
    """A tenant's events as far as they are kept, oldest first; none of an older tenant of this name."""
    heard = stream(actor, tenant.name)
    rows = Event.objects.filter(tenant=tenant.name, at__gte=tenant.created_at, type__in=heard.types)
    return rows.order_by("sequence")


def position(tenant: Tenant, after: str) -> int:
    """The number of an id; raises ``Lapsed`` where what came next is not kept any more."""
    sequence = rules.sequence_of(after, tenant.name)
    if sequence is None:
        detail = "not the id of an event of this tenant: give one as it was sent, such as evt-team-42"
        raise Invalid(f"after: {detail}", errors=(FieldError("query.after", "unknown-event", detail),))
    last = end(tenant.name)
    rows = Event.objects.filter(tenant=tenant.name, at__gte=tenant.created_at)
    first = rows.aggregate(first=Min("sequence"))["first"] or last + 1
    if not first - 1 <= sequence <= last:
        raise Lapsed(
            f"what came after {after} is not kept (events are, for a week): read the objects anew,"
            " then go on without 'after'"
        )
    return sequence


def end(tenant_name: str) -> int:
    """The number of the tenant's last event; 0 before the first."""
    return EventHead.objects.filter(pk=tenant_name).values_list("sequence", flat=True).first() or 0


def ends(tenant_names: Iterable[str]) -> dict[str, int]:
    """The same for many tenants at once."""
    rows = EventHead.objects.filter(pk__in=list(tenant_names))
    return dict(rows.values_list("tenant", "sequence"))


def following(positions: Mapping[str, int], most: int) -> list[Event]:
    """What came after these numbers, in order: up to ``most`` events in all."""
    behind = Q(pk__in=())
    for tenant, sequence in positions.items():
        behind |= Q(tenant=tenant, sequence__gt=sequence)
    return list(Event.objects.filter(behind).order_by("tenant", "sequence")[:most])


def payload(event: Event) -> dict[str, Any]:
    """As it is sent, by list, stream and webhook alike."""
    identity = rules.identity(event.tenant, event.sequence)
    return rules.payload(identity, event.type, event.at, event.tenant, event.data)
