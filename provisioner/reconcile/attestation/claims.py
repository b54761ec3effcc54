"""All claims of an isolation report, in one table: docs/attestation.md is held to it by a test."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provisioner.outcomes import Fault, LeaseLost
from provisioner.reconcile.attestation import host_claims, tenant_claims
from provisioner.reconcile.attestation.look import NotRun, Violated
from tenancy.enums import ClaimResult
from tenancy.rules.attestation import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from provisioner.reconcile.attestation.look import Look

log = logging.getLogger(__name__)
HOST: Final = "host"
TENANT: Final = "tenant"
LONGEST: Final = 600
"""Characters of one claim's evidence."""


@dataclass(frozen=True)
class ClaimSpec:
    """What is claimed, which control holds it, and how it is looked at."""

    id: str
    title: str
    control: str
    probe: str
    source: str
    judge: Callable[[Look], str]
    """Returns the evidence; raises ``Violated``, ``NotRun`` or a fault of the host."""


_READ: Final = "read from the host's API"
_REHEARSED: Final = "judged by the host's API, without effect"
_INSIDE: Final = "a pod in the tenant's cluster tells"
_PACKETS: Final = "a pod in the tenant's cluster connects"

CLAIMS: Final[tuple[ClaimSpec, ...]] = (
    ClaimSpec(
        "namespace",
        "The namespace carries its security labels and parameters",
        "Namespace labels (Pod Security)",
        _READ,
        HOST,
        host_claims.namespace_marks,
    ),
    ClaimSpec(
        "quota",
        "Amounts are limited, accelerators are zero",
        "ResourceQuota atoll-quota",
        _READ,
        HOST,
        host_claims.quota,
    ),
    ClaimSpec(
        "limits", "Every container counts", "LimitRange atoll-defaults", _READ, HOST, host_claims.defaults
    ),
    ClaimSpec(
        "network-policies",
        "The network is closed by exactly the wanted policies",
        "NetworkPolicy atoll-deny, atoll-tenant-pods, atoll-control-plane",
        _READ,
        HOST,
        host_claims.network_policies,
    ),
    ClaimSpec(
        "host-policies",
        "The host's admission policies are in force",
        "Admission policies of helm/host",
        _READ,
        HOST,
        host_claims.host_policies,
    ),
    ClaimSpec(
        "policies-refuse",
        "Pods that must be refused are, each by the policy that is for it",
        "ValidatingAdmissionPolicies atoll-placement, -hardening, -pod-identity, -devices, -images",
        _REHEARSED,
        HOST,
        host_claims.policies_refuse,
    ),
    ClaimSpec(
        "syncer-role",
        "The syncer may do what the chart says and no more",
        "ClusterRole atoll-syncer, and all bindings",
        _READ,
        HOST,
        host_claims.syncer_role,
    ),
    ClaimSpec(
        "pods-sandboxed",
        "Every pod carries the sandbox's runtime class",
        "ValidatingAdmissionPolicy atoll-placement",
        _READ,
        HOST,
        host_claims.pods_sandboxed,
    ),
    ClaimSpec(
        "pods-placed",
        "Every pod is on nodes meant for it",
        "ValidatingAdmissionPolicy atoll-placement",
        _READ,
        HOST,
        host_claims.pods_placed,
    ),
    ClaimSpec(
        "pods-harmless",
        "No pod has the node's namespaces, disks, privileges or the host's tokens",
        "ValidatingAdmissionPolicies atoll-hardening and atoll-pod-identity",
        _READ,
        HOST,
        host_claims.pods_harmless,
    ),
    ClaimSpec(
        "control-plane",
        "The control plane runs the wanted images",
        "StatefulSet cluster (helm/virtual-cluster)",
        _READ,
        HOST,
        host_claims.control_plane,
    ),
    ClaimSpec(
        "sandbox",
        "A pod runs on the sandbox's kernel",
        "RuntimeClass of the sandbox",
        _INSIDE,
        TENANT,
        tenant_claims.sandbox,
    ),
    ClaimSpec(
        "pod-identity",
        "A pod holds no token and no capability it did not ask for",
        "ServiceAccount vc-workload-cluster",
        _INSIDE,
        TENANT,
        tenant_claims.identity,
    ),
    ClaimSpec(
        "network-works",
        "The pod's own DNS and own API answer",
        "NetworkPolicy atoll-tenant-pods",
        _PACKETS,
        TENANT,
        tenant_claims.works,
    ),
    ClaimSpec(
        "closed-host-api",
        "The host's API server is out of reach",
        "NetworkPolicy atoll-deny",
        _PACKETS,
        TENANT,
        tenant_claims.closed("host-api"),
    ),
    ClaimSpec(
        "closed-kubelets",
        "The kubelets are out of reach",
        "NetworkPolicy atoll-deny",
        _PACKETS,
        TENANT,
        tenant_claims.closed("kubelet"),
    ),
    ClaimSpec(
        "closed-nodes",
        "The nodes' own addresses are out of reach",
        "NetworkPolicy atoll-deny",
        _PACKETS,
        TENANT,
        tenant_claims.closed("node"),
    ),
    ClaimSpec(
        "closed-metadata",
        "The cloud's metadata service is out of reach",
        "NetworkPolicy atoll-deny",
        _PACKETS,
        TENANT,
        tenant_claims.closed("metadata"),
    ),
    ClaimSpec(
        "closed-neighbour-api",
        "Another cluster's API is out of reach",
        "NetworkPolicy atoll-control-plane of that cluster",
        _PACKETS,
        TENANT,
        tenant_claims.closed("neighbour-api"),
    ),
    ClaimSpec(
        "closed-neighbour-pod",
        "Another cluster's pods are out of reach",
        "NetworkPolicy atoll-deny of both clusters",
        _PACKETS,
        TENANT,
        tenant_claims.closed("neighbour-pod"),
    ),
)
NEIGHBOURLY: Final = frozenset({"closed-neighbour-api", "closed-neighbour-pod"})
"""Left out of the report when no other cluster on the host is Ready: there is nobody to reach."""


def judged(look: Look, now: Callable[[], datetime], *, neighbour: bool) -> Iterator[Claim]:
    """Each claim with its result; what could not be looked at is ``not-run``, never ``passed``."""
    for spec in CLAIMS:
        if neighbour or spec.id not in NEIGHBOURLY:
            result, evidence = _result(spec, look)
            short = evidence if len(evidence) <= LONGEST else evidence[: LONGEST - 1] + "…"
            yield Claim(spec.id, spec.title, spec.control, spec.probe, spec.source, now(), result, short)


def _result(spec: ClaimSpec, look: Look) -> tuple[ClaimResult, str]:
    try:
        return ClaimResult.PASSED, spec.judge(look)
    except LeaseLost:
        raise
    except Violated as seen:
        return ClaimResult.FAILED, str(seen)
    except (NotRun, Fault) as why:
        return ClaimResult.NOT_RUN, str(why)
    except Exception as error:
        log.exception("claim %s of %s could not be judged", spec.id, look.namespace)
        return ClaimResult.NOT_RUN, f"an error nobody foresaw ({type(error).__name__}): it is logged"
