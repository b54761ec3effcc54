"""A cluster's whole life in memory: built, changed, repaired, torn down, from any state a crash leaves."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from provisioner.outcomes import Done, Wait
from provisioner.ports import (
    CLUSTER_ROLE_BINDINGS,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels
from provisioner.release.state import record_name
from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tenancy.rules.conditions import BUILD_ORDER
from tenancy.rules.specs import Resources
from tests.provisioner.harness import EFFECTIVE, NS, WANTED, records_of, statuses_of


class TestBuild:
    def test_it_ends_ready(self, team):
        assert team.until_settled() == Done()
        assert {k: team.condition(k).status for k in BUILD_ORDER} == dict.fromkeys(
            BUILD_ORDER, ConditionStatus.TRUE
        )
        assert team.condition(ConditionType.AVAILABLE).true
        assert team.wanted.endpoint == "https://10.96.0.7"
        assert [s.state for s in team.steps] == [StepState.DONE] * 12

    def test_the_early_steps_are_one_pass(self, team):
        team.once()
        assert [s.name for s in team.steps if s.state is StepState.DONE] == [
            "Host",
            "Namespace",
            "Limits",
            "Network rules",
            "Guard rails",
            "Control plane release",
        ]

    def test_guard_rails_are_there_before_the_release(self, team):
        team.once()
        written = [key[0] for _, key in team.world.host.writes]
        assert written == [
            "namespaces",
            "rolebindings",
            "resourcequotas",
            "limitranges",
            "networkpolicies",
            "networkpolicies",
            "networkpolicies",
            *("pods", "services", "pods"),  # canaries
        ]
        assert statuses_of(team.world) == ["deployed"]

    def test_a_pass_that_waits_writes_nothing(self, team):
        team.once()
        before = len(team.world.host.writes)
        assert isinstance(team.once(), Wait)
        assert len(team.world.host.writes) == before

    def test_a_repeated_pass_changes_nothing(self, ready):
        before = (len(ready.world.host.writes), len(ready.world.tenants[NS].writes), statuses_of(ready.world))
        ready.restart()
        assert ready.once() == Done()
        after = (len(ready.world.host.writes), len(ready.world.tenants[NS].writes), statuses_of(ready.world))
        assert after == before

    def test_the_probe_is_gone_afterwards(self, ready):
        assert ready.world.tenants[NS].names(PODS, "atoll-system") == []

    def test_each_role_has_an_account_and_its_rights(self, ready):
        tenant = ready.world.tenants[NS]
        assert tenant.names(SERVICE_ACCOUNTS, "atoll-system") == [
            "atoll-member",
            "atoll-owner",
            "atoll-viewer",
            "sandbox-probe",
        ]
        roles = {
            name: tenant.seen(CLUSTER_ROLE_BINDINGS, name)["roleRef"]["name"]
            for name in tenant.names(CLUSTER_ROLE_BINDINGS)
        }
        assert roles == {
            "atoll-member": "cluster-admin",
            "atoll-owner": "cluster-admin",
            "atoll-viewer": "view",
        }

    def test_an_untouched_cluster_is_not_probed_again_within_ten_minutes(self, ready):
        ready.restart()
        ready.once()
        assert ready.world.tenants[NS].names(PODS, "atoll-system") == []

    def test_an_old_proof_is_made_anew_without_losing_ready(self, ready):
        from datetime import timedelta

        ready.world.now += timedelta(minutes=11)
        assert isinstance(ready.once(), Wait)
        assert ready.world.tenants[NS].names(PODS, "atoll-system") == ["sandbox-probe-1"]
        assert ready.condition(ConditionType.AVAILABLE).true
        ready.world.tick()
        assert ready.once() == Done()

    def test_a_new_proof_that_fails_ends_ready(self, ready):
        from datetime import timedelta

        from tests.fakes.world import RUNC

        ready.world.now += timedelta(minutes=11)
        ready.world.kernel = RUNC
        ready.once()
        ready.world.tick()
        ready.once()
        assert ready.reason(ConditionType.SANDBOX_ENFORCED) is Reason.SANDBOX_NOT_ENFORCED
        assert ready.condition(ConditionType.STALLED).true


class TestChange:
    def test_a_new_amount_changes_the_quota_and_not_the_release(self, ready):
        more = replace(EFFECTIVE.resources, pods=60, cpu=Decimal(8))
        ready.change(resources=more)
        ready.until_settled()
        quota = ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]
        assert (quota["pods"], quota["requests.cpu"]) == ("63", "8130m")
        assert statuses_of(ready.world) == ["deployed"]
        assert ready.observed_generation == 2

    def test_a_new_version_upgrades_the_release(self, ready):
        ready.change(kubernetes_version="1.35")
        ready.until_settled()
        assert statuses_of(ready.world) == ["superseded", "deployed"]

    def test_the_sandbox_is_proved_again_for_a_new_generation(self, ready):
        ready.change(resources=Resources(Decimal(1), Decimal(1024**3), Decimal(1024**3), 10))
        ready.once()
        assert ready.world.tenants[NS].names(PODS, "atoll-system") == ["sandbox-probe-2"]


class TestRepair:
    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (RESOURCE_QUOTAS, "atoll-quota"),
            (LIMIT_RANGES, "atoll-defaults"),
            (NETWORK_POLICIES, "atoll-deny"),
            (NETWORK_POLICIES, "atoll-tenant-pods"),
            (NETWORK_POLICIES, "atoll-control-plane"),
            (ROLE_BINDINGS, "atoll-provisioner"),
        ],
    )
    def test_what_was_deleted_by_hand_comes_back(self, ready, kind, name):
        ready.world.host.drop(kind, name, NS)
        ready.restart()
        assert ready.once() == Done()
        assert ready.world.host.seen(kind, name, NS) is not None

    def test_what_was_changed_by_hand_is_put_right(self, ready):
        ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]["pods"] = "9999"
        ready.restart()
        ready.once()
        assert ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]["pods"] == "53"

    def test_a_namespace_deleted_by_hand_is_built_anew_at_once(self, ready):
        """Even by a process that remembers having built it: the new namespace is another one."""
        ready.world.host.drop_namespace(NS)
        ready.world.tenants.clear()
        ready.wanted = replace(ready.wanted, generation=2)
        ready.until_settled()
        assert ready.world.host.names(NETWORK_POLICIES, NS) == [
            "atoll-control-plane",
            "atoll-deny",
            "atoll-tenant-pods",
        ]
        assert statuses_of(ready.world) == ["deployed"]

    def test_a_namespace_being_deleted_by_hand_is_waited_for(self, ready):
        ready.world.host.seen(NAMESPACES, NS)["metadata"]["deletionTimestamp"] = "now"
        outcome = ready.once()
        assert "made anew when it is gone" in outcome.message
        assert ready.reason(ConditionType.NAMESPACE_READY) is Reason.WAITING

    def test_lost_records_of_helm_are_made_anew(self, ready):
        ready.world.host.drop(SECRETS, record_name(1), NS)
        ready.restart()
        ready.once()
        assert statuses_of(ready.world) == ["deployed"]


class TestHelmLeftovers:
    """What a Helm killed at any moment leaves, and a later pass finds."""

    def leave(self, team, *states):
        team.once()
        digest = records_of(team.world)[-1].digest
        team.world.host.drop(SECRETS, record_name(1), NS)
        for number, status in enumerate(states, 1):
            marks = {"owner": "helm", "name": "cluster", "version": str(number), "status": status}
            metadata = {
                "name": record_name(number),
                "namespace": NS,
                "labels": {**marks, "atoll-digest": digest},
            }
            team.world.host.put(SECRETS, {"metadata": metadata})
        team.restart()

    @pytest.mark.parametrize(
        ("left", "ends"),
        [
            (["pending-install"], ["deployed"]),
            (["failed"], ["failed", "deployed"]),
            (["deployed", "pending-upgrade"], ["superseded", "pending-upgrade", "deployed"]),
            (["failed", "pending-upgrade"], ["failed", "deployed"]),
            (["deployed", "pending-rollback"], ["superseded", "pending-rollback", "deployed"]),
            (["uninstalling"], ["deployed"]),
        ],
    )
    def test_ends_deployed_once(self, team, left, ends):
        self.leave(team, *left)
        team.until_settled()
        assert statuses_of(team.world) == ends

    def test_a_half_made_release_of_a_cluster_with_data_is_kept(self, team):
        team.until_settled()
        uid = team.world.host.seen(STATEFUL_SETS, "cluster", NS)["metadata"]["uid"]
        self.leave(team, "pending-install")
        team.until_settled()
        assert statuses_of(team.world) == ["deployed"]
        assert team.world.host.seen(STATEFUL_SETS, "cluster", NS)["metadata"]["uid"] == uid

    def test_remains_on_their_way_out_are_waited_for(self, team):
        team.once()
        team.world.host.drop(SECRETS, record_name(1), NS)
        team.world.host.seen(SERVICES, "cluster", NS)["metadata"]["deletionTimestamp"] = "now"
        team.restart()
        assert "remains" in team.once().message
        assert statuses_of(team.world) == []


def test_labels_tell_tenant_and_cluster(ready):
    worn = ready.world.host.seen(NAMESPACES, NS)["metadata"]["labels"]
    assert worn["tenancy.atoll.internal/tenant"] == "demo"
    assert worn["tenancy.atoll.internal/cluster"] == "first"
    assert worn[labels.UID] == str(WANTED.uid)
    assert worn["pod-security.kubernetes.io/enforce"] == "baseline"
