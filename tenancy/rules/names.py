"""Names and what follows from them on a host cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tenancy.errors import FieldError

if TYPE_CHECKING:
    from uuid import UUID

SYSTEM_NAMESPACE: Final = "atoll-system"
"""Of the platform, in a tenant's cluster."""
LABEL_PREFIX: Final = "tenancy.atoll.internal/"
NAMESPACE_PREFIX: Final = "atoll-"
WIPE_NAMESPACE: Final = "atoll-node-wipe"
"""Of the platform, on a host; SYSTEM_NAMESPACE is there, too."""
TENANT_MAX: Final = 20
CLUSTER_MAX: Final = 24
RELEASE: Final = "cluster"
"""Helm release and vCluster name in every host namespace.

One virtual cluster lives in one namespace, so the name need not vary; a constant
lets roles name exactly the Secrets they open.
"""

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
RESERVED: Final = frozenset({"admin", "api", "atoll", "default", "system", "new", "kube-system"})

ACCOUNT_MAX: Final = 40
ACCOUNT_PREFIX: Final = "sa:"
"""With which the name of a service account begins where people's names may stand, too; no person's does."""
PROCESSES: Final = frozenset({"policy", "clock", "provisioner", "command-line", "sign-in", "token-exchange"})
"""Who acts in the audit log where no person does: no user has such a name."""


def is_tenants(namespace: str) -> bool:
    """Whether a host's namespace is, by its name, a cluster's."""
    return namespace.startswith(NAMESPACE_PREFIX) and namespace not in {SYSTEM_NAMESPACE, WIPE_NAMESPACE}


def name_errors(path: str, name: str, *, longest: int) -> tuple[FieldError, ...]:
    """What is wrong with a tenant's or cluster's name; empty when nothing is."""
    if not name:
        return (FieldError(path, "required", "give a name, for example 'first'"),)
    if len(name) > longest:
        detail = f"{len(name)} characters, at most {longest} fit into host names: shorten it"
        return (FieldError(path, "too-long", detail),)
    if not _DNS_LABEL.fullmatch(name):
        detail = "use lower-case letters, digits and '-', beginning and ending with a letter or digit"
        return (FieldError(path, "bad-characters", detail),)
    if name in RESERVED:
        return (FieldError(path, "reserved", f"{name!r} is reserved: choose another name"),)
    return ()


def host_namespace(tenant: str, cluster: str, uid: UUID) -> str:
    """The namespace on the host: at most 63 characters, never reused as ``uid`` is new each time."""
    return f"{NAMESPACE_PREFIX}{tenant}-{cluster}-{uid.hex[:8]}"
