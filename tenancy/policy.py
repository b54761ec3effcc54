"""Who may do what: the role matrix, in code, once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenancy.enums import Permission, PlatformRole, Role
from tenancy.errors import NotAllowed, NotFound
from tenancy.models import Membership

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from tenancy.models import Tenant, User

_VIEW: Final = frozenset({Permission.TENANT_VIEW, Permission.CLUSTER_VIEW})
ROLES: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEW | {Permission.CLUSTER_ACCESS},
    Role.MEMBER: _VIEW | {Permission.CLUSTER_ACCESS, Permission.CLUSTER_WRITE, Permission.GPU_REQUEST},
    Role.OWNER: _VIEW
    | {
        Permission.CLUSTER_ACCESS,
        Permission.CLUSTER_WRITE,
        Permission.GPU_REQUEST,
        Permission.MEMBER_MANAGE,
        Permission.AUDIT_VIEW,
    },
}
"""What a role allows inside its tenant; a viewer's kubeconfig can only look."""

PLATFORM_ROLES: Final[Mapping[PlatformRole, frozenset[Permission]]] = {
    PlatformRole.NONE: frozenset(),
    PlatformRole.AUDITOR: _VIEW | {Permission.HOST_VIEW, Permission.AUDIT_VIEW},
    PlatformRole.ADMIN: frozenset(Permission),
}
"""What a platform role allows in every tenant."""

WRITES: Final = frozenset(
    {
        Permission.TENANT_MANAGE,
        Permission.MEMBER_MANAGE,
        Permission.CLUSTER_WRITE,
        Permission.CLUSTER_QUARANTINE,
        Permission.TOKEN_MANAGE,
        Permission.HOST_MANAGE,
        Permission.GPU_REQUEST,
        Permission.GPU_APPROVE,
        Permission.GPU_MANAGE,
    }
)
"""What a read-only token never allows; a suspended tenant loses these and access."""


@dataclass(frozen=True)
class Actor:
    """Who acts: a user, perhaps through a token that narrows what they may."""

    user: User
    bound_to: UUID | None = None
    """The only tenant the token reaches; ``None`` for all of the user's."""
    read_only: bool = False

    @property
    def name(self) -> str:
        """As written in audit rows."""
        return self.user.username

    @property
    def platform_role(self) -> PlatformRole:
        """A token bound to a tenant carries no platform role."""
        return PlatformRole.NONE if self.bound_to else PlatformRole(self.user.platform_role)


def allows(actor: Actor, permission: Permission, tenant: Tenant | None = None) -> bool:
    """Whether ``actor`` may; a platform permission is asked for without a tenant."""
    if not actor.user.is_active or (actor.read_only and permission in WRITES):
        return False
    if permission in PLATFORM_ROLES[actor.platform_role]:
        return True
    role = role_in(actor, tenant) if tenant else None
    if role is None or tenant is None:
        return False
    blocked = tenant.suspended and permission in WRITES | {Permission.CLUSTER_ACCESS}
    return permission in ROLES[role] and not blocked


def check(actor: Actor, permission: Permission, tenant: Tenant | None = None) -> None:
    """Raises ``NotFound`` where the actor may not even look, ``NotAllowed`` where only that."""
    if allows(actor, permission, tenant):
        return
    if tenant is not None and not allows(actor, Permission.TENANT_VIEW, tenant):
        raise NotFound(f"there is no tenant {tenant.name!r}, or none that you may see")
    where = tenant.name if tenant is not None else ""
    raise NotAllowed(_why(actor, permission, tenant), permission=permission.value, tenant=where)


def role_in(actor: Actor, tenant: Tenant) -> Role | None:
    """The actor's role by membership; ``None`` for strangers."""
    if actor.bound_to is not None and actor.bound_to != tenant.uid:
        return None
    membership = Membership.objects.filter(tenant=tenant, user=actor.user).first()
    return Role(membership.role) if membership else None


def _why(actor: Actor, permission: Permission, tenant: Tenant | None) -> str:
    if actor.read_only and permission in WRITES:
        return "this token is read-only: use one that may write"
    if tenant is not None and tenant.suspended:
        return f"tenant {tenant.name!r} is suspended: ask an admin to lift it"
    where = f" in tenant {tenant.name!r}" if tenant else " on the platform"
    return f"{permission.value} is not among what your role allows{where}: ask an owner or admin"
