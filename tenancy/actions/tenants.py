"""What admins do to tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from tenancy import policy
from tenancy.actions import audit, service_accounts, work
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, Trust, WorkKind
from tenancy.errors import AlreadyExists, InUse, Invalid
from tenancy.models import Tenant
from tenancy.queries import tenants
from tenancy.rules.names import TENANT_MAX, name_errors

if TYPE_CHECKING:
    from tenancy.policy import Actor


@atomic
def create(
    *,
    by: Actor,
    name: str,
    display_name: str = "",
    trust: Trust = Trust.UNTRUSTED,
    suspended: bool = False,
) -> Tenant:
    """A new tenant without members; its name is for ever."""
    policy.check(by, Permission.TENANT_MANAGE)
    faults = name_errors("metadata.name", name, longest=TENANT_MAX)
    if faults:
        raise Invalid(faults[0].detail, errors=faults)
    if Tenant.objects.filter(name=name).exists():
        msg = f"tenant {name!r} exists already: choose another name"
        raise AlreadyExists(msg)
    values = {"display_name": display_name, "trust": trust.value, "suspended": suspended}
    tenant = Tenant.objects.create(name=name, created_by=by.name, **values)
    _note(by, "tenant.create", tenant, uid=str(tenant.uid), **values)
    return tenant


@atomic
def update(
    *,
    by: Actor,
    name: str,
    display_name: str | None = None,
    trust: Trust | None = None,
    suspended: bool | None = None,
) -> Tenant:
    """Changes what is given and leaves the rest."""
    tenant = tenants.get(by, name)
    policy.check(by, Permission.TENANT_MANAGE)
    given = {"display_name": display_name, "trust": trust, "suspended": suspended}
    changes = {
        key: value for key, value in given.items() if value is not None and value != getattr(tenant, key)
    }
    if changes:
        told = audit.changes({key: getattr(tenant, key) for key in changes}, changes)
        Tenant.objects.filter(pk=tenant.pk).update(**changes, generation=F("generation") + 1)
        tenant.refresh_from_db()
        if "trust" in changes:  # the host's policies go by it
            work.request_all(WorkKind.CLUSTER, tenant.clusters.values_list("uid", flat=True))
        _note(by, "tenant.update", tenant, changes=told)
    return tenant


@atomic
def delete(*, by: Actor, name: str) -> None:
    """Removes a tenant that has no cluster left."""
    tenant = tenants.get(by, name)
    policy.check(by, Permission.TENANT_MANAGE)
    count = tenant.clusters.count()
    if count:
        msg = f"tenant {name!r} still has {count} cluster(s): delete them and wait until they are gone"
        raise InUse(msg, [f"cluster {name}/{one.name}" for one in tenant.clusters.all()[:5]])
    held = [f"{pool.host.name}/{pool.name}" for pool in tenant.pools.select_related("host")]
    if held:
        msg = f"tenant {name!r} still has node pools ({', '.join(held)}): take them from it first, so that they are wiped"
        raise InUse(msg, [f"pool {one}" for one in held])
    granted = [f"gpu-grant {one.uid}" for one in tenant.grants.filter(closed_at=None)[:5]]
    if granted:
        msg = (
            f"tenant {name!r} still has devices: return its grants early, and wait until each has its receipt"
        )
        raise InUse(msg, granted)
    kept = [f"gpu-request {one.uid}" for one in tenant.grant_requests.all()[:5]]
    kept = kept or [f"gpu-grant {one.uid}" for one in tenant.grants.all()[:5]]
    if kept:
        msg = f"tenant {name!r} is named by grants or requests, which are kept: suspend it instead"
        raise InUse(msg, kept)
    _note(by, "tenant.delete", tenant, uid=str(tenant.uid))
    service_accounts.remove_all(tenant)
    tenant.delete()


def _note(by: Actor, action: str, tenant: Tenant, **facts: object) -> None:
    audit.note(actor=by.name, action=action, tenant=tenant.name, target=f"tenant/{tenant.name}", **facts)
