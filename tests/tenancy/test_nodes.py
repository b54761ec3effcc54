"""A host's nodes: what one look saw of them is what is known, no more and no less."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.db import transaction

from tenancy.actions import observations, work
from tenancy.enums import ConditionStatus, Reason, WorkKind
from tenancy.models import WorkItem
from tenancy.queries import nodes as known
from tenancy.rules import nodes
from tenancy.rules.nodes import NodeFacts, Taint
from tenancy.rules.specs import HostFacts, HostObservation
from tests import factories

if TYPE_CHECKING:
    from uuid import UUID

pytestmark = pytest.mark.django_db

WORKER = NodeFacts(
    name="worker-1",
    uid="7b0c",
    ready=True,
    schedulable=True,
    labels={"kubernetes.io/hostname": "worker-1"},
    taints=(Taint("team", "NoSchedule", "a"),),
    kernel="6.18.44",
    runtime="containerd://2.3.3",
    kubelet="v1.36.3",
    handlers={"runsc": False, "": True},
    resources={"nvidia.com/gpu": 4},
)


def test_json_carries_all_of_a_node() -> None:
    assert nodes.from_json(nodes.to_json(WORKER)) == WORKER


def test_a_look_adds_changes_and_removes() -> None:
    host = factories.host()
    other = replace(WORKER, name="worker-2")

    _look(host.uid, (WORKER, other))
    assert known.seen(host.uid) == (WORKER, other)

    cordoned = replace(WORKER, schedulable=False)
    _look(host.uid, (cordoned,))
    assert known.seen(host.uid) == (cordoned,)


def test_a_look_that_saw_no_nodes_at_all_leaves_what_is_known() -> None:
    host = factories.host()
    _look(host.uid, (WORKER,))
    _look(host.uid, None)
    assert known.seen(host.uid) == (WORKER,)


def test_a_new_device_asks_for_every_cluster_of_its_host() -> None:
    factories.tenant("demo")
    made = factories.cluster(factories.admin(), "demo")
    uid = made.host_id
    _look(uid, (WORKER,))
    item = WorkItem.objects.get(kind=WorkKind.CLUSTER, object_id=made.uid)
    _look(uid, (WORKER,))
    seen = WorkItem.objects.get(pk=item.pk).requested
    _look(uid, (WORKER,), replace(factories.FACTS, accelerators=("vendor.example/new",)))
    assert WorkItem.objects.get(pk=item.pk).requested == seen + 1


def _look(uid: UUID, seen: tuple[NodeFacts, ...] | None, facts: HostFacts = factories.FACTS) -> None:
    with transaction.atomic():
        work.request(WorkKind.HOST, uid)
    lease = work.claim(WorkKind.HOST, uid)
    assert lease is not None
    assert observations.record_host(
        lease, uid, HostObservation(ConditionStatus.TRUE, Reason.AS_WANTED, "", facts, seen)
    )
    work.finish(lease)
