"""Clusters that sleep: the wish, what is refused meanwhile, and what the ledger counts of their devices."""

from __future__ import annotations

import json

import pytest

from tenancy.actions import access, allocations, clusters, members, pausing, quarantine, reports, work
from tenancy.actions import grants as grant_verbs
from tenancy.actions.unit import atomic
from tenancy.enums import (
    ClaimResult,
    ConditionStatus,
    ConditionType,
    OperationState,
    Phase,
    Reason,
    ReportState,
    Role,
    WorkKind,
)
from tenancy.errors import Asleep, Invalid, NotAllowed, PreconditionFailed
from tenancy.event_enums import EventType
from tenancy.grant_enums import Approval, RequestState
from tenancy.models import (
    AcceleratorClass,
    AuditEvent,
    Event,
    GrantRequest,
    HostCluster,
    IsolationReport,
    Node,
    Operation,
    VirtualCluster,
)
from tenancy.queries import cluster_devices, grants
from tenancy.queries import clusters as known
from tenancy.queries.grants import Holding
from tenancy.rules.conditions import Condition
from tests import factories as make
from tests.support.grants import confirmed, has, put, spec

pytestmark = pytest.mark.django_db

ASLEEP = "nothing of it runs"


def write(by, **fields):
    text = json.dumps(fields)
    return clusters.put(by=by, tenant_name="team", name="first", spec_text=text)


def planned(by, **fields):
    return clusters.plan(by=by, tenant_name="team", name="first", spec_text=json.dumps(fields))


def pause(by, release=None):
    return pausing.pause(by=by, tenant_name="team", name="first", release=release).cluster


def resume(by):
    return pausing.resume(by=by, tenant_name="team", name="first").cluster


@atomic
def due(name="first"):
    """Time for a look, whatever was seen last."""
    work.request(WorkKind.CLUSTER, VirtualCluster.objects.get(name=name).uid)


def slept(cluster=None):
    """One pass saw on the host that nothing of it runs."""
    cluster = cluster or VirtualCluster.objects.get(name="first")
    cluster.refresh_from_db()
    due()
    told = Condition(ConditionType.PAUSED, ConditionStatus.TRUE, Reason.PAUSED, ASLEEP, cluster.generation)
    return make.observe(cluster, told, clean=True)


def came_back():
    """One pass saw on the host that its devices are back."""
    due()
    confirmed()


def condition(cluster, kind):
    return {c.type: c for c in known.conditions(cluster)}[kind]


@pytest.fixture
def cluster(team, bob):
    return make.ready(put(bob, 0))


@pytest.fixture
def training(team, bob):
    """Ready, with the team's two granted devices."""
    make.gpu_grant(bob, 2)
    return make.ready(put(bob, 2))


def test_it_is_a_change_of_the_spec_that_ends_when_it_sleeps(cluster, bob):
    done = write(bob, paused=True)
    assert (done.cluster.phase, done.cluster.generation) == (Phase.UPDATING, 2)
    assert known.desired(cluster.uid).paused
    seen = slept(cluster)
    assert (seen.phase, seen.observed_generation) == (Phase.PAUSED, 2)
    assert Operation.objects.get(pk=done.operation.pk).state == OperationState.SUCCEEDED
    summary = condition(seen, ConditionType.AVAILABLE)
    assert (summary.status, summary.reason, summary.message) == (
        ConditionStatus.FALSE,
        Reason.PAUSED,
        ASLEEP,
    )
    again = write(bob, paused=True)
    assert (again.changed, again.operation) == (False, None)


def test_it_is_ready_again_only_when_everything_was_seen_anew(cluster, bob):
    pause(bob)
    slept(cluster)
    woken = resume(bob)
    assert (woken.phase, woken.spec_text) == (Phase.UPDATING, "{}")
    assert not condition(woken, ConditionType.PAUSED).true
    assert make.ready(woken).phase == Phase.READY


def test_what_a_late_pass_saw_does_not_put_it_to_sleep_again(cluster, bob):
    pause(bob)
    asleep = slept(cluster)
    late = condition(asleep, ConditionType.PAUSED)
    resume(bob)
    seen = make.observe(cluster, late)
    assert not condition(seen, ConditionType.PAUSED).true


def test_one_in_which_something_runs_again_is_degraded_until_it_is_stopped(cluster, bob):
    pause(bob)
    slept(cluster)
    runs = Condition(ConditionType.PAUSED, ConditionStatus.FALSE, Reason.WAITING, "pod x came back", 2)
    due()
    assert make.observe(cluster, runs).phase == Phase.DEGRADED
    assert slept(cluster).phase == Phase.PAUSED


