"""Out of use within a pass or two, from any state and after any crash; and back, with old credentials dead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provisioner.outcomes import Done
from provisioner.ports import (
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS,
    STATEFUL_SETS,
)
from provisioner.reconcile import labels
from tenancy.enums import ConditionStatus, ConditionType, Reason, Role
from tests.fakes.kube import forbidden
from tests.fakes.world import Crash, World
from tests.provisioner.attested import POD, tenant_pod
from tests.provisioner.harness import APPROVED, NS, Team

SYSTEM = "atoll-system"


def begin(team: Team) -> None:
    team.wanted = replace(team.wanted, quarantined=True, access_epoch=team.wanted.access_epoch + 1)


def lift(team: Team) -> None:
    """As the action does: what was seen must be seen anew."""
    team.observed_generation -= 1
    team.wanted = replace(team.wanted, quarantined=False, conditions=(APPROVED,))


def contain(team: Team, passes: int = 10) -> None:
    for _ in range(passes):
        if isinstance(team.once(), Done):
            return
        team.world.tick()
    raise AssertionError(team.steps)


def running(world: World) -> list[str]:
    return world.host.names(PODS, NS)


def accounts(team: Team) -> dict[str, str]:
    """Role → the account's uid, to which tokens are bound."""
    store = team.world.tenants[NS]
    found = {role.value: store.seen(SERVICE_ACCOUNTS, f"atoll-{role.value}", SYSTEM) for role in Role}
    return {name: seen["metadata"]["uid"] for name, seen in found.items() if seen}


def contained(world: World) -> None:
    quota = world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)
    assert quota is not None
    assert quota["spec"]["hard"]["pods"] == "0"
    plane = world.host.seen(STATEFUL_SETS, "cluster", NS)
    assert plane is not None
    assert plane["spec"]["replicas"] == 0
    assert running(world) == []
    for name in world.host.names(NETWORK_POLICIES, NS):
        policy = world.host.seen(NETWORK_POLICIES, name, NS)
        assert policy is not None
        assert (policy["spec"]["ingress"], policy["spec"]["egress"]) == ([], [])
    assert world.host.names(NETWORK_POLICIES, NS) == [
        "atoll-control-plane",
        "atoll-deny",
        "atoll-tenant-pods",
    ]


def plane_ending(team: Team, seconds: float) -> None:
    """The control plane's pod is told to end, and its node takes its time."""
    plane = team.world.host.seen(PODS, "cluster-0", NS)
    assert plane is not None
    at = (team.world.now - timedelta(seconds=seconds)).isoformat()
    plane["metadata"] |= {"deletionTimestamp": at, "deletionGracePeriodSeconds": 1}


def test_two_passes_stop_everything_and_the_next_proves_it(ready):
    ready.world.host.put(PODS, tenant_pod())
    begin(ready)
    ready.once()
    assert running(ready.world) == [POD]
    ready.once()
    assert running(ready.world) == []
    contain(ready)
    contained(ready.world)
    condition = ready.condition(ConditionType.QUARANTINED)
    assert (condition.status, condition.reason) == (ConditionStatus.TRUE, Reason.QUARANTINED)
    assert "no pod runs" in condition.message
    assert not ready.condition(ConditionType.AVAILABLE).true


@pytest.mark.parametrize(("seconds", "left"), [(1, True), (-1, True), (5, False), (-600, False)])
def test_the_syncer_ends_before_it_can_see_the_pods_go_but_is_not_waited_for_long(ready, seconds, left):
    ready.world.host.put(PODS, tenant_pod())
    plane_ending(ready, seconds)
    begin(ready)
    ready.once()
    assert (POD in running(ready.world)) is left


def test_a_control_plane_that_ends_slowly_by_itself_is_told_to_end_at_once_and_first(ready):
    ready.world.host.put(PODS, tenant_pod())
    plane_ending(ready, -10)
    ready.world.host.seen(PODS, "cluster-0", NS)["metadata"]["deletionGracePeriodSeconds"] = 10
    begin(ready)
    ready.once()
    assert running(ready.world) == [POD]


def test_a_pod_that_will_not_end_is_told_and_not_called_proved(ready, monkeypatch):
    stubborn = tenant_pod()
    stubborn["metadata"] |= {"deletionTimestamp": "2026-11-21T00:00:00Z", "deletionGracePeriodSeconds": 1}
    ready.world.host.put(PODS, stubborn)
    begin(ready)
    for _ in range(5):
        assert not isinstance(ready.once(), Done)
        ready.world.tick()
    condition = ready.condition(ConditionType.QUARANTINED)
    assert condition.reason is Reason.WAITING
    assert "1 pods" in condition.message


