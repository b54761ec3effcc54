"""The marks by which what is ours is known on a host, and told apart by tenant and cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from provisioner.release import values
from tenancy.rules.names import LABEL_PREFIX, RELEASE

if TYPE_CHECKING:
    from provisioner.ports import Object
    from tenancy.rules.specs import DesiredCluster

MANAGED_BY: Final = f"{LABEL_PREFIX}managed-by"
UID: Final = f"{LABEL_PREFIX}uid"
SANDBOX: Final = f"{LABEL_PREFIX}sandbox"
RUNTIME_CLASS: Final = f"{LABEL_PREFIX}runtime-class"
USER_NAMESPACES: Final = f"{LABEL_PREFIX}user-namespaces"
"""``required`` for the host policies where the sandbox is ``userns``; absent otherwise."""
TRUST: Final = f"{LABEL_PREFIX}trust"
"""``trusted`` or ``untrusted``: the latter's pods get devices of clean nodes only."""
FENCE: Final = f"{LABEL_PREFIX}fence"
"""Annotation: the youngest wish a pass has worked for."""
PROBED: Final = f"{LABEL_PREFIX}sandbox-probed"
"""Annotation: generation and time of the last probe that saw the wanted sandbox."""
RENEWED: Final = f"{LABEL_PREFIX}renewed"
"""Annotation of the control plane's pods: the certificate for whose renewal they were made anew."""
ACCESS_EPOCH: Final = f"{LABEL_PREFIX}access-epoch"
"""Annotation: the quarantine whose older credentials were seen dead; absent before the first."""
PROVEN: Final = f"{LABEL_PREFIX}guard-rails-proven"
"""Annotation: generation, and version of the policies, for which the guard rails were seen to refuse."""
TRAFFIC: Final = f"{LABEL_PREFIX}traffic-proven"
"""Annotation: when canaries were seen to reach one another and nothing else, before the first access."""
NODE_SELECTOR: Final = f"{LABEL_PREFIX}node-selector"
"""Annotation, for the host policies: ``key=value`` pairs that every tenant pod must select."""
TOLERATIONS: Final = f"{LABEL_PREFIX}tolerations"
"""Annotation: ``key=value:effect`` of each taint that the namespace's pods may pass."""
CONTROL_PLANE_SELECTOR: Final = f"{LABEL_PREFIX}control-plane-selector"
"""Annotation: the same for the control plane's pod."""
STORAGE_CLASSES: Final = f"{LABEL_PREFIX}storage-classes"
"""Annotation: the classes that claims may name."""
CLOSED: Final = f"{LABEL_PREFIX}closed-cidrs"
"""Annotation: where no endpoint of a tenant may point."""
POD_CIDRS: Final = f"{LABEL_PREFIX}pod-cidrs"
"""Annotation: where all pods of the host are; empty when it does not tell."""
IMAGE_REGISTRIES: Final = f"{LABEL_PREFIX}image-registries"
"""Annotation: registries and repositories that images may come from; ``*`` for any."""
IMAGE_DIGESTS: Final = f"{LABEL_PREFIX}image-digests"
"""Annotation: ``required`` or ``any``."""
PLATFORM_IMAGES: Final = f"{LABEL_PREFIX}platform-images"
"""Annotation: exact images that are always allowed."""
EXTENDED_RESOURCES: Final = f"{LABEL_PREFIX}extended-resources"
"""Annotation: the devices that pods may ask for."""
DEVICE_NODES: Final = f"{LABEL_PREFIX}device-nodes"
"""Annotation: ``resource:label=value`` of the nodes that pods with that device must select."""
POLICIES: Final = f"{LABEL_PREFIX}policies"
"""Label of each host policy: the version of the chart that made it."""
KEPT: Final = f"{LABEL_PREFIX}kept"
"""Label: why an admin wants a role binding or network policy of their own to stay in a tenant's namespace."""
ATOLL: Final = "atoll"

SYNCED: Final = "vcluster.loft.sh/managed-by"
"""What vCluster's syncer puts on every pod it makes for the tenant."""
CONTROL_PLANE: Final = {"app": "vcluster", "release": RELEASE}
"""The control plane's pod; the syncer renames a tenant's ``release`` label, so no tenant pod wears it."""


def of(desired: DesiredCluster) -> dict[str, str]:
    """Labels of everything made for a cluster."""
    return {MANAGED_BY: ATOLL, **values.labels(desired)}


def ours(desired: DesiredCluster, seen: Object) -> bool:
    """Whether an object was made for this very cluster."""
    return bool(seen["metadata"].get("labels", {}).get(UID) == str(desired.uid))


def terminating(seen: Object) -> bool:
    """Whether its end has begun."""
    return "deletionTimestamp" in seen["metadata"]


def metadata(desired: DesiredCluster, name: str, **more: Any) -> Object:  # noqa: ANN401
    """Of a namespaced object of ours."""
    return {"name": name, "namespace": desired.namespace, "labels": of(desired), **more}


def selector(labels: dict[str, str]) -> str:
    """As a query asks for it."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
