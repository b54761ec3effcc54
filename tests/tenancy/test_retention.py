"""What goes by itself goes when it is due, and not before."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from tenancy.actions import findings, notices, reports, retention, services, tokens, work
from tenancy.actions.unit import atomic
from tenancy.enums import ServiceKind, WorkKind
from tenancy.models import ApiToken, Finding, IsolationReport, Notice, ServiceHeartbeat, WorkItem
from tests import factories

pytestmark = pytest.mark.django_db


def ago(kept, more=timedelta(hours=1)):
    return timezone.now() - kept - more


def sweep():
    for one in retention.SWEEPS:
        one()


def test_what_is_young_stays():
    admin = factories.admin()
    cluster = factories.cluster(admin, factories.tenant("demo").name)
    with atomic():
        notices.tell([admin.user], key="k", subject="s", body="b")
    tokens.create(by=admin, name="mine")
    services.beat(ServiceKind.WORKER, "w")
    kept = {kind: WorkItem.objects.filter(kind=kind).count() for kind in WorkKind}
    sweep()
    assert (Notice.objects.count(), ApiToken.objects.count(), ServiceHeartbeat.objects.count()) == (1, 1, 1)
    assert {kind: WorkItem.objects.filter(kind=kind).count() for kind in WorkKind} == kept
    assert WorkItem.objects.filter(object_id=cluster.uid).exists()


def test_notices_go_with_their_work():
    admin = factories.admin()
    type(admin.user).objects.update(email="root@example.com")
    admin.user.refresh_from_db()
    with atomic():
        notices.tell([admin.user], key="k", subject="s", body="b")
    assert WorkItem.objects.filter(kind=WorkKind.NOTICE).count() == 1
    Notice.objects.update(created_at=ago(notices.KEPT))
    sweep()
    assert not Notice.objects.exists()
    assert not WorkItem.objects.filter(kind=WorkKind.NOTICE).exists()


@pytest.mark.parametrize("column", ["expires_at", "revoked_at"])
def test_tokens_go_a_month_after_their_end(column):
    tokens.create(by=factories.admin(), name="mine")
    ApiToken.objects.update(**{column: ago(tokens.KEPT, timedelta(hours=-1))})
    sweep()
    assert ApiToken.objects.count() == 1
    ApiToken.objects.update(**{column: ago(tokens.KEPT)})
    sweep()
    assert not ApiToken.objects.exists()


def test_processes_that_are_no_more_are_forgotten():
    services.beat(ServiceKind.RELAY, "old")
    ServiceHeartbeat.objects.update(seen_at=ago(services.KEPT))
    services.beat(ServiceKind.RELAY, "young")
    sweep()
    assert [one.name for one in ServiceHeartbeat.objects.all()] == ["young"]


def test_only_findings_that_were_put_right_go():
    for namespace, restored in (("a", None), ("b", ago(findings.KEPT)), ("c", timezone.now())):
        made = {"noticed_at": ago(findings.KEPT, timedelta(days=1)), "restored_at": restored}
        Finding.objects.create(
            host="lab",
            namespace=namespace,
            subject="s",
            kind="guard-rail-added",
            actor_source="unknown",
            **made,
        )
    sweep()
    assert sorted(one.namespace for one in Finding.objects.all()) == ["a", "c"]


def test_sessions_that_ended_go():
    for key, end in (("old", ago(timedelta())), ("young", timezone.now() + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=end)
    sweep()
    assert [one.session_key for one in Session.objects.all()] == ["young"]


def test_work_goes_with_its_object():
    for kind in WorkKind:
        with atomic():
            work.request(kind, uuid.uuid4())
    sweep()
    assert not WorkItem.objects.exists()


def test_reports_that_cannot_be_made_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(reports, "KEPT", 2)
    cluster = factories.cluster(factories.admin(), factories.tenant("demo").name)
    for _ in range(4):
        row = IsolationReport.objects.create(cluster=cluster, requested_by="schedule")
        with atomic():
            work.request(WorkKind.REPORT, row.uid)
        lease = work.claim(WorkKind.REPORT, row.uid)
        assert reports.refuse(lease, row.uid, "the host is away: ask again when it answers")
        work.finish(lease)
    assert IsolationReport.objects.count() == 2
    assert WorkItem.objects.filter(kind=WorkKind.REPORT).count() == 2
