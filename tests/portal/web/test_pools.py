"""Pages of node pools, and the choice of one for a new cluster."""

from __future__ import annotations

import pytest
from django.test import Client

from tenancy.actions import nodes, pools, work
from tenancy.actions.pools import PoolWish
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole, PoolKind, WorkKind
from tenancy.models import HostCluster, Node, NodePool, VirtualCluster
from tenancy.queries import nodes as reads
from tenancy.rules.moves import NodeObservation
from tenancy.rules.nodes import NodeFacts
from tests import factories
from tests.portal.web.conftest import World, shown

HOME = "/hosts/lab/pools"


@pytest.fixture
def blue(world: World) -> Node:
    see(NodeFacts("blue", "uid-blue", ready=True, schedulable=True))
    return Node.objects.get(name="blue")


def see(*facts: NodeFacts) -> None:
    with atomic():
        nodes.merge(HostCluster.objects.get(), facts)


def gold(tenant: str = "team") -> NodePool:
    wish = PoolWish(kind=PoolKind.DEDICATED, tenant=tenant)
    return pools.put(by=factories.admin(), host_name="lab", name="gold", wish=wish)[0]


def arrive(node: Node) -> None:
    """The pass that brings a node to where it is to be."""
    lease = work.claim(WorkKind.NODE, node.uid)
    move = reads.running_move(node)
    assert lease is not None
    assert move is not None
    nodes.hand_over(lease, node.uid, move.uid)
    nodes.record(lease, node.uid, NodeObservation(move.uid, (), {}, done=True))
    work.finish(lease)


def test_a_pool_is_made_and_a_node_moved_into_it(world: World, blue: Node) -> None:
    client = world.client("root")
    assert "tenants' pods run on the nodes that the host's workload selector names" in shown(client.get(HOME))
    made = client.post(HOME, {"name": "gold", "kind": "dedicated", "tenant": "team", "selector": ""})
    assert made.status_code == 302
    assert "Move nodes into it below" in shown(client.get(HOME))
    assert client.post("/hosts/lab/nodes/blue/move", {"pool": "gold"}).status_code == 302
    said = shown(client.get(HOME))
    assert "on its way to gold" in said
    assert "Waiting for a worker" in said
    assert "several" in said
    arrive(blue)
    said = shown(client.get(HOME))
    assert "on its way" not in said
    assert "gold dedicated team blue none" in said
    assert client.post(f"{HOME}/gold/remove").status_code == 409


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "Gold"}, "metadata.name"),
        ({"name": "gold", "selector": "disk"}, "“disk” is no label and value"),
        ({"name": "gold", "kind": "shared", "tenant": "team"}, "A shared pool is everybody"),
    ],
)
def test_a_fault_is_told_beside_its_field_and_keeps_what_was_typed(
    world: World, given: dict[str, str], words: str
) -> None:
    client = world.client("root")
    response = client.post(HOME, {"kind": "dedicated", **given})
    assert response.status_code == 422
    assert words.removeprefix("metadata.") in shown(response)
    assert given["name"] in response.content.decode()
    assert not NodePool.objects.exists()


def test_a_node_that_does_not_fit_is_refused_with_the_reason(world: World, blue: Node) -> None:
    wish = PoolWish(kind=PoolKind.SHARED, selector={"disk": "ssd"})
    pools.put(by=factories.admin(), host_name="lab", name="fast", wish=wish)
    response = world.client("root").post("/hosts/lab/nodes/blue/move", {"pool": "fast"})
    assert response.status_code == 409
    assert "lacks the label disk=ssd" in shown(response)


def test_an_auditor_looks_and_changes_nothing(world: World, blue: Node) -> None:
    gold()
    client = Client()
    client.force_login(factories.user("olga", PlatformRole.AUDITOR))
    said = client.get(HOME).content.decode()
    assert "gold" in said
    assert "<select" not in said
    assert client.post(HOME, {"name": "x", "kind": "shared"}).status_code == 403


def test_live_nodes_come_anew_only_when_they_changed(world: World, blue: Node) -> None:
    client = world.client("root")
    page = client.get(f"{HOME}/live")
    seen = page.content.decode().split("seen=")[1].split('"')[0]
    assert client.get(f"{HOME}/live?seen={seen}").status_code == 204
    gold()
    nodes.move(by=factories.admin(), host_name="lab", name="blue", pool_name="gold")
    assert client.get(f"{HOME}/live?seen={seen}").status_code == 200


def test_a_new_cluster_may_be_put_on_nodes_of_its_own(world: World, blue: Node) -> None:
    client = world.client("alice")
    assert "Shared nodes" not in shown(client.get("/clusters/new"))
    gold()
    nodes.move(by=factories.admin(), host_name="lab", name="blue", pool_name="gold")
    arrive(blue)
    assert "Pool gold 1 node of your own" in shown(client.get("/clusters/new"))
    body = {"tenant": "team", "name": "own", "size": "small", "version": "1.36", "pool": "gold"}
    assert client.post("/clusters/new", body).status_code == 302
    cluster = VirtualCluster.objects.get()
    assert cluster.pool is not None
    assert cluster.pool.name == "gold"


def test_what_the_pools_nodes_cannot_run_is_refused_though_others_can(world: World, blue: Node) -> None:
    see(
        NodeFacts("blue", "uid-blue", ready=True, schedulable=True, handlers={"runc": True}),
        NodeFacts("green", "uid-green", ready=True, schedulable=True, handlers={"runsc": True}),
    )
    gold()
    nodes.move(by=factories.admin(), host_name="lab", name="blue", pool_name="gold")
    arrive(blue)
    body = {
        "tenant": "team",
        "name": "own",
        "size": "small",
        "version": "1.36",
        "pool": "gold",
        "sandbox": "gvisor",
    }
    response = world.client("alice").post("/clusters/new", body)
    assert response.status_code == 422
    assert "runsc" in shown(response)
    assert not VirtualCluster.objects.exists()


def test_devices_are_reserved_and_what_the_form_does_not_show_is_kept(world: World) -> None:
    factories.accelerator()
    pool = factories.gpu_pool(4)
    NodePool.objects.filter(pk=pool.pk).update(accelerators=["gpu"], tainted=False)
    client = world.client("root")
    body = {"name": "gpus", "kind": "shared", "tenant": "", "selector": "", "reserved": "gpu=3"}
    assert client.post(HOME, body).status_code == 302
    pool.refresh_from_db()
    assert (pool.reserved, pool.accelerators, pool.tainted) == ({"gpu": 3}, ["gpu"], False)
    assert "3 gpu reserved" in shown(client.get(HOME))
    assert 'value="gpu=3"' in client.get(f"{HOME}?pool=gpus").content.decode()
    for wrong, told in (("gpu=x", "is no number of devices"), ("gpu", "write class=value"), ("tpu=1", "tpu")):
        answer = client.post(HOME, {**body, "reserved": wrong})
        assert answer.status_code == 422
        assert told in shown(answer)
    assert client.post(HOME, {**body, "reserved": ""}).status_code == 302
    pool.refresh_from_db()
    assert pool.reserved == {}
