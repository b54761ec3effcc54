from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from tenancy.actions import clusters, nodes, pools, tenants, work
from tenancy.actions.pools import PoolWish
from tenancy.actions.unit import atomic
from tenancy.enums import OperationState, PoolKind, Sandbox, WorkKind
from tenancy.errors import Conflict, Invalid
from tenancy.models import AuditEvent, Node, NodeMove, NodePool, WorkItem
from tenancy.queries import clusters as cluster_reads
from tenancy.queries import nodes as reads
from tenancy.rules.moves import NodeObservation
from tenancy.rules.nodes import NodeFacts, Taint
from tenancy.rules.pools import POOL, SEVERAL, TENANT
from tests import factories

pytestmark = pytest.mark.django_db

BLUE = NodeFacts("blue", "uid-blue", ready=True, schedulable=True, labels={"zone": "a"})
GREEN = NodeFacts("green", "uid-green", ready=True, schedulable=True, labels={"zone": "b"})


@pytest.fixture
def admin():
    return factories.admin()


@pytest.fixture
def host():
    made = factories.host()
    see(made, BLUE, GREEN)
    return made


@pytest.fixture
def alice(host):
    return factories.actor("alice")


@pytest.fixture
def acme(alice):
    return factories.tenant("acme", owner=alice)


def see(host, *facts):
    with atomic():
        nodes.merge(host, facts)


def pool(admin, name="gold", tenant="acme", **wish):
    given = PoolWish(kind=PoolKind.DEDICATED, tenant=tenant, **wish)
    return pools.put(by=admin, host_name="lab", name=name, wish=given)


def move(admin, name="blue", to="gold", **options):
    return nodes.move(by=admin, host_name="lab", name=name, pool_name=to, **options)


def running(name="blue"):
    return NodeMove.objects.get(node__name=name, state=OperationState.RUNNING)


def arrive(name="blue"):
    """One pass that saw everything through."""
    node = Node.objects.get(name=name)
    lease = work.claim(WorkKind.NODE, node.uid)
    assert lease is not None
    wanted = running(name).uid
    assert nodes.hand_over(lease, node.uid, wanted)
    assert nodes.record(lease, node.uid, NodeObservation(wanted, (), {"seen": "gone"}, done=True))
    work.finish(lease)


def ask(alice, name="first", tenant="acme", **isolation):
    text = json.dumps({"isolation": isolation})
    return clusters.put(by=alice, tenant_name=tenant, name=name, spec_text=text).cluster


def refused(alice, **isolation):
    with pytest.raises(Invalid) as error:
        ask(alice, **isolation)
    return {(fault.path, fault.code) for fault in error.value.errors}


def test_a_pool_is_made_changed_and_left_alone(admin, host, acme):
    made, new = pool(admin)
    assert (new, made.tenant_name, made.tainted) == (True, "acme", True)
    assert pool(admin) == (made, False)
    assert AuditEvent.objects.filter(action="pool.update").count() == 0
    changed, _ = pool(admin, selector={"zone": "a"})
    assert changed.selector == {"zone": "a"}
    assert AuditEvent.objects.get(action="pool.update").facts["changes"] == {
        "selector": {"from": {}, "to": {"zone": "a"}}
    }


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        (PoolWish(kind=PoolKind.SHARED, tenant="acme"), "spec.tenant"),
        (PoolWish(kind=PoolKind.DEDICATED, tenant="nobody"), "spec.tenant"),
        (PoolWish(kind=PoolKind.DEDICATED, tainted=False), "spec.tainted"),
    ],
)
def test_a_pool_that_cannot_be(admin, host, acme, wish, path):
    with pytest.raises(Invalid) as error:
        pools.put(by=admin, host_name="lab", name="gold", wish=wish)
    assert [fault.path for fault in error.value.errors] == [path]


def test_the_database_refuses_a_shared_pool_with_a_tenant(host, acme):
    with pytest.raises(IntegrityError), transaction.atomic():
        NodePool.objects.create(host=host, name="x", kind=PoolKind.SHARED, tenant=acme)


def test_a_pool_keeps_its_kind(admin, host, acme):
    pool(admin)
    with pytest.raises(Invalid, match="stays dedicated"):
        pools.put(by=admin, host_name="lab", name="gold", wish=PoolWish())


