"""The chart's values for a wanted cluster. Pure: the same wish gives the same release, so nothing restarts."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from provisioner.release import control_plane
from tenancy.enums import Exposure, Persistence
from tenancy.rules import quantities
from tenancy.rules.names import LABEL_PREFIX
from tenancy.rules.offers import KNOWN_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tenancy.rules.specs import DesiredCluster

COREDNS_TAGS: Final[Mapping[str, str]] = {"1.36": "1.14.2", "1.35": "1.14.1", "1.34": "1.12.1"}
"""Minor version → tag of CoreDNS, as vCluster 0.36.1 pairs them."""

COREDNS: Final = "docker.io/coredns/coredns"
"""As the chart's own values name it."""

SERVICE_TYPES: Final[Mapping[Exposure, str]] = {
    Exposure.CLUSTER_IP: "ClusterIP",
    Exposure.NODE_PORT: "NodePort",
    Exposure.LOAD_BALANCER: "LoadBalancer",
}


def render(desired: DesiredCluster) -> dict[str, Any]:
    """Values for ``helm/virtual-cluster``, valid by its schema.

    Nothing that comes about later, such as the endpoint, goes in: a change of
    values restarts the tenant's API server. Raises ``ValueError`` while the
    host's facts are not known.
    """
    effective, facts = desired.effective, desired.host.facts
    if effective is None or facts is None:
        msg = f"host {desired.host.name!r} has not been looked at yet: no values for {desired.name!r}"
        raise ValueError(msg)
    return {
        "labels": labels(desired),
        "imagePrefix": desired.host.image_prefix,
        "images": {
            "kubernetes": {"tag": KNOWN_VERSIONS[effective.kubernetes_version]},
            "coredns": {"tag": COREDNS_TAGS[effective.kubernetes_version]},
        },
        "persistence": {
            "enabled": effective.persistence is Persistence.PERSISTENT,
            "size": quantities.mebibytes(control_plane.STORE),
        },
        "service": {"type": SERVICE_TYPES[desired.host.exposure]},
        "serviceCIDR": ",".join(one_of_each_family(facts.service_cidrs)),
        "controlPlane": {
            "nodeSelector": dict(desired.host.control_plane_selector),
            "resources": control_plane.CONTROL_PLANE.resources(),
        },
        "coredns": {"resources": control_plane.DNS.resources()},
        "workloads": {
            "runtimeClassName": effective.runtime_class,
            "nodeSelector": dict(effective.node_selector),
            # Left out where there is none: what was installed before there were pools stays as it is.
            **({"tolerations": list(effective.tolerations)} if effective.tolerations else {}),
        },
    }


def images(desired: DesiredCluster, chart: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What the control plane's pod runs, as the chart writes it; ``chart`` are its default images."""
    tags = render(desired)["images"]
    prefix = desired.host.image_prefix.rstrip("/")
    found = []
    for name in ("syncer", "kubernetes"):
        image = {**chart[name], **tags.get(name, {})}
        digest = f"@{image['digest']}" if image.get("digest") else ""
        found.append(f"{prefix}/" * bool(prefix) + f"{image['repository']}:{image['tag']}{digest}")
    return found


def coredns_images(prefix: str) -> list[str]:
    """Every image that a tenant's DNS may run, from the host's mirror where it has one."""
    mirror = f"{prefix.rstrip('/')}/" if prefix else ""
    return [f"{mirror}{COREDNS}:{tag}" for tag in COREDNS_TAGS.values()]


def labels(desired: DesiredCluster) -> dict[str, str]:
    """Whose an object is, for people and for the proof that nothing is left."""
    return {
        f"{LABEL_PREFIX}tenant": desired.tenant,
        f"{LABEL_PREFIX}cluster": desired.name,
        f"{LABEL_PREFIX}uid": str(desired.uid),
    }


def one_of_each_family(ranges: Iterable[str]) -> list[str]:
    """The first range of IPv4 and of IPv6: an API server takes no more, though a host may have more."""
    first: dict[int, str] = {}
    for text in ranges:
        first.setdefault(ip_network(text).version, text)
    return list(first.values())
