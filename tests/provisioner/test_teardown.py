"""The end of a cluster, from any state it may be in."""

from __future__ import annotations

from provisioner.outcomes import Done
from provisioner.ports import NAMESPACES, VOLUMES, Rejected
from tenancy.enums import ConditionType, Reason
from tests.provisioner.harness import NS, statuses_of


class TestTeardown:
    def test_it_ends_with_nothing_left(self, ready):
        ready.delete()
        ready.until_settled()
        assert ready.gone
        assert ready.world.left == {}

    def test_the_release_goes_first(self, ready):
        ready.delete()
        ready.once()
        assert statuses_of(ready.world) == []
        assert ready.condition(ConditionType.DELETING).true
        assert ready.condition(ConditionType.DELETING).message == f"waiting for namespace {NS} to go"

    def test_what_was_never_made_is_gone_at_once(self, team):
        team.delete()
        assert team.once() == Done()
        assert team.gone

    def test_a_cluster_that_is_being_made_goes(self, team):
        team.once()
        team.delete()
        team.until_settled()
        assert team.gone
        assert team.world.left == {}

    def test_a_namespace_deleted_by_hand_is_gone(self, ready):
        ready.world.host.drop_namespace(NS)
        ready.delete()
        ready.once()
        assert ready.gone

    def test_a_foreign_namespace_of_that_name_is_left_alone(self, team):
        team.world.host.put(NAMESPACES, {"metadata": {"name": NS, "labels": {"whose": "theirs"}}})
        team.delete()
        team.once()
        assert team.gone
        assert team.world.host.seen(NAMESPACES, NS)["metadata"]["labels"] == {"whose": "theirs"}

    def test_a_namespace_that_lost_its_labels_is_ours_all_the_same(self, ready):
        ready.world.host.seen(NAMESPACES, NS)["metadata"]["labels"].clear()
        ready.delete()
        ready.until_settled()
        assert ready.gone
        assert ready.world.left == {}

    def test_a_volume_of_it_is_waited_for_and_named(self, ready):
        volume = {"claimRef": {"namespace": NS}, "persistentVolumeReclaimPolicy": "Retain"}
        ready.world.host.put(VOLUMES, {"metadata": {"name": "pv-7"}, "spec": volume})
        other = {"claimRef": {"namespace": "else"}, "persistentVolumeReclaimPolicy": "Delete"}
        ready.world.host.put(VOLUMES, {"metadata": {"name": "pv-8"}, "spec": other})
        ready.delete()
        for _ in range(4):
            outcome = ready.once()
            ready.world.tick()
        assert not ready.gone
        assert "pv-7" in outcome.message
        assert "Retain" in outcome.message
        ready.world.host.drop(VOLUMES, "pv-7")
        ready.once()
        assert ready.gone

    def test_a_host_that_is_away_is_waited_for(self, ready):
        ready.world.away = "host 'lab' does not answer"
        ready.delete()
        outcome = ready.once()
        assert outcome.reason is Reason.HOST_UNREACHABLE
        assert not ready.gone

    def test_a_release_helm_cannot_remove_goes_with_its_namespace(self, ready):
        ready.world.helm_fault = Rejected("no such chart", Reason.CHART_INVALID)
        ready.delete()
        ready.until_settled()
        assert ready.gone

    def test_what_keeps_the_namespace_is_told(self, ready):
        ready.delete()
        ready.once()
        seen = ready.world.host.seen(NAMESPACES, NS)
        condition = {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "message": "Some resources are remaining: pods. has 2 resource instances",
        }
        seen["status"] = {"conditions": [condition]}
        assert "pods. has 2" in ready.once().message
