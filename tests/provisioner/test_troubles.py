"""Whatever keeps a cluster from being built reads as what it is, and what to do."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from provisioner.outcomes import LeaseLost, Stall, Wait
from provisioner.ports import (
    EVENTS,
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    SECRETS,
    STATEFUL_SETS,
    Busy,
    Rejected,
    Unreachable,
)
from provisioner.reconcile import labels, network
from provisioner.reconcile.pods import explain
from tenancy.enums import ConditionStatus, ConditionType, Exposure, Reason
from tests.fakes.kube import forbidden
from tests.fakes.world import FakeGuard
from tests.provisioner.harness import HOST, NS, WANTED, transient


def pod(**status):
    spec = {"containers": [{"name": "syncer", "image": "ghcr.io/x/vcluster:1"}]}
    return {"metadata": {"name": "cluster-0"}, "spec": spec, "status": status}


def waiting(reason, message="", **more):
    return {
        "containerStatuses": [
            {"name": "syncer", "state": {"waiting": {"reason": reason, "message": message}}, **more}
        ]
    }


class TestHost:
    def test_away(self, team):
        team.world.away = "host 'lab' does not answer (refused): check that it runs"
        outcome = team.once()
        assert outcome == Wait(10.0, Reason.HOST_UNREACHABLE, team.world.away)
        assert team.condition(ConditionType.HOST_REACHABLE).status is ConditionStatus.FALSE

    def test_away_is_not_asked_again_for_each_cluster(self, team):
        team.world.away = "away"
        team.once()
        team.world.away = ""
        team.world.host.refuse = lambda _v, _k: None
        assert team.once().reason is Reason.HOST_UNREACHABLE

    def test_being_built(self, team):
        team.world.misconfigured = "no kubeconfig"
        team.world.building = "host lab is being built: step 3 of 14 (kubelet)"
        assert team.once() == Wait(1.0, Reason.HOST_STARTING, team.world.building)
        assert team.reason(ConditionType.HOST_REACHABLE) is Reason.HOST_STARTING

    def test_misconfigured(self, team):
        team.world.misconfigured = "kubeconfig runs a program (exec): give a token instead"
        assert team.once().reason is Reason.HOST_MISCONFIGURED

    def test_not_looked_at_yet(self, team):
        team.wanted = replace(WANTED, effective=None, host=replace(HOST, facts=None))
        assert "is being read" in team.once().message

    def test_without_a_sandbox_for_this_tenant(self, team):
        team.wanted = replace(WANTED, effective=None, refusal="no RuntimeClass: install gVisor")
        outcome = team.once()
        assert outcome.reason is Reason.SANDBOX_UNAVAILABLE
        assert "install gVisor" in outcome.message

    def test_a_fault_on_the_way_leaves_what_is_known(self, team):
        team.until_settled()
        team.restart()
        fault = Unreachable("timed out", Reason.HOST_UNREACHABLE)
        team.world.host.refuse = lambda verb, key: fault if key[0] == "networkpolicies" else None
        assert team.once() is None
        assert transient(team)
        assert team.condition(ConditionType.NETWORK_ISOLATED).status is ConditionStatus.UNKNOWN
        assert team.condition(ConditionType.CONTROL_PLANE_AVAILABLE).true

    def test_a_third_of_all_calls_failing_only_takes_longer(self, team):
        chance = random.Random(3)
        busy = Busy("500", Reason.HOST_UNREACHABLE)
        team.world.host.refuse = lambda _verb, _key: busy if chance.random() < 1 / 3 else None
        team.until_settled(passes=200)
        assert team.condition(ConditionType.AVAILABLE).true


class TestNamespace:
    def test_of_somebody_else(self, team):
        team.world.host.put(NAMESPACES, {"metadata": {"name": NS}})
        outcome = team.once()
        assert isinstance(outcome, Stall)
        assert outcome.reason is Reason.CONFLICT
        assert team.condition(ConditionType.STALLED).true
        assert team.world.host.names(RESOURCE_QUOTAS) == []

    def test_of_an_earlier_cluster_of_that_name(self, team):
        worn = {**labels.of(WANTED), labels.UID: "another"}
        team.world.host.put(NAMESPACES, {"metadata": {"name": NS, "labels": worn}})
        assert team.once().reason is Reason.CONFLICT

    def test_rights_that_never_come(self, team):
        team.world.host.refuse = forbidden("resourcequotas")
        outcome = team.once()
        assert outcome.reason is Reason.FORBIDDEN
        assert "rights" in outcome.message

    def test_a_younger_pass_fences_off_an_older_one(self, team):
        team.guard = FakeGuard(fence=7)
        team.once()
        straggler = FakeGuard(fence=6)
        straggler.held = False
        team.guard = straggler
        before = list(team.world.host.writes)
        with pytest.raises(LeaseLost):
            team.once()
        assert team.world.host.writes == before

    def test_a_restored_database_goes_on(self, team):
        """Its wishes count from below what the host saw, but the queue says that the lease is ours."""
        team.guard = FakeGuard(fence=7)
        team.once()
        team.guard = FakeGuard(fence=3)
        team.until_settled()
        seen = team.world.host.seen(NAMESPACES, NS)
        assert seen["metadata"]["annotations"][labels.FENCE] == "3"


class TestRelease:
    def test_a_refused_chart_stalls(self, team):
        team.world.helm_fault = Rejected("values don't meet the schema", Reason.CHART_INVALID)
        assert team.once() is None
        assert team.condition(ConditionType.STALLED).true
        assert team.reason(ConditionType.RELEASED) is Reason.CHART_INVALID

    def test_a_failing_helm_is_tried_again(self, team):
        team.world.helm_fault = Busy("Helm failed", Reason.RELEASE_FAILED)
        assert team.once() is None
        assert transient(team)
        team.world.helm_fault = None
        team.until_settled()

    def test_a_lost_lease_stops_before_helm(self, team):
        team.guard.held = False
        with pytest.raises(LeaseLost):
            team.once()
        assert team.world.left == {}


class TestControlPlane:
    def trouble(self, team, **status):
        team.world.pod_trouble = {k: v for k, v in pod(**status).items() if k != "metadata"}
        for _ in range(4):
            outcome = team.once()
            team.world.tick()
        assert team.reason(ConditionType.CONTROL_PLANE_AVAILABLE) is outcome.reason
        return outcome

    def test_an_image_that_cannot_be_had(self, team):
        outcome = self.trouble(team, **waiting("ImagePullBackOff", "not found"))
        assert outcome.reason is Reason.IMAGE_MISSING
        assert "ghcr.io/x/vcluster:1" in outcome.message
        assert "load it" in outcome.message

    def test_a_crash_loop(self, team):
        ended = {"terminated": {"exitCode": 2, "message": "unknown field foo"}}
        outcome = self.trouble(team, **waiting("CrashLoopBackOff", "back-off", lastState=ended))
        assert outcome.reason is Reason.CRASH_LOOPING
        assert "unknown field foo" in outcome.message

    def test_no_node(self, team):
        condition = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes: Insufficient cpu"}
        outcome = self.trouble(team, conditions=[condition], phase="Pending")
        assert outcome.reason is Reason.PODS_PENDING
        assert "Insufficient cpu" in outcome.message

    def test_a_quota_that_admits_no_pod(self, team):
        team.once()
        said = {"involvedObject": {"kind": "StatefulSet", "name": "cluster"}, "reason": "FailedCreate"}
        event = {
            "metadata": {"name": "e1", "namespace": NS},
            "message": "exceeded quota: atoll-quota",
            **said,
        }
        team.world.host.put(EVENTS, event)
        team.once()
        assert team.reason(ConditionType.CONTROL_PLANE_AVAILABLE) is Reason.QUOTA_EXCEEDED
        assert "atoll-quota" in team.condition(ConditionType.CONTROL_PLANE_AVAILABLE).message

    def test_an_api_that_is_not_ready_says_what_is_not(self, team):
        team.once()
        team.world.tick()
        team.world.tick()
        team.world.tenants[NS].unready = "[-]etcd failed"
        outcome = team.once()
        assert outcome.reason is Reason.NOT_READY
        assert "etcd" in outcome.message

    def test_a_dead_one_makes_a_ready_cluster_unavailable(self, team):
        team.until_settled()
        team.world.tenants.clear()
        team.world.host.put(
            PODS,
            {
                **pod(phase="Pending"),
                "metadata": {"name": "cluster-0", "namespace": NS, "labels": labels.CONTROL_PLANE},
            },
        )
        team.once()
        assert not team.condition(ConditionType.AVAILABLE).true

    @pytest.mark.parametrize(
        ("exposure", "service", "expected"),
        [
            (Exposure.CLUSTER_IP, {"spec": {"clusterIP": "10.0.0.9"}}, "10.0.0.9:443"),
            (Exposure.CLUSTER_IP, {"spec": {"clusterIP": "fd00::9"}}, "[fd00::9]:443"),
            (Exposure.LOAD_BALANCER, {"spec": {}}, None),
            (
                Exposure.LOAD_BALANCER,
                {"spec": {}, "status": {"loadBalancer": {"ingress": [{"hostname": "a.b"}]}}},
                "a.b:443",
            ),
            (Exposure.NODE_PORT, {"spec": {"ports": [{"nodePort": 30001}]}}, "192.0.2.4:30001"),
        ],
    )
    def test_address(self, team, exposure, service, expected):
        from provisioner.ports import NODES
        from provisioner.reconcile.exposure import address

        addresses = [{"type": "InternalIP", "address": "192.0.2.4"}]
        team.world.host.put(NODES, {"metadata": {"name": "n"}, "status": {"addresses": addresses}})
        host = team.world.hosts().open(HOST, team.guard).kube
        assert address(exposure, service, host) == expected

    def test_a_node_that_is_down_is_not_where_people_are_sent(self, team):
        from provisioner.ports import NODES
        from provisioner.reconcile.exposure import address

        for number, ready in ((1, "Unknown"), (2, "True"), (3, "True")):
            status = {
                "addresses": [{"type": "InternalIP", "address": f"192.0.2.{number}"}],
                "conditions": [{"type": "Ready", "status": ready}],
            }
            team.world.host.put(NODES, {"metadata": {"name": f"n{number}"}, "status": status})
        host = team.world.hosts().open(HOST, team.guard).kube
        service = {"spec": {"ports": [{"nodePort": 30001}]}}
        assert address(Exposure.NODE_PORT, service, host) == "192.0.2.2:30001"

    @pytest.mark.parametrize(
        ("exposure", "name"),
        [
            (Exposure.CLUSTER_IP, ""),
            (Exposure.NODE_PORT, "cluster.atoll-a-b-0123.svc"),
            (Exposure.LOAD_BALANCER, "cluster.atoll-a-b-0123.svc"),
        ],
    )
    def test_what_the_certificate_is_checked_for(self, exposure, name):
        from provisioner.reconcile.exposure import server_name

        assert server_name(exposure, "atoll-a-b-0123") == name


class TestExplain:
    def test_no_pod(self):
        assert explain([], "DNS") == (Reason.WAITING, "waiting for DNS to be scheduled")

    def test_the_gravest_counts(self):
        reason, _ = explain([pod(**waiting("ContainerCreating")), pod(**waiting("ErrImagePull"))], "x")
        assert reason is Reason.IMAGE_MISSING

    def test_a_long_foreign_message_is_cut(self):
        _, message = explain([pod(**waiting("ErrImagePull", "a\n" * 1000))], "x")
        assert "\n" not in message
        assert len(message) < 500


class TestPolicies:
    def test_everything_is_denied_first(self):
        deny = network.policies(WANTED)[0]
        assert deny["spec"] == {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [],
        }

    def test_no_rule_is_open(self):
        """An empty list of peers or ports in a rule means all of them."""
        for policy in network.policies(WANTED):
            for rule in policy["spec"]["egress"]:
                assert rule["to"]
                assert all(peer for peer in rule["to"])
            for rule in policy["spec"]["ingress"]:
                assert rule["from"]

    def test_only_the_host_api_and_clients_are_named_by_address(self):
        text = str(network.policies(WANTED))
        assert text.count("ipBlock") == 2
        assert "172.30.0.1/32" in text

    def test_tenant_pods_reach_no_address(self):
        tenant = network.policies(WANTED)[1]
        assert "ipBlock" not in str(tenant)

    def test_ipv6_api(self):
        facts = replace(HOST.facts, api_addresses=("[fd00::1]:6443",))
        wanted = replace(WANTED, host=replace(HOST, facts=facts))
        assert "fd00::1/128" in str(network.policies(wanted))


def test_quota_closes_what_tenants_may_not_have(team):
    team.once()
    hard = team.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "0"
    assert hard["services.nodeports"] == "0"
    assert hard["services.loadbalancers"] == "0"
    assert hard["requests.storage"] == "25600Mi"


def test_the_release_is_made_of_the_rendered_values(team):
    from provisioner.release.values import render

    team.once()
    stored = team.world.host.seen(STATEFUL_SETS, "cluster", NS)
    assert stored["spec"]["values"] == render(WANTED)
    assert team.world.host.names(SECRETS, NS) == ["sh.helm.release.v1.cluster.v1"]
