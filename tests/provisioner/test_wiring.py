"""A pass's outcome in the queue's verbs, over the real database and a world in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml
from django.utils import timezone

from provisioner import wiring
from provisioner.outcomes import Done, LeaseLost, Permanent, Stall, Transient, Wait
from provisioner.passes import world as reached
from provisioner.ports import NODES
from provisioner.reconcile.memory import Memory
from tenancy.actions import access, clusters, work
from tenancy.enums import AccessState, OperationState, Phase, Reason, WorkKind
from tenancy.models import AccessRequest, HostCluster, Operation, VirtualCluster, WorkItem
from tests import factories
from tests.fakes.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(monkeypatch):
    made = World()
    memory = Memory()
    monkeypatch.setattr(reached, "hosts", made.hosts)
    monkeypatch.setattr(reached, "tenants", made.tenant_apis)
    monkeypatch.setattr(reached, "memory", lambda: memory)
    return made


@pytest.fixture
def cluster(world):
    factories.tenant("demo")
    return factories.cluster(factories.admin(), "demo")


def due_now():
    WorkItem.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def until(world, cluster, condition, passes=40):
    for _ in range(passes):
        due_now()
        wiring.run(WorkKind.CLUSTER, cluster.uid)
        if condition():
            return
        world.tick()
    raise AssertionError


def phase(cluster):
    return VirtualCluster.objects.get(uid=cluster.uid).phase


def item(uid):
    return WorkItem.objects.get(object_id=uid)


def test_a_cluster_from_wish_to_proof_of_absence(world, cluster):
    until(world, cluster, lambda: phase(cluster) == Phase.READY)
    operation = Operation.objects.get(kind="create")
    assert operation.state == OperationState.SUCCEEDED
    assert [s["name"] for s in operation.steps] == [
        "Host",
        "Namespace",
        "Limits",
        "Network rules",
        "Guard rails",
        "Control plane release",
        "API server",
        "Traffic",
        "Sandbox",
        "DNS",
        "Access",
        "Add-ons",
    ]
    assert VirtualCluster.objects.get().endpoint == "https://10.96.0.7"
    clusters.delete(by=factories.admin(), tenant_name="demo", name="first")
    until(world, cluster, lambda: not VirtualCluster.objects.exists())
    assert world.left == {}
    assert not WorkItem.objects.filter(object_id=cluster.uid).exists()


def test_a_finished_pass_answers_the_wish(world, cluster):
    until(world, cluster, lambda: phase(cluster) == Phase.READY)
    found = item(cluster.uid)
    assert found.handled == found.requested
    assert found.lease is None


def test_a_waiting_pass_is_due_again_and_no_failure(world, cluster):
    assert isinstance(wiring.run(WorkKind.CLUSTER, cluster.uid), Wait)
    found = item(cluster.uid)
    assert found.handled < found.requested
    assert found.failures == 0
    assert found.due_at > timezone.now() - timedelta(seconds=1)


def test_what_is_leased_is_left_alone(world, cluster):
    assert work.claim(WorkKind.CLUSTER, cluster.uid) is not None
    assert wiring.run(WorkKind.CLUSTER, cluster.uid) is None
    assert world.left == {}


@pytest.mark.parametrize(
    ("error", "failures", "handled"),
    [
        (Transient("x", Reason.UNEXPECTED), 1, False),
        (ValueError("nobody foresaw"), 1, False),
        (Permanent("x", Reason.CHART_INVALID), 0, True),
    ],
)
def test_errors(world, cluster, monkeypatch, error, failures, handled):
    def fail(_lease, _held):
        raise error

    monkeypatch.setitem(wiring.PASSES, WorkKind.CLUSTER, fail)
    outcome = wiring.run(WorkKind.CLUSTER, cluster.uid)
    found = item(cluster.uid)
    assert (found.failures, found.handled == found.requested, found.lease) == (failures, handled, None)
    assert isinstance(outcome, Stall) is handled


def test_a_lost_lease_leaves_the_row_to_its_holder(world, cluster, monkeypatch):
    def lose(_lease, _held):
        msg = "lost"
        raise LeaseLost(msg)

    monkeypatch.setitem(wiring.PASSES, WorkKind.CLUSTER, lose)
    assert wiring.run(WorkKind.CLUSTER, cluster.uid) is None
    assert item(cluster.uid).lease is not None


def test_a_pass_that_was_overtaken_writes_nothing(world, cluster, monkeypatch):
    """Stopped in mid-pass for longer than the lease: the world and the row are the other one's."""
    from provisioner.reconcile import namespace, stages

    ensure = namespace.ensure

    def overtaken(scope):
        mine = WorkItem.objects.filter(object_id=cluster.uid)
        mine.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert work.claim(WorkKind.CLUSTER, cluster.uid) is not None
        return ensure(scope)

    build = list(stages.BUILD)
    from dataclasses import replace

    build[1] = (replace(build[1][0], run=overtaken),)
    monkeypatch.setattr(stages, "BUILD", tuple(build))
    assert wiring.run(WorkKind.CLUSTER, cluster.uid) is None
    assert phase(cluster) == Phase.PENDING


