"""Who may do what: the role matrix and what the scopes of tokens permit, in code, once (docs/roles.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tenancy.enums import Permission, PlatformRole, Role
from tenancy.errors import InsufficientScope, NotAllowed, NotFound, StepUpRequired
from tenancy.models import Membership
from tenancy.rules import scopes
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from tenancy.models import ServiceAccount, Tenant, User

_VIEW: Final = frozenset({Permission.TENANT_VIEW, Permission.CLUSTER_VIEW, Permission.GPU_VIEW})
_WORK: Final = frozenset(
    {
        Permission.CLUSTER_ACCESS,
        Permission.CLUSTER_WRITE,
        Permission.REPORT_REQUEST,
        Permission.GPU_REQUEST,
        Permission.GPU_RETURN,
    }
)
ROLES: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEW | {Permission.CLUSTER_ACCESS},
    Role.MEMBER: _VIEW | _WORK,
    Role.OWNER: _VIEW
    | _WORK
    | {
        Permission.MEMBER_MANAGE,
        Permission.SERVICE_ACCOUNT_MANAGE,
        Permission.CREDENTIAL_VIEW,
        Permission.AUDIT_VIEW,
        Permission.WEBHOOK_VIEW,
        Permission.WEBHOOK_MANAGE,
    },
}
"""What a role allows inside its tenant, to people and service accounts; a viewer's kubeconfig can only look."""

PLATFORM_ROLES: Final[Mapping[PlatformRole, frozenset[Permission]]] = {
    PlatformRole.NONE: frozenset(),
    PlatformRole.AUDITOR: _VIEW
    | {
        Permission.CREDENTIAL_VIEW,
        Permission.HOST_VIEW,
        Permission.AUDIT_VIEW,
        Permission.FINDING_VIEW,
        Permission.METRICS_VIEW,
        Permission.IDENTITY_VIEW,
        Permission.WEBHOOK_VIEW,
    },
    PlatformRole.ADMIN: frozenset(Permission),
}
"""What a platform role allows in every tenant."""

WRITES: Final = frozenset(
    {
        Permission.TENANT_MANAGE,
        Permission.MEMBER_MANAGE,
        Permission.SERVICE_ACCOUNT_MANAGE,
        Permission.CLUSTER_WRITE,
        Permission.CLUSTER_QUARANTINE,
        Permission.REPORT_REQUEST,
        Permission.HOST_MANAGE,
        Permission.GPU_REQUEST,
        Permission.GPU_RETURN,
        Permission.GPU_APPROVE,
        Permission.GPU_MANAGE,
        Permission.IDENTITY_MANAGE,
        Permission.TEMPLATE_MANAGE,
        Permission.WEBHOOK_MANAGE,
    }
)
"""What members and service accounts of a suspended tenant lose, beside access to clusters."""

