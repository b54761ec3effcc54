"""Reads of tenants and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.models import Membership, Tenant

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[Tenant]:
    """The tenants an actor may see, by name."""
    if not actor.alive:
        return Tenant.objects.none()
    if policy.allows(actor, Permission.TENANT_VIEW):
        return Tenant.objects.all()
    if actor.account is not None:
        return Tenant.objects.filter(uid=actor.account.tenant_id)
    mine = Tenant.objects.filter(memberships__user=actor.user)
    return mine.filter(uid=actor.bound_to) if actor.bound_to else mine


def get(actor: Actor, name: str) -> Tenant:
    """One tenant; ``NotFound`` for unknown and foreign ones alike."""
    found = visible_to(actor).filter(name=name).first()
    if found is None:
        raise NotFound(missing(name))
    return found


def missing(name: str) -> str:
    """What is said of unknown and foreign ones alike."""
    return f"there is no tenant {name!r}, or none that you may see"


def members(actor: Actor, tenant: Tenant) -> QuerySet[Membership]:
    """Who belongs to a tenant, by user name."""
    policy.check(actor, Permission.TENANT_VIEW, tenant)
    return tenant.memberships.select_related("user", "tenant").order_by("user__username")


def memberships(actor: Actor) -> list[Membership]:
    """The actor's own roles, as far as the token reaches, by tenant; a service account's is like one."""
    if actor.account is not None:
        return [Membership(tenant=actor.account.tenant, user=actor.user, role=actor.account.role)]
    rows = Membership.objects.filter(user=actor.user, tenant__in=visible_to(actor))
    return list(rows.select_related("tenant").order_by("tenant__name"))
