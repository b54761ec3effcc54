"""Asleep: nothing of it runs, nothing of it is lost, from any state and after any crash; and awake again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provisioner.outcomes import Done
from provisioner.ports import CLAIMS, NAMESPACES, PODS, RESOURCE_QUOTAS, STATEFUL_SETS
from tenancy.enums import ConditionStatus, ConditionType, Reason, StepState
from tenancy.rules.specs import DeviceShare
from tests.fakes.world import Crash, World
from tests.provisioner.attested import POD, tenant_pod
from tests.provisioner.harness import APPROVED, EFFECTIVE, NS, Team, records_of

GPU = "nvidia.com/gpu"
KEY = f"requests.{GPU}"


def turn(team: Team, *, paused: bool) -> None:
    """As the action does: a new generation."""
    generation = team.wanted.generation + 1
    others = tuple(c for c in team.wanted.conditions if c.type is not ConditionType.APPROVED)
    approved = replace(APPROVED, observed_generation=generation)
    team.wanted = replace(team.wanted, paused=paused, generation=generation, conditions=(approved, *others))


def settle(team: Team, passes: int = 12) -> None:
    for _ in range(passes):
        if isinstance(team.once(), Done):
            return
        team.world.tick()
    raise AssertionError(team.steps)


def plane(world: World) -> int:
    seen = world.host.seen(STATEFUL_SETS, "cluster", NS)
    assert seen is not None
    return int(seen["spec"].get("replicas", 1))


def asleep(team: Team) -> None:
    assert team.world.host.names(PODS, NS) == []
    assert plane(team.world) == 0
    condition = team.condition(ConditionType.PAUSED)
    assert condition is not None
    assert (condition.status, condition.reason) == (ConditionStatus.TRUE, Reason.PAUSED)
    assert "spec.paused" in condition.message
    assert team.observed_generation == team.wanted.generation


def test_the_control_plane_goes_first_then_the_pods_and_it_is_seen(ready):
    ready.world.host.put(PODS, tenant_pod())
    secrets = dict(ready.world.tenants[NS].objects)
    turn(ready, paused=True)
    ready.once()
    assert (plane(ready.world), ready.world.host.names(PODS, NS)) == (0, [POD])
    ready.world.tick()
    ready.once()
    assert ready.world.host.names(PODS, NS) == []
    settle(ready)
    asleep(ready)
    assert ready.world.asleep[NS].objects == secrets
    names = [step.name for step in ready.steps]
    assert names[:4] == ["Host", "Control plane stopped", "Pods stopped", "Nothing runs"]
    assert {step.state for step in ready.steps} == {StepState.DONE}


@pytest.mark.parametrize(("own", "given"), [(None, 30), (5, 5), (0, 1), (3600, 60)])
def test_a_pod_has_its_own_time_to_end_and_a_minute_at_most(ready, monkeypatch, own, given):
    pod = tenant_pod()
    if own is not None:
        pod["spec"]["terminationGracePeriodSeconds"] = own
    ready.world.host.put(PODS, pod)
    turn(ready, paused=True)
    told = []
    from tests.fakes.kube import FakeKube

    delete = FakeKube.delete

    def noted(kube, kind, name, namespace="", **how):
        told.append((name, how.get("grace")))
        return delete(kube, kind, name, namespace, **how)

    monkeypatch.setattr(FakeKube, "delete", noted)
    settle(ready)
    assert (POD, given) in told


def test_a_control_plane_that_does_not_end_is_not_waited_for_without_end(ready):
    ready.world.host.put(PODS, tenant_pod())
    stuck = ready.world.host.seen(PODS, "cluster-0", NS)
    at = ready.world.now + timedelta(seconds=10)
    stuck["metadata"] |= {"deletionTimestamp": at.isoformat(), "deletionGracePeriodSeconds": 10}
    turn(ready, paused=True)
    ready.once()
    assert POD in ready.world.host.names(PODS, NS)
    ready.world.now += timedelta(seconds=71)
    ready.once()
    assert POD not in ready.world.host.names(PODS, NS)


def test_what_has_run_to_its_end_is_left(ready):
    done = tenant_pod()
    done["status"] = {"phase": "Succeeded"}
    ready.world.host.put(PODS, done)
    turn(ready, paused=True)
    settle(ready)
    assert ready.world.host.names(PODS, NS) == [POD]


def test_what_is_no_more_there_is_not_called_available(ready):
    turn(ready, paused=True)
    settle(ready)
    told = {c.type: (c.status, c.reason) for c in ready.wanted.conditions}
    assert told[ConditionType.CONTROL_PLANE_AVAILABLE] == (ConditionStatus.FALSE, Reason.PAUSED)
    assert told[ConditionType.SANDBOX_ENFORCED] == (ConditionStatus.UNKNOWN, Reason.PAUSED)
    assert ready.condition(ConditionType.AVAILABLE).reason is Reason.PAUSED


def test_a_look_at_one_that_sleeps_writes_nothing(ready):
    turn(ready, paused=True)
    settle(ready)
    ready.world.host.writes.clear()
    ready.restart()
    assert ready.once() == Done()
    assert [w for w in ready.world.host.writes if w[1][0] != NAMESPACES.plural] == []


def test_what_somebody_starts_on_the_host_is_stopped_again(ready):
    turn(ready, paused=True)
    settle(ready)
    ready.world.host.seen(STATEFUL_SETS, "cluster", NS)["spec"]["replicas"] = 1
    ready.world.host.put(PODS, tenant_pod())
    ready.restart()
    settle(ready)
    asleep(ready)


def test_its_guard_rails_are_kept_and_a_new_size_is_set_at_once(ready):
    turn(ready, paused=True)
    settle(ready)
    known = dict(ready.wanted.guard_rails)
    quota = ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)
    quota["spec"]["hard"]["pods"] = "1000"
    settle(ready)
    assert ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]["pods"] == "53"
    assert ready.wanted.guard_rails.keys() == known.keys()
    larger = replace(EFFECTIVE.resources, pods=70)
    ready.wanted = replace(ready.wanted, effective=replace(EFFECTIVE, resources=larger))
    turn(ready, paused=True)
    settle(ready)
    assert ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"]["pods"] == "73"
    asleep(ready)


def test_a_host_that_no_longer_offers_it_keeps_it_from_waking_only(ready):
    ready.wanted = replace(ready.wanted, effective=None, refusal="no gVisor any more")
    turn(ready, paused=True)
    settle(ready)
    asleep(ready)


def test_one_that_was_never_built_is_not_begun(team):
    turn(team, paused=True)
    settle(team)
    assert team.world.left == {}
    assert "nothing of it is on the host yet" in team.condition(ConditionType.PAUSED).message
    turn(team, paused=False)
    team.until_settled()
    assert team.condition(ConditionType.AVAILABLE).true


def test_one_that_is_half_made_stops_there_and_is_finished_when_it_wakes(team):
    for _ in range(3):
        team.once()
    turn(team, paused=True)
    settle(team)
    assert team.world.host.names(PODS, NS) == []
    turn(team, paused=False)
    team.until_settled()
    assert team.condition(ConditionType.AVAILABLE).true


def test_it_wakes_with_what_it_stored(ready):
    ready.world.tenants[NS].put(CLAIMS, {"metadata": {"name": "mine", "namespace": "default"}})
    turn(ready, paused=True)
    settle(ready)
    turn(ready, paused=False)
    ready.until_settled()
    assert ready.world.tenants[NS].names(CLAIMS, "default") == ["mine"]
    assert plane(ready.world) == 1
    assert not ready.condition(ConditionType.PAUSED).true
    assert ready.condition(ConditionType.AVAILABLE).true


def test_another_version_is_installed_when_it_wakes(ready):
    turn(ready, paused=True)
    settle(ready)
    helm = len(records_of(ready.world))
    ready.wanted = replace(ready.wanted, effective=replace(EFFECTIVE, kubernetes_version="1.35"))
    turn(ready, paused=True)
    settle(ready)
    assert len(records_of(ready.world)) == helm
    turn(ready, paused=False)
    ready.until_settled()
    assert len(records_of(ready.world)) == helm + 1
    assert plane(ready.world) == 1


def test_released_devices_come_back_by_the_ladder_while_it_sleeps(ready):
    ready.wanted = replace(ready.wanted, devices=(DeviceShare("gpu", GPU, 2, held=2),))
    settle(ready)
    pod = tenant_pod()
    pod["spec"]["containers"][0]["resources"] = {"limits": {GPU: "2"}}
    ready.world.host.put(PODS, pod)
    ready.wanted = replace(ready.wanted, devices=(DeviceShare("gpu", GPU, 0, held=2),))
    turn(ready, paused=True)
    settle(ready)
    assert ready.wanted.devices == ()
    (seen,) = ready.receipts
    assert set(seen) == {"freeze", "shrink", "confirm"}
    assert seen["confirm"]["pods"] == []
    assert ready.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"][KEY] == "0"
    settle(ready)
    asleep(ready)


def sleep_and_wake(team: Team) -> None:
    turn(team, paused=True)
    settle(team)
    turn(team, paused=False)
    team.until_settled()


def test_a_worker_may_die_at_every_step():
    undisturbed = Team()
    undisturbed.until_settled()
    before = undisturbed.world.points
    undisturbed.world.host.put(PODS, tenant_pod())
    sleep_and_wake(undisturbed)
    points = undisturbed.world.points - before
    assert points >= 10
    for k in range(1, points + 1, 2):
        team = Team(world=World(crash_at=before + k))
        team.until_settled()
        team.world.host.put(PODS, tenant_pod())
        with pytest.raises(Crash):
            sleep_and_wake(team)
        team.restart()
        if team.wanted.paused:
            settle(team)
            asleep(team)
            turn(team, paused=False)
        team.until_settled()
        assert team.condition(ConditionType.AVAILABLE).true, f"after a crash at point {k}"


def test_it_can_be_deleted_and_shut_while_it_sleeps(ready):
    turn(ready, paused=True)
    settle(ready)
    ready.wanted = replace(ready.wanted, quarantined=True, access_epoch=1)
    settle(ready)
    assert ready.condition(ConditionType.QUARANTINED).reason is Reason.QUARANTINED
    ready.delete()
    ready.until_settled()
    assert ready.gone
    assert ready.world.left == {}
