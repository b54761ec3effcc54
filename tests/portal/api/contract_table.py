"""What is written by PUT, one entry for each route: ``test_contract.py`` tries the contract on all of them.

A new PUT route without an entry fails the suite. The world is the one of ``contract_world``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.manifests import MANIFEST


@dataclass(frozen=True)
class Entry:
    """An object that does not exist yet, and two specs for it."""

    address: str
    spec: dict[str, Any]
    """Sparse, and in an order that is not the serializer's, so that an echo shows."""
    other: dict[str, Any]
    by: str = "admin"
    """Who may write it."""
    contradictions: dict[str, str] = field(default_factory=lambda: {"name": "another"})
    """Members of the metadata that repeat the address, with values that do not."""
    once: tuple[str, ...] = ()
    """Members of the first answer alone."""
    deleted: int = 200
    """Status of the first DELETE."""
    ready: int = 200
    """What ``…/ready`` says of a new one: 503 of what takes its time."""


CONTRACT: Final[dict[str, Entry]] = {
    "/api/v1/tenants/{tenant}": Entry(
        "/api/v1/tenants/blue",
        {"trust": "trusted", "displayName": " Blue "},
        {"displayName": "Blue", "suspended": True},
    ),
    "/api/v1/tenants/{tenant}/members/{username}": Entry(
        "/api/v1/tenants/team/members/bea",
        {"role": "viewer"},
        {"role": "member"},
        by="owner",
        contradictions={"name": "another", "tenant": "another"},
    ),
    "/api/v1/tenants/{tenant}/clusters/{name}": Entry(
        "/api/v1/tenants/team/clusters/second",
        {"resources": {"memory": "1Gi", "cpu": 2}, "isolation": {"sandbox": None}},
        {"kubernetesVersion": "1.36"},
        by="owner",
        contradictions={"name": "another", "tenant": "another"},
        deleted=202,
        ready=503,
    ),
    "/api/v1/tenants/{tenant}/accelerator-limits/{name}": Entry(
        "/api/v1/tenants/team/accelerator-limits/gpu",
        {"amount": 3},
        {"amount": 4},
        contradictions={"class": "another", "tenant": "another"},
    ),
    "/api/v1/tenants/{tenant}/service-accounts/{name}": Entry(
        "/api/v1/tenants/team/service-accounts/ci",
        {"description": "the pipeline", "role": "member"},
        {"role": "viewer"},
        by="owner",
        contradictions={"name": "another", "tenant": "another"},
    ),
    "/api/v1/accelerator-classes/{name}": Entry(
        "/api/v1/accelerator-classes/tpu",
        {"title": "TPU", "resource": "google.com/tpu", "defaultDays": 7},
        {"resource": "google.com/tpu", "weight": 2},
    ),
    "/api/v1/hosts/{name}": Entry(
        "/api/v1/hosts/next",
        {"imagePrefix": "mirror:5000", "kubeconfig": "in-cluster", "clientCIDRs": ["10.0.0.0/8"]},
        {"kubeconfig": "env:NEXT"},
        ready=503,
    ),
    "/api/v1/hosts/{host}/pools/{name}": Entry(
        "/api/v1/hosts/lab/pools/silver",
        {"tenant": "team", "kind": "dedicated"},
        {"kind": "dedicated", "selector": {"zone": "a"}},
        contradictions={"name": "another", "host": "another"},
    ),
    "/api/v1/add-ons/{name}/versions/{version}": Entry(
        "/api/v1/add-ons/motd/versions/1.1.0",
        {"manifests": MANIFEST, "description": "A greeting"},
        {"manifests": MANIFEST, "description": "Words"},
        contradictions={"name": "another", "version": "9.9.9"},
    ),
    "/api/v1/cluster-templates/{name}": Entry(
        "/api/v1/cluster-templates/next",
        {"tenants": ["team"], "description": "For sites"},
        {"deprecated": True},
    ),
    "/api/v1/cluster-templates/{name}/versions/{version}": Entry(
        "/api/v1/cluster-templates/web/versions/1.3.0",
        {"locked": ["resources"], "cluster": {"resources": {"memory": "1Gi", "cpu": 2}}},
        {"locked": ["resources"], "cluster": {"resources": {"memory": "1Gi", "cpu": 2}}, "state": "yanked"},
        contradictions={"template": "another", "version": "9.9.9"},
    ),
    "/api/v1/tenants/{tenant}/webhooks/{name}": Entry(
        "/api/v1/tenants/team/webhooks/chat",
        {"types": ["cluster.phase-changed"], "url": "https://93.184.215.14/hook"},
        {"url": "https://93.184.215.14/hook", "enabled": False},
        by="owner",
        contradictions={"name": "another", "tenant": "another"},
        once=("secret",),
    ),
    "/api/v1/webhooks/{name}": Entry(
        "/api/v1/webhooks/siem",
        {"types": ["token.created"], "url": "https://93.184.215.14/hook"},
        {"url": "https://93.184.215.15/hook"},
        once=("secret",),
    ),
}