def test_what_can_be_stopped_is_stopped_though_the_rest_fails(ready):
    ready.world.host.put(PODS, tenant_pod())
    ready.world.host.refuse = forbidden("resourcequotas", "networkpolicies")
    begin(ready)
    for _ in range(3):
        ready.once()
        ready.world.tick()
    assert running(ready.world) == []
    assert ready.world.host.seen(STATEFUL_SETS, "cluster", NS)["spec"]["replicas"] == 0
    condition = ready.condition(ConditionType.QUARANTINED)
    assert condition.reason is not Reason.QUARANTINED


def test_a_quota_that_does_not_count_yet_is_not_called_proved(ready):
    begin(ready)
    contain(ready)
    ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["status"]["hard"]["pods"] = "50"
    assert not isinstance(ready.once(), Done)


def test_it_is_kept_so(ready):
    begin(ready)
    contain(ready)
    ready.world.host.seen(STATEFUL_SETS, "cluster", NS)["spec"]["replicas"] = 1
    ready.world.host.put(PODS, tenant_pod())
    ready.restart()
    contain(ready)
    contained(ready.world)


def test_a_worker_may_die_at_every_step():
    undisturbed = Team()
    undisturbed.until_settled()
    before = undisturbed.world.points
    undisturbed.world.host.put(PODS, tenant_pod())
    begin(undisturbed)
    contain(undisturbed)
    points = undisturbed.world.points - before
    assert points >= 10
    for k in range(1, points + 1):
        team = Team(world=World(crash_at=before + k))
        team.until_settled()
        team.world.host.put(PODS, tenant_pod())
        begin(team)
        with pytest.raises(Crash):
            contain(team)
        team.restart()
        contain(team)
        contained(team.world)


def test_one_that_is_only_half_made_is_stopped_too(team):
    team.once()
    begin(team)
    contain(team)
    assert running(team.world) == []


def test_a_namespace_that_lost_its_labels_is_closed_all_the_same(ready):
    ready.world.host.seen(NAMESPACES, NS)["metadata"]["labels"].clear()
    begin(ready)
    contain(ready)
    contained(ready.world)


def test_one_that_is_not_on_the_host_yet_has_nothing_to_stop(team):
    begin(team)
    contain(team)
    assert team.world.left == {}


def test_lifted_it_comes_back_with_what_it_stored_and_other_accounts(ready):
    before = accounts(ready)
    begin(ready)
    contain(ready)
    lift(ready)
    ready.until_settled()
    after = accounts(ready)
    assert ready.condition(ConditionType.AVAILABLE).true
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    namespace = ready.world.host.seen(NAMESPACES, NS)
    assert namespace["metadata"]["annotations"][labels.ACCESS_EPOCH] == "1"
    quota = ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)
    assert quota["spec"]["hard"]["pods"] != "0"


def test_credentials_die_once_a_quarantine(ready):
    begin(ready)
    contain(ready)
    lift(ready)
    ready.until_settled()
    first = accounts(ready)
    ready.restart()
    ready.once()
    assert accounts(ready) == first
    begin(ready)
    contain(ready)
    lift(ready)
    ready.until_settled()
    assert not set(first.values()) & set(accounts(ready).values())


def test_access_is_not_offered_before_old_credentials_are_dead(ready):
    begin(ready)
    contain(ready)
    lift(ready)
    old = None
    for _ in range(40):
        outcome = ready.once()
        found = ready.condition(ConditionType.ACCESS_ISSUED)
        if found is not None and found.true:
            old = ready.world.host.seen(NAMESPACES, NS)["metadata"]["annotations"].get(labels.ACCESS_EPOCH)
            break
        assert not isinstance(outcome, Done)
        ready.world.tick()
    assert old == "1"


def test_a_worker_may_die_while_it_comes_back(ready):
    begin(ready)
    contain(ready)
    before_lift = ready.world.points
    lift(ready)
    ready.until_settled()
    points = ready.world.points - before_lift
    for k in range(1, points + 1, 3):
        team = Team()
        team.until_settled()
        old = set(accounts(team).values())
        begin(team)
        contain(team)
        team.world.crash_at = team.world.points + k
        lift(team)
        with pytest.raises(Crash):
            team.until_settled()
        team.restart()
        team.until_settled()
        assert not old & set(accounts(team).values()), f"after a crash at point {k}"


def test_a_quarantined_cluster_can_be_deleted(ready):
    begin(ready)
    contain(ready)
    ready.delete()
    ready.until_settled()
    assert ready.gone
    assert ready.world.left == {}
