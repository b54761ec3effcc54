"""The proof of the sandbox, and what is no proof; DNS beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.outcomes import Stall
from provisioner.ports import DEPLOYMENTS, EVENTS, PODS
from provisioner.reconcile import sandbox
from tenancy.enums import ConditionType, Reason, Sandbox
from tests.fakes.world import RUNC
from tests.provisioner.harness import EFFECTIVE, NS, WANTED


class TestSandbox:
    def test_outside_of_it_nothing_is_trusted(self, team):
        team.world.kernel = RUNC
        outcome = team.until_settled()
        assert isinstance(outcome, Stall)
        assert outcome.reason is Reason.SANDBOX_NOT_ENFORCED
        assert "6.12.1" in outcome.message
        assert not team.condition(ConditionType.AVAILABLE).true

    def test_none_needs_only_that_a_pod_runs(self, team):
        team.world.kernel = RUNC
        team.wanted = replace(WANTED, effective=replace(EFFECTIVE, sandbox=Sandbox.NONE, runtime_class=""))
        team.until_settled()
        assert team.condition(ConditionType.AVAILABLE).true

    def until_probing(self, team):
        for _ in range(10):
            team.once()
            tenant = team.world.tenants.get(NS)
            if tenant and tenant.names(PODS, "atoll-system"):
                return tenant, tenant.seen(PODS, "sandbox-probe-1", "atoll-system")
            team.world.tick()
        raise AssertionError

    def test_a_probe_that_failed_is_no_proof_and_is_sent_anew(self, team):
        tenant, probe = self.until_probing(team)
        probe["status"] = {"phase": "Failed"}
        team.once()
        assert team.reason(ConditionType.SANDBOX_ENFORCED) is Reason.NOT_READY
        team.once()
        assert tenant.names(PODS, "atoll-system") == ["sandbox-probe-1"]
        assert tenant.seen(PODS, "sandbox-probe-1", "atoll-system") is not probe

    def test_a_probe_that_said_nothing_is_no_proof(self, team):
        _, probe = self.until_probing(team)
        probe["status"] = {
            "phase": "Succeeded",
            "containerStatuses": [{"name": "probe", "state": {"terminated": {"exitCode": 0}}}],
        }
        team.once()
        assert not team.condition(ConditionType.SANDBOX_ENFORCED).true

    def test_a_missing_image_of_the_probe_is_named(self, team):
        _, probe = self.until_probing(team)
        probe["status"] = {
            "containerStatuses": [
                {
                    "name": "probe",
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}},
                }
            ]
        }
        team.once()
        condition = team.condition(ConditionType.SANDBOX_ENFORCED)
        assert condition.reason is Reason.IMAGE_MISSING
        assert sandbox.IMAGE in condition.message

    def test_a_refusal_of_the_host_is_told(self, team):
        tenant, _ = self.until_probing(team)
        about = {"kind": "Pod", "name": "sandbox-probe-1"}
        tenant.put(
            EVENTS,
            {
                "metadata": {"name": "e", "namespace": "atoll-system"},
                "involvedObject": about,
                "type": "Warning",
                "message": "Error syncing: exceeded quota",
            },
        )
        team.once()
        assert "exceeded quota" in team.condition(ConditionType.SANDBOX_ENFORCED).message

    @pytest.mark.parametrize("prefix", ["mirror.example/x", "mirror.example/x/"])
    def test_its_image_comes_from_the_hosts_mirror(self, team, prefix):
        team.wanted = replace(WANTED, host=replace(WANTED.host, image_prefix=prefix))
        _, probe = self.until_probing(team)
        (container,) = probe["spec"]["containers"]
        assert container["image"] == f"mirror.example/x/{sandbox.IMAGE}"

    def test_dns_is_looked_at_meanwhile(self, team):
        self.until_probing(team)
        assert team.reason(ConditionType.DNS_AVAILABLE) is not Reason.NOT_YET_REPORTED
        assert team.condition(ConditionType.ACCESS_ISSUED).true


def test_dns_says_which_image_is_missing(team):
    team.until_settled()
    tenant = team.world.tenants[NS]
    tenant.put(DEPLOYMENTS, {"metadata": {"name": "coredns", "namespace": "kube-system"}, "status": {}})
    spec = {"containers": [{"name": "coredns", "image": "docker.io/coredns/coredns:1.14.2"}]}
    status = {"containerStatuses": [{"name": "coredns", "state": {"waiting": {"reason": "ErrImagePull"}}}]}
    where = {"name": "coredns-1", "namespace": "kube-system", "labels": {"k8s-app": "vcluster-kube-dns"}}
    tenant.put(PODS, {"metadata": where, "spec": spec, "status": status})
    team.once()
    assert "coredns:1.14.2" in team.condition(ConditionType.DNS_AVAILABLE).message