def test_a_fresh_node_is_wiped_on_its_way_into_a_dedicated_pool(admin, host, acme):
    pool(admin)
    moved = move(admin)
    wanted = reads.desired(moved.uid)
    assert moved.holder == SEVERAL
    assert wanted is not None
    assert wanted.move is not None
    assert (wanted.move.wipe, wanted.move.clear, wanted.pool.tenant) == (True, True, "acme")
    arrive()
    moved.refresh_from_db()
    assert moved.holder == str(acme.uid)
    assert NodeMove.objects.get().evidence == {"seen": "gone"}
    assert reads.desired(moved.uid).move is None


def test_the_same_wish_twice_is_one_move(admin, host, acme):
    pool(admin)
    move(admin)
    move(admin)
    assert NodeMove.objects.count() == 1
    move(admin, discard_volumes=True)
    assert [m.state for m in NodeMove.objects.all()] == ["running", "superseded"]


def test_between_pools_of_one_tenant_nothing_is_wiped_but_pods_go(admin, host, acme):
    pool(admin)
    pool(admin, "silver")
    move(admin)
    arrive()
    wanted = reads.desired(move(admin, to="silver").uid)
    assert (wanted.move.wipe, wanted.move.clear) == (False, True)


def test_from_a_tenant_to_all_it_is_wiped(admin, host, acme):
    pool(admin)
    move(admin)
    arrive()
    wanted = reads.desired(move(admin, to=None).uid)
    assert (wanted.move.wipe, wanted.pool) == (True, None)


def test_among_shared_nodes_nothing_has_to_go(admin, host):
    pools.put(by=admin, host_name="lab", name="all", wish=PoolWish())
    wanted = reads.desired(move(admin, to="all").uid)
    assert (wanted.move.wipe, wanted.move.clear) == (False, False)


def test_a_move_turned_back_before_it_was_done_remembers_whose_the_node_was(admin, host, acme):
    factories.tenant("other")
    pool(admin)
    pool(admin, "theirs", tenant="other")
    move(admin)
    arrive()
    move(admin, to="theirs")
    move(admin, to=None)
    found = running()
    assert (found.source, found.tenant_before, found.target) == ("gold", "acme", "")
    assert Node.objects.get(name="blue").holder == str(acme.uid)


def test_what_an_overtaken_pass_saw_is_not_taken(admin, host, acme):
    pool(admin)
    node = move(admin)
    old = running().uid
    lease = work.claim(WorkKind.NODE, node.uid)
    move(admin, to=None)
    assert not nodes.hand_over(lease, node.uid, old)
    assert not nodes.record(lease, node.uid, NodeObservation(old, (), {}, done=True))
    node.refresh_from_db()
    assert node.holder == SEVERAL


def test_a_node_must_fit(admin, host, acme):
    pool(admin, selector={"zone": "a"})
    with pytest.raises(Invalid, match="lacks the label zone=a"):
        move(admin, "green")
    host.control_plane_selector = {"zone": "a"}
    host.save()
    with pytest.raises(Invalid, match="control planes"):
        move(admin, "blue")


def test_a_node_without_the_runtime_a_pool_promises_is_refused(admin, host, acme):
    pool(admin, sandboxes=(Sandbox.GVISOR,))
    see(host, replace(BLUE, handlers={"runc": True}), GREEN)
    with pytest.raises(Invalid, match="no runtime for gVisor"):
        move(admin)
    see(host, replace(BLUE, handlers={"runc": True, "runsc": False}), GREEN)
    assert move(admin).pool.name == "gold"


def test_a_pool_given_to_another_tenant_wipes_its_nodes(admin, host, acme):
    factories.tenant("other")
    pool(admin)
    move(admin)
    arrive()
    pool(admin, tenant="other")
    found = running()
    assert (found.source, found.target, found.tenant_before, found.tenant_after) == (
        "gold",
        "gold",
        "acme",
        "other",
    )
    assert reads.desired(found.node_id).move.wipe


def test_a_pool_in_use_is_kept(admin, host, acme, alice):
    pool(admin)
    move(admin)
    arrive()
    made = ask(alice, model="dedicated-pool")
    with pytest.raises(Conflict, match="carries acme/first"):
        pool(admin, tenant="")
    with pytest.raises(Conflict, match="carries acme/first"):
        pools.delete(by=admin, host_name="lab", name="gold")
    made.delete()
    with pytest.raises(Conflict, match="still has blue"):
        pools.delete(by=admin, host_name="lab", name="gold")
    with pytest.raises(Conflict, match="node pools"):
        tenants.delete(by=admin, name="acme")


