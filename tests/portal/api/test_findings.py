from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tenancy.actions import findings, work
from tenancy.enums import ActorSource, FindingKind, WorkKind
from tenancy.models import AuditEvent, Finding
from tenancy.rules.drift import Culprit, Difference, Drift, Place
from tests import factories
from tests.portal.api.client import Api

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def drift(subject="ResourceQuota atoll-quota"):
    who = Culprit("mallory", ActorSource.AUDIT_LOG, "patch", AT, ("192.0.2.7",))
    details = (Difference("spec.hard.pods", "50", "9999"),)
    return Drift(FindingKind.GUARD_RAIL_CHANGED, subject, details, who, "Atoll puts it back")


@pytest.fixture
def owner(db):
    return factories.actor("owner")


@pytest.fixture
def cluster(owner):
    factories.tenant("team", owner=owner)
    return factories.ready(factories.cluster(owner, "team"))


@pytest.fixture
def place(cluster):
    return Place("lab", cluster.namespace, "team", "first", cluster.uid)


@pytest.fixture
def lease(cluster):
    work.resync(WorkKind.CLUSTER)
    return work.claim(WorkKind.CLUSTER, cluster.uid)


def test_a_member_reads_what_was_amiss_and_who_it_was(owner, place, lease):
    assert findings.noticed(lease, place, drift())
    (found,) = Api(owner).get("/tenants/team/clusters/first/findings").json()["items"]
    assert (found["kind"], found["subject"]) == ("guard-rail-changed", "ResourceQuota atoll-quota")
    assert found["differences"] == [{"path": "spec.hard.pods", "wanted": "50", "seen": "9999"}]
    actor = {"name": "mallory", "source": "audit-log", "verb": "patch", "at": AT.isoformat()}
    assert found["actor"] == actor
    assert found["restoredAt"] is None
    assert "192.0.2.7" not in str(found)


def test_one_finding_until_it_is_put_right(place, lease):
    for _ in range(2):
        findings.noticed(lease, place, drift())
    assert Finding.objects.count() == 1
    findings.restored(lease, place, drift().subject)
    findings.restored(lease, place, drift().subject)
    findings.noticed(lease, place, drift())
    assert [f.restored_at is None for f in Finding.objects.order_by("noticed_at")] == [False, True]
    actions = AuditEvent.objects.filter(action__startswith="finding.").values_list("action", flat=True)
    assert sorted(actions) == ["finding.noticed", "finding.noticed", "finding.restored"]


def test_nothing_is_written_without_the_lease(place, lease):
    work.finish(lease)
    assert not findings.noticed(lease, place, drift())
    assert not findings.restored(lease, place, drift().subject)
    assert not Finding.objects.exists()


def test_filters(place, lease):
    findings.noticed(lease, place, drift())
    findings.noticed(lease, place, drift("LimitRange atoll-defaults"))
    findings.restored(lease, place, "LimitRange atoll-defaults")
    api = Api(factories.admin())

    def subjects(query):
        return [f["subject"] for f in api.get(f"/findings?{query}").json()["items"]]

    assert subjects("open=true") == ["ResourceQuota atoll-quota"]
    assert subjects("open=false") == ["LimitRange atoll-defaults"]
    assert len(subjects("host=lab&tenant=team&cluster=first")) == 2
    assert subjects("kind=guard-rail-removed") == []
    assert api.get("/findings?open=perhaps").status_code == 400


def test_a_finding_outlives_its_cluster(cluster, place, lease):
    findings.noticed(lease, place, drift())
    findings.close_all(cluster)
    cluster.delete()
    (found,) = Api(factories.admin()).get("/findings").json()["items"]
    assert (found["tenant"], found["cluster"]) == ("team", "first")
    assert found["restoredAt"]
