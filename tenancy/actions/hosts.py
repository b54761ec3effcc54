"""What admins do to host clusters."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from tenancy import policy
from tenancy.actions import audit, work
from tenancy.actions.unit import atomic
from tenancy.enums import Exposure, OperationState, Permission, WorkKind
from tenancy.errors import FieldError, InUse, refuse
from tenancy.models import HostCluster
from tenancy.queries import hosts
from tenancy.rules.names import name_errors
from tenancy.rules.offers import DEFAULT_VERSION, KNOWN_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.policy import Actor

_AUDIT_LOG: Final = re.compile(r"file:/\S+")
_KUBECONFIG: Final = re.compile(r"file:/\S+|env:[A-Za-z_][A-Za-z0-9_]*|in-cluster")

_REGISTRY: Final = re.compile(
    r"(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9.-]+:[0-9]+)(:[0-9]+)?(/[a-z0-9._-]+)*"
)
"""A host name has a dot or a port, as the node tells it from a path."""


@dataclass(frozen=True)
class HostRegistration:
    """How to reach a host cluster; see ``tenancy.rules.specs.HostAccess`` for each field."""

    kubeconfig: str
    exposure: Exposure = Exposure.CLUSTER_IP
    client_cidrs: tuple[str, ...] = ()
    image_prefix: str = ""
    kubernetes_versions: tuple[str, ...] = (DEFAULT_VERSION,)
    control_plane_selector: dict[str, str] = field(default_factory=dict)
    workload_selector: dict[str, str] = field(default_factory=dict)
    allowed_registries: tuple[str, ...] = ()
    require_digests: bool = False
    progress_file: str = ""
    audit_log: str = ""
    accepts_clusters: bool = True


@atomic
def put(*, by: Actor, name: str, registration: HostRegistration) -> tuple[HostCluster, bool]:
    """Registers a host or changes its registration; True when it is new."""
    policy.check(by, Permission.HOST_MANAGE)
    refuse(_faults(name, registration))
    values = {**asdict(registration), "exposure": registration.exposure.value}
    old = HostCluster.objects.filter(name=name).first()
    if old is not None and all(_plain(getattr(old, key)) == _plain(value) for key, value in values.items()):
        return old, False
    changed = {**values, "generation": old.generation + 1 if old else 1}
    host, created = HostCluster.objects.update_or_create(
        name=name, defaults=changed, create_defaults={**changed, "created_by": by.name}
    )
    work.request(WorkKind.HOST, host.uid)
    before = {key: getattr(old, key) for key in values} if old is not None else {}
    changes = audit.changes(before, values)
    audit.note(actor=by.name, action="host.put", target=f"host/{name}", created=created, changes=changes)
    return host, created


@atomic
def delete(*, by: Actor, name: str) -> None:
    """Forgets a host that carries nothing; its nodes count as unwiped should it ever come back."""
    policy.check(by, Permission.HOST_MANAGE)
    host = hosts.get(by, name)
    if host.clusters.exists():
        msg = (
            f"host {name!r} still carries {host.clusters.count()} cluster(s): set spec.acceptsClusters to false,"
            " delete them and wait until they are gone"
        )
        raise InUse(msg, [f"cluster {one}" for one in host.clusters.select_related("tenant")[:5]])
    held = [pool.name for pool in host.pools.all()]
    if held:
        msg = f"host {name!r} still has node pools ({', '.join(held)}): delete them first, so that their nodes are wiped"
        raise InUse(msg, [f"pool {name}/{one}" for one in held])
    moving = [f"node {name}/{node.name}" for node in host.nodes.filter(moves__state=OperationState.RUNNING)]
    if moving:
        msg = f"nodes of host {name!r} are being wiped: wait until their moves have ended"
        raise InUse(msg, moving)
    work.forget(WorkKind.HOST, host.uid)
    audit.note(actor=by.name, action="host.delete", target=f"host/{name}", uid=str(host.uid))
    host.delete()


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _faults(name: str, registration: HostRegistration) -> Iterator[FieldError]:
    yield from name_errors("metadata.name", name, longest=40)
    if not _KUBECONFIG.fullmatch(registration.kubeconfig):
        detail = (
            "give 'file:/absolute/path', 'env:NAME' or 'in-cluster': Atoll keeps the place of a credential,"
            " never the credential"
        )
        yield FieldError("spec.kubeconfig", "not-a-reference", detail)
    if registration.audit_log and not _AUDIT_LOG.fullmatch(registration.audit_log):
        detail = "give 'file:/absolute/path' of a file that the workers can read, or leave it empty for none"
        yield FieldError("spec.auditLog", "not-a-reference", detail)
    for index, cidr in enumerate(registration.client_cidrs):
        if not _is_network(cidr):
            detail = f"{cidr!r} is not a network such as '10.0.0.0/8'"
            yield FieldError(f"spec.clientCIDRs[{index}]", "not-a-network", detail)
    yield from _image_faults(registration)
    known = ", ".join(KNOWN_VERSIONS)
    if not registration.kubernetes_versions:
        yield FieldError("spec.kubernetesVersions", "required", f"name at least one of {known}")
    for index, version in enumerate(registration.kubernetes_versions):
        if version not in KNOWN_VERSIONS:
            detail = f"{version!r} is not known: choose among {known}"
            yield FieldError(f"spec.kubernetesVersions[{index}]", "not-offered", detail)


def _image_faults(registration: HostRegistration) -> Iterator[FieldError]:
    for index, registry in enumerate(registration.allowed_registries):
        if not _REGISTRY.fullmatch(registry):
            detail = (
                f"{registry!r} is no registry: give its host name, with a path if only a part of it is allowed,"
                " such as 'ghcr.io' or 'docker.io/library'"
            )
            yield FieldError(f"spec.allowedRegistries[{index}]", "not-a-registry", detail)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
