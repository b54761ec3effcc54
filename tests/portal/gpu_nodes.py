"""Nodes with GPU software of all kinds, and a look of the provisioner that saw them."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from tenancy.actions import observations, work
from tenancy.enums import ConditionStatus, Reason, Trust, VersionSource, WorkKind
from tenancy.models import HostCluster
from tenancy.rules.gpu import LABEL, Found, GpuFacts, Tenancy
from tenancy.rules.nodes import NodeFacts
from tenancy.rules.specs import HostObservation
from tests import factories

TOOLKIT = Found(
    "v1.17.7-ubuntu20.04", VersionSource.POD, "pod gpu-operator/toolkit-x, image toolkit:v1.17.7-ubuntu20.04"
)
TRAINS = Tenancy(
    "team", "first", "atoll-team-first-0", Trust.UNTRUSTED, ("train",), "1 pods with devices are on the node"
)
BAD = NodeFacts(
    name="gpu-1",
    uid="1",
    ready=True,
    schedulable=True,
    labels={LABEL: "exposed"},
    resources={"nvidia.com/gpu": 4},
    gpu=GpuFacts(toolkit=TOOLKIT, cdi=False, tenancies=(TRAINS,)),
)
GOOD = replace(
    BAD, name="gpu-2", labels={}, gpu=GpuFacts(toolkit=replace(TOOLKIT, version="1.19.1"), notes=("n",))
)
PLAIN = NodeFacts(name="plain", uid="3", ready=True, schedulable=True)


def see(*nodes: NodeFacts, name: str = "lab") -> None:
    host = HostCluster.objects.filter(name=name).first() or factories.host(name)
    with transaction.atomic():
        work.request(WorkKind.HOST, host.uid)
    lease = work.claim(WorkKind.HOST, host.uid)
    assert lease is not None
    seen = HostObservation(ConditionStatus.TRUE, Reason.AS_WANTED, "", factories.FACTS, nodes)
    assert observations.record_host(lease, host.uid, seen)
    work.finish(lease)