def test_a_cluster_on_a_dedicated_pool(admin, host, acme, alice):
    pool(admin)
    move(admin)
    made = ask(alice, model="dedicated-pool")
    found = cluster_reads.effective(made)
    assert (found.model, found.pool) == ("dedicated-pool", "gold")
    assert found.node_selector == {POOL: "gold", TENANT: "acme"}
    assert found.tolerations == (f"{POOL}=gold:NoExecute",)
    assert cluster_reads.effective(ask(alice, "named", pool="gold")).pool == "gold"
    assert cluster_reads.effective(ask(alice, "silent")).pool == ""


def test_why_a_pool_cannot_be_had(admin, host, acme, alice):
    assert refused(alice, model="dedicated-pool") == {("spec.isolation.model", "not-offered")}
    assert refused(alice, pool="gold") == {("spec.isolation.pool", "not-offered")}
    pool(admin)
    assert refused(alice, pool="gold") == {("spec.isolation.pool", "not-offered")}  # no node yet
    move(admin)
    assert refused(alice, model="shared", pool="gold") == {("spec.isolation.pool", "contradiction")}
    assert refused(alice, model="dedicated-pool", pool="tin") == {("spec.isolation.pool", "not-offered")}
    pool(admin, "silver")
    assert refused(alice, model="dedicated-pool") == {("spec.isolation.pool", "required")}
    pool(admin, sandboxes=(Sandbox.KATA,))
    assert refused(alice, pool="gold", sandbox="gvisor") == {("spec.isolation.sandbox", "not-offered")}
    assert refused(alice, pool="gold") == {("spec.isolation.sandbox", "not-offered")}


def test_another_tenants_pool_looks_like_none(admin, host, acme, alice):
    factories.tenant("other")
    pool(admin, tenant="other")
    move(admin)
    with pytest.raises(Invalid) as error:
        ask(alice, pool="gold")
    assert "no node pool of host 'lab' is assigned to this tenant" in error.value.detail


def test_a_cluster_stays_on_its_nodes(admin, host, acme, alice):
    pool(admin)
    move(admin)
    ask(alice, "mine", model="dedicated-pool")
    ask(alice, "shared")
    for name, isolation in (
        ("mine", {}),
        ("mine", {"model": "shared"}),
        ("mine", {"pool": "tin"}),
        ("shared", {"pool": "gold"}),
    ):
        with pytest.raises(Invalid, match="for life"):
            ask(alice, name, **isolation)
    assert ask(alice, "mine", pool="gold").generation == 2


def test_shared_clusters_take_the_shared_pool_once_a_node_wears_its_label(admin, host, acme, alice):
    host.workload_selector = {"role": "worker"}
    host.save()
    see(host, replace(BLUE, labels={"role": "worker"}), GREEN)
    made = ask(alice)
    pools.put(by=admin, host_name="lab", name="all", wish=PoolWish())
    move(admin, to="all")
    assert cluster_reads.desired(made.uid).effective.node_selector == {"role": "worker"}
    arrive()
    see(host, replace(BLUE, labels={POOL: "all"}, taints=(Taint(POOL, "NoSchedule", "all"),)), GREEN)
    found = cluster_reads.desired(made.uid).effective
    assert (found.node_selector, found.pool) == ({POOL: "all"}, "all")


def test_a_node_that_vanishes_is_remembered_and_wiped_when_it_is_made_anew(admin, host, acme):
    pool(admin)
    move(admin)
    arrive()
    see(host, GREEN)
    node = Node.objects.get(name="blue")
    assert (node.present, node.holder) == (False, str(acme.uid))
    assert [f.name for f in reads.seen(host.uid)] == ["green"]
    pool(admin, "silver")
    with pytest.raises(Conflict, match="bring it back"):
        move(admin, to="silver")
    see(host, replace(BLUE, uid="uid-again"), GREEN)
    node.refresh_from_db()
    assert (node.present, node.holder) == (True, SEVERAL)
    assert "made anew" in running().cause
    assert reads.desired(node.uid).move.wipe


def test_a_node_that_nobody_needs_to_remember_goes(host):
    see(host, GREEN)
    assert not Node.objects.filter(name="blue").exists()


def test_drift_of_a_settled_node_is_looked_after(admin, host, acme):
    pool(admin)
    node = move(admin)
    arrive()
    asked = WorkItem.objects.get(kind=WorkKind.NODE, object_id=node.uid).requested
    worn = {POOL: "gold", TENANT: "acme"}
    see(host, replace(BLUE, labels=worn, taints=(Taint(POOL, "NoExecute", "gold"),)), GREEN)
    assert WorkItem.objects.get(kind=WorkKind.NODE, object_id=node.uid).requested == asked
    see(host, replace(BLUE, labels=worn), GREEN)
    assert WorkItem.objects.get(kind=WorkKind.NODE, object_id=node.uid).requested == asked + 1
