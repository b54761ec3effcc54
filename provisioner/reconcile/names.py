"""Names of what the platform puts into a tenant's cluster."""

from __future__ import annotations

from typing import Final

from tenancy.enums import Role

PROBE_ACCOUNT: Final = "sandbox-probe"
CLUSTER_ROLES: Final = {
    Role.VIEWER: "view",
    Role.MEMBER: "cluster-admin",
    Role.OWNER: "cluster-admin",
}
"""What a role of the portal may do inside the tenant's own cluster."""


def account(role: Role) -> str:
    """The ServiceAccount, and its binding, that stands for a role."""
    return f"atoll-{role.value}"