def test_a_gone_object_is_done(world):
    uid = factories.host().uid
    HostCluster.objects.all().delete()
    due_now()
    work_uid = WorkItem.objects.get(object_id=uid).object_id
    assert wiring.run(WorkKind.HOST, work_uid) == Done()


class TestHost:
    def test_facts_are_kept_and_it_is_looked_at_again(self, world):
        made = factories.host(facts=None)
        world.host.put(NODES, {"metadata": {"name": "worker-1", "uid": "n1"}})
        due_now()
        outcome = wiring.run(WorkKind.HOST, made.uid)
        assert isinstance(outcome, Wait)
        assert outcome.after == 30
        made.refresh_from_db()
        assert (made.reachable, made.facts["version"]) == ("True", "v1.36.3")

    def test_away(self, world):
        made = factories.host()
        world.away = "host 'lab' does not answer (refused): check that it runs"
        due_now()
        assert wiring.run(WorkKind.HOST, made.uid).after == 2
        made.refresh_from_db()
        assert (made.reachable, made.reason, made.message) == ("False", "HostUnreachable", world.away)
        assert made.facts["version"] == "v1.36.3"

    def test_being_built(self, world):
        made = factories.host()
        world.misconfigured, world.building = "no file", "host lab is being built: step 1 of 9 (x)"
        due_now()
        wiring.run(WorkKind.HOST, made.uid)
        made.refresh_from_db()
        assert (made.reason, made.message) == ("HostStarting", world.building)


class TestKubeconfig:
    def ask(self, world, cluster):
        until(world, cluster, lambda: phase(cluster) == Phase.READY)
        return access.request(by=factories.admin(), tenant_name="demo", name="first", lifetime=600)

    def test_is_minted_and_handed_over(self, world, cluster):
        wish = self.ask(world, cluster)
        assert wiring.run(WorkKind.ACCESS, wish.uid) == Done()
        collected = access.collect(by=factories.admin(), uid=wish.uid)
        assert collected.state is AccessState.READY
        document = yaml.safe_load(collected.kubeconfig)
        assert document["current-context"] == "demo-first"
        assert document["clusters"][0]["cluster"]["server"] == "https://10.96.0.7"
        assert document["users"] == [{"name": "root", "user": {"token": "token-of-atoll-owner"}}]
        assert "token-of" not in AccessRequest.objects.get().sealed

    def test_an_account_deleted_by_the_tenant_comes_back(self, world, cluster):
        from provisioner.ports import SERVICE_ACCOUNTS

        wish = self.ask(world, cluster)
        store = next(iter(world.tenants.values()))
        store.drop(SERVICE_ACCOUNTS, "atoll-owner", "atoll-system")
        assert wiring.run(WorkKind.ACCESS, wish.uid) == Done()
        assert access.collect(by=factories.admin(), uid=wish.uid).state is AccessState.READY

    def test_a_host_that_is_away_is_tried_again_then_told(self, world, cluster):
        wish = self.ask(world, cluster)
        world.away = "host 'lab' does not answer"
        assert wiring.run(WorkKind.ACCESS, wish.uid) is None
        assert item(wish.uid).failures == 1
        AccessRequest.objects.update(wanted_until=timezone.now() + timedelta(seconds=40))
        due_now()
        assert wiring.run(WorkKind.ACCESS, wish.uid) == Done()
        collected = access.collect(by=factories.admin(), uid=wish.uid)
        assert collected.state is AccessState.FAILED
        assert "does not answer" in collected.error

    def test_nobody_waits_any_longer(self, world, cluster):
        wish = self.ask(world, cluster)
        AccessRequest.objects.update(wanted_until=timezone.now() - timedelta(seconds=1))
        assert wiring.run(WorkKind.ACCESS, wish.uid) == Done()
        assert AccessRequest.objects.get().sealed == ""