_NOTHING: Final[frozenset[Permission]] = frozenset()
SCOPES: Final[Mapping[Scope, frozenset[Permission]]] = {
    Scope.ACCELERATORS_READ: _NOTHING,
    Scope.ACCELERATORS_WRITE: frozenset({Permission.GPU_MANAGE}),
    Scope.AUDIT_READ: frozenset({Permission.AUDIT_VIEW}),
    Scope.CLUSTERS_QUARANTINE: frozenset({Permission.CLUSTER_VIEW, Permission.CLUSTER_QUARANTINE}),
    Scope.CLUSTERS_READ: frozenset({Permission.CLUSTER_VIEW}),
    Scope.CLUSTERS_WRITE: frozenset({Permission.CLUSTER_VIEW, Permission.CLUSTER_WRITE}),
    Scope.EVENTS_READ: frozenset({Permission.CLUSTER_VIEW}),
    Scope.FINDINGS_READ: frozenset({Permission.CLUSTER_VIEW, Permission.FINDING_VIEW}),
    Scope.GPU_GRANTS_READ: frozenset({Permission.GPU_VIEW}),
    Scope.GPU_GRANTS_WRITE: frozenset({Permission.GPU_VIEW, Permission.GPU_RETURN}),
    Scope.GPU_REQUESTS_APPROVE: frozenset({Permission.GPU_VIEW, Permission.GPU_APPROVE}),
    Scope.GPU_REQUESTS_READ: frozenset({Permission.GPU_VIEW}),
    Scope.GPU_REQUESTS_WRITE: frozenset({Permission.GPU_VIEW, Permission.GPU_REQUEST}),
    Scope.GPU_USAGE_READ: frozenset({Permission.GPU_VIEW}),
    Scope.HOSTS_READ: frozenset({Permission.HOST_VIEW}),
    Scope.HOSTS_WRITE: frozenset({Permission.HOST_VIEW, Permission.HOST_MANAGE}),
    Scope.IDENTITIES_READ: frozenset({Permission.IDENTITY_VIEW}),
    Scope.IDENTITIES_WRITE: frozenset({Permission.IDENTITY_VIEW, Permission.IDENTITY_MANAGE}),
    Scope.KUBECONFIGS_CREATE: frozenset({Permission.CLUSTER_VIEW, Permission.CLUSTER_ACCESS}),
    Scope.MEMBERS_READ: _NOTHING,
    Scope.MEMBERS_WRITE: frozenset({Permission.MEMBER_MANAGE}),
    Scope.METRICS_READ: frozenset({Permission.METRICS_VIEW}),
    Scope.NOTICES_READ: _NOTHING,
    Scope.NOTICES_WRITE: _NOTHING,
    Scope.OPERATIONS_READ: _NOTHING,
    Scope.REPORTS_READ: frozenset({Permission.CLUSTER_VIEW}),
    Scope.REPORTS_WRITE: frozenset({Permission.CLUSTER_VIEW, Permission.REPORT_REQUEST}),
    Scope.SERVICE_ACCOUNTS_READ: frozenset({Permission.CREDENTIAL_VIEW}),
    Scope.SERVICE_ACCOUNTS_WRITE: frozenset({Permission.SERVICE_ACCOUNT_MANAGE}),
    Scope.TEMPLATES_READ: _NOTHING,
    Scope.TEMPLATES_WRITE: frozenset({Permission.TEMPLATE_MANAGE}),
    Scope.TENANTS_READ: _NOTHING,
    Scope.TENANTS_WRITE: frozenset({Permission.TENANT_MANAGE}),
    Scope.TOKENS_READ: _NOTHING,
    Scope.TOKENS_ROTATE: _NOTHING,
    Scope.TOKENS_WRITE: _NOTHING,
    Scope.WEBHOOKS_READ: frozenset({Permission.WEBHOOK_VIEW}),
    Scope.WEBHOOKS_WRITE: frozenset({Permission.WEBHOOK_VIEW, Permission.WEBHOOK_MANAGE}),
}
"""What of its owner's permissions a token may use with a scope.

``tenant.view`` goes with each: the address of whatever it is for begins with a tenant. What everybody
may do (their own tokens, their inbox, the catalogue) needs no permission, and is guarded by the
operation's scope alone: see ``require``.
"""

STEP_UP: Final = frozenset(
    {
        Permission.TENANT_MANAGE,
        Permission.CLUSTER_QUARANTINE,
        Permission.HOST_MANAGE,
        Permission.GPU_APPROVE,
        Permission.GPU_MANAGE,
        Permission.IDENTITY_MANAGE,
        Permission.TEMPLATE_MANAGE,
    }
)
"""Decisions over others. The role is not enough for these: somebody has just shown who they are, or made a
token for decisions (docs/identity.md)."""


@dataclass(frozen=True)
class Actor:
    """Who acts: a user or service account, perhaps through a token that narrows what they may."""

    user: User
    bound_to: UUID | None = None
    """The only tenant the token reaches; ``None`` for all of the user's."""
    read_only: bool = False
    """The token changes nothing, in clusters neither."""
    decides: bool = True
    """Whether what is in ``STEP_UP`` may be done. The portal's two doors say so of each request; the
    machine's own command line is trusted, as whoever has it has the database."""
    scopes: tuple[str, ...] = scopes.EVERYTHING
    """What the token is for, with wildcards."""
    expires_at: datetime | None = None
    """When the token ends; ``None`` for never, and without a token."""
    token: UUID | None = None
    """The token; ``None`` for people in the browser."""
    account: ServiceAccount | None = None
    """The service account that ``user`` stands for."""

    @property
    def name(self) -> str:
        """As written in audit rows."""
        return self.user.username

    @property
    def platform_role(self) -> PlatformRole:
        """A token bound to a tenant carries no platform role."""
        return PlatformRole.NONE if self.bound_to else PlatformRole(self.user.platform_role)

    @property
    def alive(self) -> bool:
        """Whether they may act at all; nobody signs in as a service account, so its user is never active."""
        return self.user.is_active or self.account is not None

    @property
    def held(self) -> frozenset[Scope]:
        """The scopes of the token; all of them without one."""
        return scopes.held(self.scopes, read_only=self.read_only)


