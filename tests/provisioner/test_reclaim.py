"""Devices come back: frozen, shrunk, asked, ended, confirmed; from any state and after any crash."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from provisioner.outcomes import Done, Wait
from provisioner.ports import EVENTS, PODS, RESOURCE_QUOTAS, Kind
from provisioner.reconcile.reclaim.asking import CHECKPOINT, PROTECTED, RECLAIM
from tenancy.enums import ConditionStatus, ConditionType, Phase, Reason
from tenancy.rules.allocations import Step
from tenancy.rules.lifecycle import derive_phase
from tenancy.rules.specs import DeviceShare
from tests.fakes.kube import forbidden
from tests.fakes.world import Crash
from tests.provisioner.harness import NS, Team

GPU = "nvidia.com/gpu"
KEY = f"requests.{GPU}"
BUDGETS = Kind("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
GRACE = timedelta(minutes=15)


def train(team: Team, name: str, devices: int = 1, age: int = 0, **marks: str) -> None:
    """A pod with devices: as its tenant wrote it, and as the syncer brought it to the host."""
    made = (team.world.now - timedelta(minutes=age)).isoformat()
    spec = {"containers": [{"name": "c", "resources": {"limits": {GPU: str(devices)}}}]}
    worn = {f"tenancy.atoll.internal/{key}": value for key, value in marks.items()}
    inside = {"name": name, "namespace": "default", "labels": {"app": name}, "annotations": worn}
    tenant = team.world.tenants[NS]
    tenant.put(PODS, {"metadata": inside, "spec": spec, "status": {"phase": "Running"}})
    synced = {"vcluster.loft.sh/object-name": name, "vcluster.loft.sh/object-namespace": "default"}
    outside = {"name": f"{name}-x", "namespace": NS, "annotations": synced, "creationTimestamp": made}
    placed = {**spec, "nodeName": "worker-1"}
    team.world.host.put(PODS, {"metadata": outside, "spec": placed, "status": {"phase": "Running"}})


def settle(world):
    """Syncer and quota controller: a pod that is gone inside goes outside, and the other way; used is counted."""
    tenant = world.tenants.get(NS)
    used = 0
    for name in world.host.names(PODS, NS):
        pod = world.host.seen(PODS, name, NS)
        inside = pod["metadata"].get("annotations", {}).get("vcluster.loft.sh/object-name")
        if not inside:
            continue
        if tenant is not None and tenant.seen(PODS, inside, "default") is None:
            world.host.drop(PODS, name, NS)
        else:
            used += int(pod["spec"]["containers"][0]["resources"]["limits"][GPU])
    for name in tenant.names(PODS, "default") if tenant else ():
        if f"{name}-x" not in world.host.names(PODS, NS):
            tenant.drop(PODS, name, "default")
    quota = world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)
    if quota is not None:
        quota["status"] = {"hard": dict(quota["spec"]["hard"]), "used": {KEY: str(used)}}


def shrink(team: Team, amount: int, held: int, *, grace: timedelta | None = GRACE) -> None:
    steps = (Step(team.world.now + grace, amount),) if grace is not None else ()
    team.wanted = replace(team.wanted, devices=(DeviceShare("gpu", GPU, amount, held=held, steps=steps),))


def passes(team: Team, count: int = 3):
    for _ in range(count):
        outcome = team.once()
        settle(team.world)
    return outcome


def running(team: Team) -> list[str]:
    return team.world.tenants[NS].names(PODS, "default")


def late(team: Team) -> None:
    team.world.now += GRACE + timedelta(seconds=1)


@pytest.fixture
def busy(ready):
    """A cluster with 4 devices, all held: the oldest pod has 2."""
    ready.wanted = replace(ready.wanted, devices=(DeviceShare("gpu", GPU, 4, held=4),))
    ready.until_settled()
    train(ready, "old", 2, age=60)
    train(ready, "mid", 1, age=30)
    train(ready, "new", 1, age=5)
    settle(ready.world)
    return ready


def quota(team):
    return team.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["spec"]["hard"][KEY]


def test_an_expired_grant_comes_back_with_what_was_seen(busy):
    shrink(busy, 0, 4)
    passes(busy)
    assert running(busy) == []
    assert busy.wanted.devices == ()
    (seen,) = busy.receipts
    assert set(seen) == {"freeze", "shrink", "ask", "evict", "confirm"}
    assert [(p["inside"], p["node"], p["devices"]) for p in seen["ask"]["pods"]] == [
        ("default/mid", "worker-1", 1),
        ("default/new", "worker-1", 1),
        ("default/old", "worker-1", 2),
    ]
    end = seen["confirm"]
    assert (end["quota"], end["pods"]) == ({"spec": "0", "hard": "0", "used": "0"}, [])
    assert (end["namespace"], end["uid"]) == (
        NS,
        busy.world.host.seen(Kind("v1", "namespaces", ""), NS)["metadata"]["uid"],
    )


def test_the_cluster_stays_ready_beside_it(busy):
    shrink(busy, 0, 4, grace=None)
    outcome = passes(busy)
    assert isinstance(outcome, Wait)
    assert busy.condition(ConditionType.AVAILABLE).true
    told = busy.condition(ConditionType.DEVICES_SETTLED)
    assert told.status is ConditionStatus.FALSE
    assert "4 gpu are still held by default/mid, default/new, default/old" in told.message
    phase = derive_phase(
        busy.wanted.conditions,
        generation=1,
        observed_generation=busy.observed_generation,
        ever_ready=True,
        deleting=False,
    )
    assert phase is Phase.READY
    busy.world.tenants[NS].drop(PODS, "old", "default")
    settle(busy.world)
    passes(busy)
    assert running(busy) == ["mid", "new"]


def test_a_tenant_that_wants_less_is_waited_for(busy):
    shrink(busy, 1, 4, grace=None)
    passes(busy)
    assert (quota(busy), running(busy)) == ("1", ["mid", "new", "old"])
    for name in ("old", "mid"):
        busy.world.tenants[NS].drop(PODS, name, "default")
        settle(busy.world)
    passes(busy)
    assert running(busy) == ["new"]
    assert [(d.amount, d.held) for d in busy.wanted.devices] == [(1, 1)]
    assert set(busy.receipts[0]) == {"freeze", "shrink", "confirm"}
    assert busy.condition(ConditionType.DEVICES_SETTLED).true


def test_no_more_pods_go_than_must(busy):
    shrink(busy, 2, 4)
    passes(busy)
    assert running(busy) == ["old"]


def test_pods_are_told_who_until_when_and_how(busy):
    train(busy, "saves", 1, age=1, checkpoint="required")
    shrink(busy, 4, 5)
    passes(busy, 1)
    tenant = busy.world.tenants[NS]
    until = busy.wanted.devices[0].steps[0].deadline.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert tenant.seen(PODS, "saves", "default")["metadata"]["annotations"][RECLAIM] == until
    (event,) = (tenant.seen(EVENTS, name, "default") for name in tenant.names(EVENTS, "default"))
    assert event["involvedObject"]["name"] == "saves"
    assert all(word in event["message"] for word in (until, CHECKPOINT, PROTECTED, "PodDisruptionBudget"))
    assert RECLAIM not in tenant.seen(PODS, "old", "default")["metadata"]["annotations"]


def test_a_checkpoint_is_waited_for(busy):
    train(busy, "saves", 1, age=1, checkpoint="required")
    shrink(busy, 0, 5)
    passes(busy)
    assert running(busy) == ["saves"]
    busy.world.tenants[NS].seen(PODS, "saves", "default")["metadata"]["annotations"][CHECKPOINT] = "done"
    passes(busy)
    assert running(busy) == []


@pytest.mark.parametrize("mark", [{"checkpoint": "required"}, {"protected": "true"}, {}])
def test_nothing_is_waited_for_beyond_the_deadline(busy, mark):
    train(busy, "stays", 1, age=1, **mark)
    if not mark:
        selector = {"selector": {"matchLabels": {"app": "stays"}}}
        name = {"name": "b", "namespace": "default"}
        busy.world.tenants[NS].put(BUDGETS, {"metadata": name, "spec": selector})
    shrink(busy, 0, 5)
    passes(busy)
    assert running(busy) == ["stays"]
    assert "confirm" not in busy.wanted.devices[0].rungs
    late(busy)
    passes(busy)
    assert running(busy) == []
    assert busy.wanted.devices == ()


def test_protected_pods_go_last(busy):
    train(busy, "dear", 1, age=1, protected="true")
    shrink(busy, 1, 5)
    passes(busy)
    assert running(busy) == ["dear"]
    assert busy.wanted.devices[0].held == 1


def test_a_cluster_whose_api_is_away_loses_its_pods_at_the_deadline_on_the_host(busy):
    shrink(busy, 0, 4)
    busy.world.pod_trouble = {"status": {"phase": "Pending"}, "spec": {}}
    busy.world.tenants[NS].refuse = forbidden("pods", "deployments", "namespaces", "serviceaccounts")
    passes(busy)
    assert "ask" not in busy.wanted.devices[0].rungs
    late(busy)
    passes(busy)
    assert [n for n in busy.world.host.names(PODS, NS) if n.endswith("-x")] == []
    (seen,) = busy.receipts
    assert seen["ask"]["untold"]


def test_a_pod_its_tenant_does_not_know_ends_at_once(busy):
    busy.world.tenants[NS].drop(PODS, "new", "default")  # and the syncer, hostile, leaves it on the host
    shrink(busy, 3, 4)
    busy.once()
    assert [n for n in busy.world.host.names(PODS, NS) if n.endswith("-x")] == ["mid-x", "old-x"]


def test_each_grant_that_ends_has_its_own_deadline(busy):
    """Four devices, two until now and two for longer: the pods that keep theirs are told of the later day."""
    train(busy, "saves", 1, age=1, checkpoint="required")
    soon, later = busy.world.now + GRACE, busy.world.now + 4 * GRACE
    ways = (Step(soon, 3), Step(later, 1))
    busy.wanted = replace(busy.wanted, devices=(DeviceShare("gpu", GPU, 0, held=5, steps=ways),))
    for name in ("old", "mid", "new"):
        busy.world.tenants[NS].seen(PODS, name, "default")["metadata"]["annotations"][CHECKPOINT] = "required"
    passes(busy)
    assert running(busy) == ["mid", "new", "old", "saves"]
    marks = {
        n: busy.world.tenants[NS].seen(PODS, n, "default")["metadata"]["annotations"] for n in running(busy)
    }
    until = {name: worn.get(RECLAIM, "") for name, worn in marks.items()}
    first, last = (at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in (soon, later))
    assert until == {"new": first, "saves": first, "old": last, "mid": ""}
    assert "at most 3 from" in busy.condition(ConditionType.DEVICES_SETTLED).message
    late(busy)
    passes(busy)
    assert (running(busy), busy.wanted.devices[0].held) == (["mid", "old"], 3)
    assert [pod["inside"] for pod in busy.receipts[0]["confirm"]["pods"]] == ["default/mid", "default/old"]
    busy.world.now = later
    passes(busy)
    assert (running(busy), busy.wanted.devices[0].held) == (["mid"], 1)  # the last one has no deadline
    busy.world.tenants[NS].drop(PODS, "mid", "default")
    settle(busy.world)
    passes(busy)
    assert (busy.wanted.devices, len(busy.receipts), quota(busy)) == ((), 3, "0")


def test_a_raise_meanwhile_is_no_step_of_the_ladder(busy):
    shrink(busy, 0, 4)
    share = busy.wanted.devices[0]
    busy.wanted = replace(busy.wanted, devices=(replace(share, amount=4, steps=()),))
    passes(busy)
    assert (quota(busy), running(busy), busy.receipts) == ("4", ["mid", "new", "old"], [])


def test_a_cluster_that_was_never_ready_and_waits_for_approval_gives_back_all_the_same(team):
    team.once()
    team.world.tick()
    before = team.world.host.names(RESOURCE_QUOTAS, NS)
    shrink(team, 0, 2)
    team.wanted = replace(team.wanted, awaiting_approval=True)
    assert team.wanted.waits_for_approval
    passes(team)
    assert before == ["atoll-quota"]
    assert team.wanted.devices == ()
    assert team.observed_generation == 0


def test_a_namespace_that_is_not_there_holds_nothing(team):
    shrink(team, 0, 2)
    team.wanted = replace(team.wanted, awaiting_approval=True)
    assert isinstance(team.once(), Done)
    assert team.receipts[0]["confirm"]["absent"]


def test_a_namespace_without_our_labels_is_no_proof(busy):
    shrink(busy, 0, 4)
    busy.wanted = replace(busy.wanted, effective=None, refusal="no sandbox")
    space = busy.world.host.seen(Kind("v1", "namespaces", ""), NS)
    space["metadata"]["labels"].pop("tenancy.atoll.internal/uid")
    passes(busy)
    assert busy.wanted.devices[0].held == 4
    assert busy.reason(ConditionType.DEVICES_SETTLED) is Reason.CONFLICT


def test_a_host_that_offers_the_sandbox_no_more_still_gets_its_devices_back(busy):
    shrink(busy, 0, 4)
    busy.wanted = replace(busy.wanted, effective=None, refusal="no sandbox")
    late(busy)
    passes(busy)
    assert busy.wanted.devices == ()


def test_in_quarantine_too(busy):
    busy.wanted = replace(busy.wanted, quarantined=True)
    shrink(busy, 0, 4)
    for _ in range(6):
        passes(busy, 1)
        busy.world.tick()
        settle(busy.world)
    assert busy.wanted.devices == ()


def test_a_confirmation_looks_again_after_the_eviction(busy):
    """What the quota still counts may be a pod on its way in."""
    shrink(busy, 2, 4)
    busy.once()
    settle(busy.world)
    status = busy.world.host.seen(RESOURCE_QUOTAS, "atoll-quota", NS)["status"]
    status["used"] = {KEY: "3"}
    busy.once()
    assert "confirm" not in busy.wanted.devices[0].rungs
    assert busy.wanted.devices[0].held == 4
    settle(busy.world)
    busy.once()
    assert busy.receipts[0]["confirm"]["quota"]["used"] == "2"


def ladder(k: int) -> tuple[Team, int]:
    """All of it with the worker dying at its k-th point; the points from the first lowering on."""
    team = Team()
    team.wanted = replace(team.wanted, devices=(DeviceShare("gpu", GPU, 4, held=4),))
    team.until_settled()
    train(team, "old", 2, age=60)
    train(team, "saves", 1, age=30, checkpoint="required")
    train(team, "new", 1, age=5)
    settle(team.world)
    shrink(team, 0, 4)
    before = team.world.points
    team.world.crash_at = before + k if k else 0
    for n in range(8):
        try:
            team.once()
        except Crash:
            team.restart()
        settle(team.world)
        if n == 3:
            late(team)
    return team, team.world.points - before


def test_a_crash_at_every_boundary_ends_the_same():
    undisturbed, points = ladder(0)
    assert points >= 20
    for k in range(points + 1):
        team, _ = ladder(k)
        assert team.wanted.devices == (), f"after a crash at point {k}"
        assert running(team) == [], f"after a crash at point {k}"
        (seen,) = team.receipts
        assert set(seen) == set(undisturbed.receipts[0]), f"after a crash at point {k}"
        assert seen["confirm"]["pods"] == []
        assert quota(team) == "0"
