"""What groups of a directory mean here: platform roles, and roles in tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenancy.enums import PlatformRole, Role

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_STRENGTH: Final = {Role.VIEWER: 0, Role.MEMBER: 1, Role.OWNER: 2}


@dataclass(frozen=True)
class TenantRole:
    """Who is in this group has this role in this tenant."""

    group: str
    tenant: str
    role: Role


@dataclass(frozen=True)
class GroupRoles:
    """The whole mapping; an empty one leaves all roles to the people of Atoll."""

    admins: frozenset[str] = frozenset()
    auditors: frozenset[str] = frozenset()
    tenants: tuple[TenantRole, ...] = ()

    def platform_role(self, groups: AbstractSet[str]) -> PlatformRole | None:
        """The strongest that the groups give; ``None`` where groups decide nothing about it."""
        if not self.admins | self.auditors:
            return None
        if self.admins & groups:
            return PlatformRole.ADMIN
        return PlatformRole.AUDITOR if self.auditors & groups else PlatformRole.NONE

    def memberships(self, groups: AbstractSet[str]) -> dict[str, Role]:
        """Tenant → the strongest role that the groups give there."""
        found: dict[str, Role] = {}
        for one in self.tenants:
            before = found.get(one.tenant)
            if one.group in groups and (before is None or _STRENGTH[one.role] > _STRENGTH[before]):
                found[one.tenant] = one.role
        return found
