"""Isolation reports: who may ask, when the schedule asks, and what comes of a verdict."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tenancy.actions import clusters, reports, work
from tenancy.enums import (
    ActorSource,
    ClaimResult,
    ConditionStatus,
    ConditionType,
    FindingKind,
    Phase,
    Reason,
    ReportState,
    WorkKind,
)
from tenancy.errors import BeingDeleted, Conflict
from tenancy.models import AuditEvent, ClusterCondition, Finding, IsolationReport, WorkItem
from tenancy.queries import reports as known
from tests import factories


@pytest.fixture
def alice(db):
    return factories.actor("alice")


@pytest.fixture
def cluster(alice):
    factories.tenant("team", owner=alice)
    return factories.ready(factories.cluster(alice, "team"))


def ask(who):
    return reports.request(by=who, tenant_name="team", name="first")


def attested(cluster):
    cluster.refresh_from_db()
    return cluster.conditions.get(type=ConditionType.ISOLATION_ATTESTED)


def test_one_is_made_at_a_time(alice, cluster):
    first = ask(alice)
    assert ask(alice).uid == first.uid
    assert WorkItem.objects.filter(kind=WorkKind.REPORT).count() == 1
    assert AuditEvent.objects.filter(action="report.request", actor="alice").count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        IsolationReport.objects.create(cluster=cluster, requested_by="eve")


def test_a_cluster_that_never_was_ready_has_nothing_to_report(alice):
    factories.tenant("team", owner=alice)
    factories.cluster(alice, "team")
    with pytest.raises(Conflict, match="wait until it is Ready"):
        ask(alice)


def test_a_cluster_at_its_end_has_nothing_to_report(alice, cluster):
    clusters.delete(by=alice, tenant_name="team", name="first")
    with pytest.raises(BeingDeleted):
        ask(alice)


def test_a_good_report_is_signed_and_recorded(cluster):
    made = factories.report(cluster)
    assert (made.state, made.verdict) == (ReportState.READY, True)
    said = json.loads(made.statement)
    assert said["subject"]["uid"] == str(cluster.uid)
    assert made.key_id == known.keys()[0]["kid"]
    assert made.envelope.count(".") == 2
    assert attested(cluster).status == ConditionStatus.TRUE
    assert cluster.phase == Phase.READY


@pytest.mark.parametrize("result", [ClaimResult.FAILED, ClaimResult.NOT_RUN])
def test_a_bad_one_degrades_alarms_and_names_the_control(cluster, result):
    made = factories.report(
        cluster, factories.claim(), factories.claim(result, "limits", "LimitRange is gone")
    )
    assert made.verdict is False
    row = attested(cluster)
    assert (row.status, row.reason) == (ConditionStatus.FALSE, Reason.CLAIM_FAILED)
    assert "Control of limits" in row.message
    assert cluster.phase == Phase.DEGRADED
    assert "Control of limits" in cluster.conditions.get(type=ConditionType.AVAILABLE).message
    alarm = AuditEvent.objects.get(action="report.failed")
    assert "LimitRange is gone" in alarm.facts["claims"]


def test_a_bad_one_tells_until_a_good_one_comes_whatever_the_passes_see(cluster):
    factories.report(cluster, factories.claim(ClaimResult.FAILED))
    assert factories.ready(_due(cluster)).phase == Phase.DEGRADED
    factories.report(cluster)
    cluster.refresh_from_db()
    assert cluster.phase == Phase.READY


def _due(cluster):
    with transaction.atomic():
        work.request(WorkKind.CLUSTER, cluster.uid)
    return cluster


def test_that_there_is_none_yet_does_not_keep_a_cluster_from_being_ready(cluster):
    assert attested(cluster).status == ConditionStatus.UNKNOWN
    assert cluster.phase == Phase.READY


def test_a_cluster_older_than_the_word_gets_its_condition(cluster):
    ClusterCondition.objects.filter(type=ConditionType.ISOLATION_ATTESTED).delete()
    factories.report(cluster)
    assert attested(cluster).status == ConditionStatus.TRUE


def test_the_schedule_asks_when_the_last_is_old(cluster, settings):
    assert reports.schedule() == 1
    assert reports.schedule() == 0
    IsolationReport.objects.update(state=ReportState.FAILED)
    assert reports.schedule() == 0
    old = timezone.now() - timedelta(seconds=settings.ATOLL_REPORT_EVERY + 1)
    IsolationReport.objects.update(requested_at=old)
    assert reports.schedule() == 1
    assert IsolationReport.objects.filter(requested_by=reports.SCHEDULE).count() == 2


def test_the_schedule_asks_soon_after_a_failed_report(cluster):
    failed = factories.report(cluster, factories.claim(ClaimResult.FAILED))
    assert reports.schedule() == 0
    earlier = timezone.now() - reports.FAILED_AGAIN
    IsolationReport.objects.filter(uid=failed.uid).update(requested_at=earlier)
    assert reports.schedule() == 1


@pytest.mark.parametrize(
    ("of", "asked"),
    [("cluster", 1), ("host", 1), ("another", 0), ("open", 0)],
)
def test_what_was_put_right_since_a_failed_report_brings_the_next_at_once(alice, cluster, of, asked):
    factories.report(cluster, factories.claim(ClaimResult.FAILED))
    host = cluster.host.name
    other = factories.cluster(alice, "team", "other")
    about = {"host": {}, "another": {"namespace": "atoll-other", "cluster": other}}.get(
        of, {"namespace": cluster.namespace, "cluster": cluster}
    )
    now = timezone.now()
    Finding.objects.create(
        host=host,
        **about,
        kind=FindingKind.GUARD_RAIL_REMOVED,
        actor_source=ActorSource.UNKNOWN,
        subject="it",
        noticed_at=now,
        restored_at=None if of == "open" else now,
    )
    assert reports.schedule() == asked
    assert reports.schedule() == 0


def test_a_good_report_after_a_failed_one_puts_the_schedule_at_rest(cluster):
    failed = factories.report(cluster, factories.claim(ClaimResult.FAILED))
    earlier = timezone.now() - reports.FAILED_AGAIN
    IsolationReport.objects.filter(uid=failed.uid).update(requested_at=earlier)
    factories.report(cluster)
    assert reports.schedule() == 0


def test_the_schedule_leaves_alone_what_is_not_in_use(alice):
    factories.tenant("team", owner=alice)
    factories.cluster(alice, "team")
    assert reports.schedule() == 0


def test_the_last_ones_are_kept(cluster, monkeypatch):
    monkeypatch.setattr(reports, "KEPT", 3)
    made = [factories.report(cluster) for _ in range(5)]
    assert set(IsolationReport.objects.values_list("uid", flat=True)) == {r.uid for r in made[-3:]}
    assert WorkItem.objects.filter(kind=WorkKind.REPORT).count() == 3


def test_who_lost_the_lease_writes_nothing(cluster):
    row = IsolationReport.objects.create(cluster=cluster, requested_by="schedule")
    with transaction.atomic():
        work.request(WorkKind.REPORT, row.uid)
    lease = work.claim(WorkKind.REPORT, row.uid)
    assert lease is not None
    work.finish(lease)
    assert not reports.begin(lease, row.uid)
    assert not reports.finish(lease, row.uid, (factories.claim(),), policies="1")
    assert not reports.refuse(lease, row.uid, "why")
    row.refresh_from_db()
    assert (row.state, row.started_at) == (ReportState.PENDING, None)


def test_a_neighbour_is_another_tenants_where_there_is_one(alice, cluster):
    row = ask(alice)
    assert known.desired(row.uid).neighbour is None
    factories.ready(factories.cluster(alice, "team", "second"), "https://10.180.0.8:443")
    assert known.desired(row.uid).neighbour.name == "team/second"
    bob = factories.actor("bob")
    factories.tenant("other", owner=bob)
    factories.ready(factories.cluster(bob, "other"), "https://10.180.0.9:443")
    assert known.desired(row.uid).neighbour.address == "10.180.0.9:443"
