"""Reads of service accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.models import ApiToken, ServiceAccount
from tenancy.queries import tenants, tokens

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.models import Tenant
    from tenancy.policy import Actor


def visible_to(actor: Actor, tenant: Tenant) -> QuerySet[ServiceAccount]:
    """A tenant's, by name, with how many tokens each has and when one was last used; for all its members."""
    policy.check(actor, Permission.TENANT_VIEW, tenant)
    kept = ApiToken.objects.filter(user=OuterRef("user"), revoked_at=None).order_by()
    used = kept.exclude(last_used_at=None).order_by("-last_used_at").values("last_used_at")[:1]
    count = kept.values("user").annotate(number=Count("pk")).values("number")
    # Subqueries: a grouped row cannot be locked.
    return (
        ServiceAccount.objects.filter(tenant=tenant)
        .select_related("tenant", "user")
        .annotate(tokens=Coalesce(Subquery(count), 0), last_used_at=Subquery(used))
    )


def get(actor: Actor, tenant: str, name: str) -> ServiceAccount:
    """One of a tenant's."""
    found = visible_to(actor, tenants.get(actor, tenant)).filter(name=name).first()
    if found is None:
        raise NotFound(missing(tenant, name))
    return found


def missing(tenant: str, name: str) -> str:
    """What a 404 says."""
    return f"tenant {tenant!r} has no service account {name!r}"


def credentials_of(actor: Actor, tenant: str, name: str) -> QuerySet[ApiToken]:
    """The tokens of one, newest first; for those who may know of a tenant's credentials."""
    policy.check(actor, Permission.CREDENTIAL_VIEW, tenants.get(actor, tenant))
    return tokens.of_account(get(actor, tenant, name))


def managed(actor: Actor, tenant: str, name: str) -> ServiceAccount:
    """One of a tenant's, for those who decide about it and its tokens."""
    policy.check(actor, Permission.SERVICE_ACCOUNT_MANAGE, tenants.get(actor, tenant))
    return get(actor, tenant, name)