def allows(actor: Actor, permission: Permission, tenant: Tenant | None = None) -> bool:
    """Whether ``actor`` may; a platform permission is asked for without a tenant."""
    if not actor.alive or permission not in _permitted(actor.held):
        return False
    if permission in PLATFORM_ROLES[actor.platform_role]:
        return True
    role = role_in(actor, tenant) if tenant else None
    if role is None or tenant is None:
        return False
    blocked = tenant.suspended and permission in WRITES | {Permission.CLUSTER_ACCESS}
    return permission in ROLES[role] and not blocked


def check(actor: Actor, permission: Permission, tenant: Tenant | None = None) -> None:
    """Raises ``NotFound`` where the actor may not even look, ``NotAllowed`` where only that.

    ``StepUpRequired`` where the role allows a decision, but it is not sure enough that it is them.
    """
    check_look(actor, permission, tenant)
    if permission in STEP_UP and not actor.decides:
        where = tenant.name if tenant is not None else ""
        raise StepUpRequired(STEP_UP_FIRST, permission=permission.value, tenant=where)


def check_look(actor: Actor, permission: Permission, tenant: Tenant | None = None) -> None:
    """As ``check``, for what is only shown to those who may decide: asks for no step-up."""
    if allows(actor, permission, tenant):
        return
    if tenant is not None and not allows(actor, Permission.TENANT_VIEW, tenant):
        raise NotFound(f"there is no tenant {tenant.name!r}, or none that you may see")
    where = tenant.name if tenant is not None else ""
    if permission not in _permitted(actor.held):
        raise InsufficientScope(scope=scope_for(permission), tenant=where)
    raise NotAllowed(_why(permission, tenant), permission=permission.value, tenant=where)


def require(actor: Actor, scope: Scope) -> None:
    """Raises ``InsufficientScope`` where the actor's token is not for this."""
    if scope not in actor.held:
        raise InsufficientScope(scope=scope)


def scope_for(permission: Permission) -> Scope:
    """The narrowest scope with which a token may use a permission."""
    return min((s for s in Scope if permission in SCOPES[s]), key=lambda s: (len(SCOPES[s]), s))


def role_in(actor: Actor, tenant: Tenant) -> Role | None:
    """The actor's role by membership; ``None`` for strangers."""
    if actor.bound_to is not None and actor.bound_to != tenant.uid:
        return None
    if actor.account is not None:
        return Role(actor.account.role) if actor.account.tenant_id == tenant.uid else None
    membership = Membership.objects.filter(tenant=tenant, user=actor.user).first()
    return Role(membership.role) if membership else None


@lru_cache(maxsize=1024)
def _permitted(held: frozenset[Scope]) -> frozenset[Permission]:
    """What a token with these scopes may use of its owner's permissions."""
    return _NOTHING.union({Permission.TENANT_VIEW}, *(SCOPES[scope] for scope in held))


def may_decide(actor: Actor) -> bool:
    """Whether the actor's role has any decisions at all; a token bound to a tenant has none."""
    return bool(PLATFORM_ROLES[actor.platform_role] & STEP_UP)


STEP_UP_FIRST: Final = (
    "this decides over others, so it takes a token made for decisions: sign in to the portal, "
    "make one under API tokens with “For decisions” ticked, and send it again with that"
)


def _why(permission: Permission, tenant: Tenant | None) -> str:
    if tenant is not None and tenant.suspended:
        return f"tenant {tenant.name!r} is suspended: ask an admin to lift it"
    where = f" in tenant {tenant.name!r}" if tenant else " on the platform"
    return f"{permission.value} is not among what your role allows{where}: ask an owner or admin"
