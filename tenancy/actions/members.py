"""Who belongs to a tenant, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, PlatformRole, Role
from tenancy.errors import Conflict, FieldError, Invalid, NotFound
from tenancy.models import Membership, Tenant, User
from tenancy.queries import tenants

if TYPE_CHECKING:
    from tenancy.policy import Actor


@atomic
def put(*, by: Actor, tenant: str, username: str, role: Role) -> tuple[Membership, bool]:
    """Makes a user a member with this role; True when they were not one before."""
    found = tenants.get(by, tenant)
    policy.check(by, Permission.MEMBER_MANAGE, found)
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        fault = FieldError(
            "username", "unknown-user", f"there is no user {username!r}: ask an admin to make one"
        )
        raise Invalid(fault.detail, errors=(fault,))
    old = Membership.objects.filter(tenant=found, user=user).first()
    if old is not None and old.role == role and not old.by_group:
        return old, False
    if old is not None and role is not Role.OWNER:
        _keep_an_owner(found, old, by)
    # What a person gives stays, whatever groups say later.
    generation = old.generation + (old.role != role) if old else 1
    changed = {"role": role, "by_group": False, "generation": generation}
    member, created = Membership.objects.update_or_create(tenant=found, user=user, defaults=changed)
    _note(by, "member.put", found, username, role=role.value, before=old.role if old else None)
    return member, created


@atomic
def remove(*, by: Actor, tenant: str, username: str) -> None:
    """Ends a membership; the last owner stays, unless an admin decides otherwise."""
    found = tenants.get(by, tenant)
    policy.check(by, Permission.MEMBER_MANAGE, found)
    member = Membership.objects.filter(tenant=found, user__username=username).first()
    if member is None:
        msg = f"{username!r} is not a member of {tenant!r}"
        raise NotFound(msg)
    _keep_an_owner(found, member, by)
    member.delete()
    _note(by, "member.remove", found, username, role=member.role)


def _keep_an_owner(tenant: Tenant, member: Membership, by: Actor) -> None:
    others = tenant.memberships.filter(role=Role.OWNER).exclude(pk=member.pk)
    if member.role == Role.OWNER and by.platform_role is not PlatformRole.ADMIN and not others.exists():
        msg = f"{member.user.username!r} is the last owner: make somebody else an owner first"
        raise Conflict(msg)


def _note(by: Actor, action: str, tenant: Tenant, username: str, **facts: object) -> None:
    target = f"member/{tenant.name}/{username}"
    audit.note(actor=by.name, action=action, tenant=tenant.name, target=target, **facts)