def test_a_host_that_does_not_answer_leaves_it_asleep(cluster, bob):
    pause(bob)
    slept(cluster)
    gone = Condition(ConditionType.HOST_REACHABLE, ConditionStatus.FALSE, Reason.HOST_UNREACHABLE, "away", 2)
    due()
    assert make.observe(cluster, gone).phase == Phase.PAUSED


def test_nobody_gets_in_and_nothing_is_proved_and_each_is_told_how_to_wake_it(cluster, bob):
    pause(bob)
    for _ in ("while it is stopped", "while it sleeps"):
        for ask in (access.request, reports.request):
            with pytest.raises(Asleep, match=r"set spec\.paused to false"):
                ask(by=bob, tenant_name="team", name="first")
        slept(cluster)
    assert reports.schedule() == 0
    resume(bob)
    assert make.ready(cluster).phase == Phase.READY
    access.request(by=bob, tenant_name="team", name="first")


def test_a_report_that_was_being_made_says_nothing_of_it(cluster, bob):
    asked = reports.request(by=bob, tenant_name="team", name="first")
    pause(bob)
    row = finish(asked)
    assert (row.state, row.verdict) == (ReportState.FAILED, None)
    assert "was paused" in row.error
    assert condition(cluster, ConditionType.ISOLATION_ATTESTED).reason is Reason.PAUSED


def finish(asked):
    lease = work.claim(WorkKind.REPORT, asked.uid)
    assert not reports.finish(lease, asked.uid, (make.claim(ClaimResult.FAILED),), policies="1")
    work.finish(lease)
    return IsolationReport.objects.get(pk=asked.pk)


def test_who_did_it_is_audited_and_told(cluster, bob):
    pause(bob)
    resume(bob)
    rows = AuditEvent.objects.filter(action__in=["cluster.pause", "cluster.resume"]).order_by("pk")
    assert [(r.actor, r.action, r.facts["generation"]) for r in rows] == [
        ("bob", "cluster.pause", 2),
        ("bob", "cluster.resume", 3),
    ]
    told = Event.objects.filter(type__in=[EventType.CLUSTER_PAUSED, EventType.CLUSTER_RESUMED])
    assert told.count() == 2


def test_the_rest_of_the_spec_stays_as_it_was_written(cluster, bob):
    write(bob, resources={"cpu": "2000m"}, paused=None)
    assert json.loads(pause(bob).spec_text) == {"resources": {"cpu": "2000m"}, "paused": True}
    assert json.loads(resume(bob).spec_text) == {"resources": {"cpu": "2000m"}}


def test_it_can_be_changed_and_deleted_while_it_sleeps(cluster, bob):
    pause(bob)
    slept(cluster)
    changed = write(bob, paused=True, resources={"cpu": "2"}).cluster
    assert (changed.generation, changed.phase) == (3, Phase.UPDATING)
    assert slept(cluster).phase == Phase.PAUSED
    assert known.desired(cluster.uid).effective.resources.cpu == 2
    deleted = clusters.delete(by=bob, tenant_name="team", name="first").cluster
    assert deleted.phase == Phase.DELETING


def test_viewers_do_not_and_a_quarantine_goes_before(cluster, bob):
    with pytest.raises(NotAllowed):
        pausing.pause(by=viewer(), tenant_name="team", name="first")
    pause(bob)
    slept(cluster)
    quarantine.begin(by=make.admin(), tenant_name="team", name="first", reason="why")
    cluster.refresh_from_db()
    assert cluster.phase == Phase.QUARANTINED
    quarantine.lift(by=make.admin(), tenant_name="team", name="first")
    assert slept(cluster).phase == Phase.PAUSED


def viewer():
    carol = make.actor("carol")
    members.put(by=make.admin(), tenant="team", username="carol", role=Role.VIEWER)
    return carol


@pytest.mark.parametrize("fields", [{"persistence": "ephemeral"}, {}])
def test_what_keeps_nothing_cannot_sleep(team, bob, fields):
    if not fields:  # left to Atoll, on a host without volumes
        found = HostCluster.objects.get()
        found.facts = {**found.facts, "defaultStorageClass": ""}
        HostCluster.objects.update(facts=found.facts)
    write(bob, **fields)
    for ask in (planned, write):
        with pytest.raises(Invalid, match="would forget every object") as caught:
            ask(bob, paused=True, **fields)
        assert [e.path for e in caught.value.errors] == ["spec.paused"]


def test_one_made_asleep_sleeps_before_it_is_built(team, bob):
    made = write(bob, paused=True)
    assert (made.created, made.cluster.phase) == (True, Phase.PENDING)
    assert slept().phase == Phase.PAUSED
    assert Operation.objects.get(pk=made.operation.pk).state == OperationState.SUCCEEDED
    woken = resume(bob)
    assert woken.first_ready_at is None
    assert make.ready(woken).phase == Phase.READY


