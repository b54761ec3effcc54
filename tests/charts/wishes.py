"""Wanted clusters, one for each way the chart can turn out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from tenancy.enums import Exposure, IsolationModel, Persistence, Sandbox
from tenancy.rules.pools import POOL, TENANT
from tenancy.rules.runtimes import RuntimeClass, SandboxFacts
from tenancy.rules.specs import DesiredCluster, EffectiveSpec, HostAccess, HostFacts, Resources

FACTS: Final = HostFacts(
    version="v1.36.3",
    runtime_classes={"gvisor": RuntimeClass("runsc")},
    storage_classes=("fast", "standard"),
    default_storage_class="standard",
    service_cidrs=("10.96.0.0/16",),
    api_addresses=("192.0.2.1:6443",),
    ready_nodes=2,
    sandboxes={Sandbox.GVISOR: SandboxFacts("gvisor", nodes=2), Sandbox.NONE: SandboxFacts(nodes=2)},
)
HOST: Final = HostAccess(
    uid=UUID(int=7),
    name="lab",
    kubeconfig="file:/nowhere",
    exposure=Exposure.CLUSTER_IP,
    client_cidrs=(),
    image_prefix="",
    control_plane_selector={},
    workload_selector={},
    progress_file="",
    facts=FACTS,
)
EFFECTIVE: Final = EffectiveSpec(
    kubernetes_version="1.36",
    model=IsolationModel.SHARED,
    sandbox=Sandbox.GVISOR,
    runtime_class="gvisor",
    persistence=Persistence.PERSISTENT,
    resources=Resources(cpu=Decimal(4), memory=Decimal(8 * 1024**3), storage=Decimal(20 * 1024**3), pods=50),
)


def wish(*, host: dict[str, Any] | None = None, **effective: Any) -> DesiredCluster:
    """A wanted cluster with these differences from the plainest one."""
    uid = UUID("00000000-0000-4000-8000-000000000001")
    return DesiredCluster(
        uid=uid,
        tenant="demo",
        name="first",
        namespace="atoll-demo-first-00000000",
        generation=1,
        deleting=False,
        ever_ready=False,
        host=replace(HOST, **(host or {})),
        effective=replace(EFFECTIVE, **effective),
        conditions=(),
        endpoint="",
    )


WISHES: Final[dict[str, DesiredCluster]] = {
    "persistent": wish(),
    "ephemeral-unsandboxed-old": wish(
        kubernetes_version="1.35", persistence=Persistence.EPHEMERAL, sandbox=Sandbox.NONE, runtime_class=""
    ),
    "load-balancer-mirror-pools": wish(
        host={
            "exposure": Exposure.LOAD_BALANCER,
            "image_prefix": "mirror.example.com/hub",
            "control_plane_selector": {"tenancy.atoll.internal/role": "control-plane"},
            "facts": replace(FACTS, service_cidrs=("10.96.0.0/16", "fd00:96::/112", "10.97.0.0/16")),
        },
        model=IsolationModel.DEDICATED_POOL,
        pool="gold",
        node_selector={POOL: "gold", TENANT: "demo"},
        tolerations=(f"{POOL}=gold:NoExecute",),
    ),
}
