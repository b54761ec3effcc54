"""Service accounts of a tenant: made, changed, removed, by those who manage its members."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import F

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, Role
from tenancy.errors import refuse
from tenancy.models import ServiceAccount, User
from tenancy.queries import service_accounts, tenants
from tenancy.rules.names import ACCOUNT_MAX, ACCOUNT_PREFIX, name_errors
from tenancy.rules.trust import faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenancy.models import Tenant
    from tenancy.policy import Actor
    from tenancy.rules.trust import TrustPolicy


@atomic
def put(
    *,
    by: Actor,
    tenant: str,
    name: str,
    role: Role,
    description: str = "",
    trust: Sequence[TrustPolicy] | None = None,
) -> tuple[ServiceAccount, bool]:
    """Makes a service account or changes it; True when there was none of this name.

    Without ``trust`` whom it trusts stays as it is.
    """
    owner = tenants.get(by, tenant)
    policy.check(by, Permission.SERVICE_ACCOUNT_MANAGE, owner)
    refuse(name_errors("metadata.name", name, longest=ACCOUNT_MAX))
    wish: dict[str, Any] = {"role": role.value, "description": description}
    if trust is not None:
        refuse(faults(trust, settings.ATOLL_CI_ISSUERS, "spec.trust"))
        wish["trust"] = [asdict(one) for one in trust]
    old = ServiceAccount.objects.select_for_update().filter(tenant=owner, name=name).first()
    if old is None:
        user = User.objects.create(username=f"{ACCOUNT_PREFIX}{tenant}/{name}", is_active=False)
        user.set_unusable_password()
        user.save(update_fields=["password"])
        made = ServiceAccount.objects.create(tenant=owner, name=name, user=user, created_by=by.name, **wish)
        _note(by, "service-account.create", owner, name, uid=made.uid, **wish)
        return service_accounts.get(by, tenant, name), True
    changes = audit.changes({key: getattr(old, key) for key in wish}, wish)
    if changes:
        ServiceAccount.objects.filter(pk=old.pk).update(**wish, generation=F("generation") + 1)
        _note(by, "service-account.update", owner, name, uid=old.uid, changes=changes)
    return service_accounts.get(by, tenant, name), False


@atomic
def delete(*, by: Actor, tenant: str, name: str) -> None:
    """Removes a service account with its tokens: the next request with one of them is refused."""
    found = service_accounts.managed(by, tenant, name)
    _note(by, "service-account.delete", found.tenant, name, uid=found.uid, role=found.role)
    found.user.delete()


def remove_all(tenant: Tenant) -> None:
    """With the tenant itself, in its transaction."""
    User.objects.filter(service_account__tenant=tenant).delete()


def _note(by: Actor, action: str, tenant: Tenant, name: str, **facts: object) -> None:
    target = f"service-account/{tenant.name}/{name}"
    audit.note(actor=by.name, action=action, tenant=tenant.name, target=target, **facts)
