"""What the host policies of ``helm/host`` go by: annotations of the namespace, lists with commas, empty for none."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from provisioner.reconcile import devices, labels, sandbox
from provisioner.reconcile.addresses import split
from provisioner.release import values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenancy.rules.specs import DesiredCluster, EffectiveSpec, HostFacts


def of(desired: DesiredCluster, effective: EffectiveSpec) -> dict[str, str]:
    """All of them, always: the policies close what a missing one would say."""
    host, facts = desired.host, desired.host.facts
    return {
        labels.NODE_SELECTOR: labels.selector(effective.node_selector),
        labels.TOLERATIONS: _listed(effective.tolerations),
        labels.CONTROL_PLANE_SELECTOR: labels.selector(host.control_plane_selector),
        labels.STORAGE_CLASSES: facts.default_storage_class if facts else "",
        labels.CLOSED: _listed(_closed(facts) if facts else ()),
        labels.POD_CIDRS: _listed(facts.pod_cidrs if facts else ()),
        labels.IMAGE_REGISTRIES: _listed(host.allowed_registries) or "*",
        labels.IMAGE_DIGESTS: "required" if host.require_digests else "any",
        labels.PLATFORM_IMAGES: _listed(platform_images(host.image_prefix)),
        labels.EXTENDED_RESOURCES: _listed(devices.names(desired.devices)),
        labels.DEVICE_NODES: _listed(devices.models(desired.devices)),
    }


def platform_images(prefix: str) -> list[str]:
    """What runs on the platform's behalf among a tenant's pods: DNS of any version, and probes."""
    return [*values.coredns_images(prefix), sandbox.image(prefix)]


def _closed(facts: HostFacts) -> list[str]:
    """The host's own API, its nodes and its Services; ranges, so that one address is one of its own."""
    addresses = [split(pair)[0] for pair in facts.api_addresses]
    single = [str(ip_network(address)) for address in (*addresses, *facts.node_addresses)]
    return [*single, *facts.service_cidrs]


def _listed(items: Iterable[str]) -> str:
    return ",".join(sorted(set(items)))