def test_somebody_who_changed_it_meanwhile_goes_first(cluster, bob, monkeypatch):
    stale = known.get(bob, "team", "first")
    write(bob, resources={"cpu": "2"})
    monkeypatch.setattr(known, "get", lambda *_: stale)
    with pytest.raises(PreconditionFailed):
        pause(bob)


# --- accelerators


def looked(nodes):
    """A look at the host saw pods with so many devices."""
    host = HostCluster.objects.get().uid
    with atomic():
        work.request(WorkKind.HOST, host)
    lease = work.claim(WorkKind.HOST, host)
    assert allocations.seen(lease, {VirtualCluster.objects.get().uid: {"gpu": nodes}})
    work.finish(lease)


def holding(cluster):
    return grants.holding(cluster.tenant, AcceleratorClass.objects.get())


def test_what_is_kept_goes_on_counting_and_is_told_as_not_in_use(training, bob):
    looked({"gpus-1": 2})
    assert holding(training) == Holding(granted=2, held=2, used=2)
    pause(bob)
    slept(training)
    looked({})
    assert has() == (2, 2)
    assert holding(training) == Holding(granted=2, held=2, used=0, asleep=2)
    other = put(bob, 1, "second")
    assert other.phase == Phase.AWAITING_APPROVAL


def test_what_is_released_goes_to_others_once_the_host_was_seen_to_have_it_back(training, bob):
    plans = planned(bob, **spec(2), paused=True, releaseAcceleratorsWhilePaused=True).accelerators
    assert [(p.lacking, p.approval, p.fits) for p in plans] == [(0, Approval.NONE, True)]
    assert "given back while it sleeps" in plans[0].message
    pause(bob, release=True)
    assert has() == (0, 2)
    put(bob, 2, "second")
    assert has("second") is None
    slept(training)
    came_back()
    assert (has(), has("second")) == (None, (2, 2))
    row = AuditEvent.objects.get(action="cluster.pause")
    assert row.facts["accelerators"] == "released"
    (told,) = cluster_devices.of_clusters([training])[training.uid]
    assert (told.asked, told.granted, told.held) == (0, 0, 0)


def test_waking_within_the_grant_has_them_again_at_once(training, bob):
    pause(bob, release=True)
    slept(training)
    came_back()
    plans = planned(bob, **spec(2), releaseAcceleratorsWhilePaused=True).accelerators
    assert [(p.lacking, p.approval) for p in plans] == [(0, Approval.NONE)]
    resume(bob)
    assert has() == (2, 2)
    assert make.ready(training).phase == Phase.READY
    assert not GrantRequest.objects.filter(state=RequestState.REQUESTED).exists()


def test_waking_beyond_the_grant_asks_and_waits_as_any_wish_does(training, bob):
    pause(bob, release=True)
    slept(training)
    came_back()
    put(bob, 2, "second")
    woken = resume(bob)
    assert woken.phase == Phase.AWAITING_APPROVAL
    assert has() is None
    request = GrantRequest.objects.get(state=RequestState.REQUESTED)
    assert (request.amount, request.asked_by) == (2, ["bob"])
    pause(bob)
    request.refresh_from_db()
    assert request.state == RequestState.WITHDRAWN


def test_one_that_waits_for_approval_can_sleep_and_asks_on_for_what_it_keeps(team, bob):
    waiting = put(bob, 3)
    assert waiting.phase == Phase.AWAITING_APPROVAL
    pause(bob)
    assert not known.desired(waiting.uid).waits_for_approval
    assert slept(waiting).phase == Phase.PAUSED
    assert GrantRequest.objects.get().state == RequestState.REQUESTED
    pause(bob, release=True)
    assert GrantRequest.objects.get().state == RequestState.WITHDRAWN


def test_a_grant_that_ends_takes_back_what_a_sleeping_cluster_keeps(training, bob, days):
    pause(bob)
    slept(training)
    days(31)
    grant_verbs.tick()
    assert has() == (0, 2)
    came_back()
    training.refresh_from_db()
    assert (has(), training.phase) == (None, Phase.PAUSED)


def test_what_its_host_no_longer_offers_can_still_be_put_to_sleep(training, bob):
    make.accelerator(offered=False)
    Node.objects.filter(name="gpus-1").delete()
    with pytest.raises(Invalid):
        write(bob, **spec(2), resources={"cpu": "2"})
    pause(bob)
    assert slept(training).phase == Phase.PAUSED
    with pytest.raises(Invalid):
        resume(bob)
