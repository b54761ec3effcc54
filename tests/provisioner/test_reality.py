"""The ledger beside a host: what is held beyond it, elsewhere, or no longer there; told once, with who did it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from provisioner.ports import NODES as KIND
from provisioner.ports import PODS, Act
from provisioner.reconcile import culprit
from provisioner.reconcile.reality import faults, held
from provisioner.reconcile.reality.check import Check, plain
from tenancy.enums import ActorSource, FindingKind
from tenancy.rules.nodes import NodeFacts, Taint
from tenancy.rules.pools import MOVING, POOL
from tenancy.rules.reality import Account, Shortage
from tenancy.rules.specs import DeviceShare
from tests.fakes.findings import FakeAuditLog, FakeFindings
from tests.fakes.kube import FakeKube, Store, forbidden
from tests.fakes.world import FakeGuard

GPU, NS = "nvidia.com/gpu", "atoll-demo-first-1"
KEY = f"requests.{GPU}"
SHARE = DeviceShare("h100", GPU, 2, {"model": "H100"}, held=2)
ACCOUNT = Account(uuid4(), "demo", "first", NS, built=True, shares=(SHARE,), pools={"h100": "gold"})


def node(name, pool="gold", model="H100", **facts):
    return NodeFacts(name, name, ready=True, schedulable=True, labels={POOL: pool, "model": model}, **facts)


NODES = {"n1": node("n1")}


class Site:
    """A host with some pods, compared with the ledger."""

    def __init__(self):
        self.store, self.audit, self.findings = Store(), FakeAuditLog(), FakeFindings()
        self.kube = FakeKube(self.store, FakeGuard())
        self.open = {}

    def pod(self, name, amount=1, on="n1", resource=GPU, phase="Running"):
        container = {"name": "c", "resources": {"limits": {resource: str(amount)}}}
        metadata = {"name": name, "namespace": NS, "creationTimestamp": f"2026-11-21T10:00:0{name[-1]}Z"}
        spec = {"containers": [container], **({"nodeName": on} if on else {})}
        self.store.put(PODS, {"metadata": metadata, "spec": spec, "status": {"phase": phase}})

    def look(self, account=ACCOUNT, quota="2", used="0", nodes=NODES, now=None):
        """One check; what was used, and the kinds with subjects of the findings that are open then."""
        hard = {"requests.cpu": "1", **({KEY: quota} if quota else {})}
        seen = {"metadata": {"name": "atoll-quota"}, "status": {"hard": hard, "used": {KEY: used}}}
        quotas = {NS: seen} if quota is not None else {}
        seen_now = held.look(self.kube, [account], quotas, [NS], {ns for ns, _ in self.open})
        check = Check("lab", self.kube, self.audit, "us", self.findings, self.open)
        for one in seen_now:
            check.cluster(one, faults.judge(one, now, nodes))
        self.open = {(NS, s): plain(d.details) for s, d in self.findings.open.items()}
        return held.used(seen_now), {d.kind: d.subject for d in self.findings.open.values()}


@pytest.fixture
def site():
    return Site()


def test_what_the_ledger_gives_is_in_order_and_counted_by_node(site):
    site.pod("p1")
    site.pod("p2")
    site.pod("p3", phase="Succeeded")
    site.pod("p4", amount=0, on="")
    assert site.look(used="2") == ({ACCOUNT.uid: {"h100": {"n1": 2}}}, {})


def test_a_pod_beyond_it_is_told_with_who_made_it_until_it_is_gone(site):
    for name in ("p1", "p2", "p3"):
        site.pod(name)
    act = Act("mallory", "create", datetime(2026, 11, 21, 10, 0, 3, tzinfo=UTC), ("10.0.0.9",))
    site.audit.acts.append((culprit.target(PODS, "p3", NS), act))
    _, found = site.look(used="3")
    assert found == {FindingKind.DEVICES_OVER: f"Devices {GPU}"}
    (drift,) = site.findings.told
    assert (drift.culprit.name, drift.culprit.source) == ("mallory", ActorSource.AUDIT_LOG)
    assert [(d.path, d.wanted, d.seen) for d in drift.details] == [
        (f"pods {GPU}", "at most 2", "3"),
        (f"used {KEY}", "at most 2", "3"),
    ]
    site.look(used="3")
    assert len(site.findings.told) == 1
    site.store.drop(PODS, "p3", NS)
    assert site.look(used="2")[1] == {}
    assert site.findings.closed == [f"Devices {GPU}"]


@pytest.mark.parametrize("quota", ["3", "", None])
def test_a_quota_that_is_wide_or_missing_is_told(site, quota):
    assert site.look(quota=quota)[1] == {FindingKind.DEVICES_OVER: f"Devices {GPU}"}


def test_a_quota_on_its_way_up_or_down_is_in_order(site):
    assert site.look(quota="1")[1] == {}
    lowered = replace(ACCOUNT, shares=(replace(SHARE, amount=0),))
    assert site.look(lowered, quota="2", used="2")[1] == {}


def test_devices_given_while_the_host_was_looked_at_are_in_order(site):
    before = replace(ACCOUNT, shares=())
    assert site.look(before, quota="2", now=ACCOUNT)[1] == {}
    assert FindingKind.DEVICES_OVER in site.look(before, quota="2", now=before)[1]


def test_devices_under_another_name_are_told(site):
    site.pod("p1", resource="amd.com/gpu")
    assert site.look()[1] == {FindingKind.DEVICES_OVER: "Devices amd.com/gpu"}


@pytest.mark.parametrize("elsewhere", [node("n1", pool="silver"), node("n1", model="A100")])
def test_pods_on_other_nodes_than_granted_are_told(site, elsewhere):
    site.pod("p1")
    nodes = {"n1": elsewhere}
    assert site.look(nodes=nodes)[1] == {FindingKind.DEVICES_MISPLACED: "Devices h100 elsewhere"}
    assert site.look()[1] == {}


def test_a_node_that_is_being_emptied_is_no_fault(site):
    site.pod("p1")
    leaving = node("n1", pool="", taints=(Taint(MOVING, "NoExecute", "true"),))
    assert site.look(nodes={"n1": leaving})[1] == {}


def test_what_was_amiss_is_looked_at_until_it_is_settled(site):
    site.pod("p1")
    none = replace(ACCOUNT, shares=())
    assert site.look(none, quota="0", used="1")[1] == {FindingKind.DEVICES_OVER: f"Devices {GPU}"}
    site.store.drop(PODS, "p1", NS)
    assert site.look(none, quota="0")[1] == {}


def test_a_namespace_that_cannot_be_read_or_has_nothing_tells_nothing(site):
    site.store.refuse = forbidden("pods")
    assert site.look() == ({}, {})
    site.store.refuse = lambda _verb, _key: AssertionError("not asked")
    assert site.look(replace(ACCOUNT, shares=()), quota="0") == ({}, {})


def test_a_pool_with_too_few_devices_is_told_with_who_cordoned(site):
    site.store.put(KIND, {"metadata": {"name": "n1"}})
    act = Act("carol", "patch", datetime.now(UTC), ())
    site.audit.acts.append((culprit.target(KIND, "n1", ""), act))
    check = Check("lab", site.kube, site.audit, "us", site.findings, {})
    check.pools([Shortage("gold", "h100", 2, 4)], [replace(NODES["n1"], schedulable=False)])
    (drift,) = site.findings.told
    assert (drift.kind, drift.culprit.name) == (FindingKind.DEVICES_SHORT, "carol")
    assert "nothing is granted there before" in drift.next_step
    check.open = {("", drift.subject): plain(drift.details)}
    check.pools([], [])
    assert site.findings.open == {}
