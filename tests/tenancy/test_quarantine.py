"""Quarantine: admins only, with a reason, audited; nobody gets in, nobody changes it, and it ends cleanly."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, transaction

from tenancy.actions import access, clusters, quarantine, reports
from tenancy.enums import ConditionStatus, ConditionType, Phase, PlatformRole, Reason
from tenancy.errors import BeingDeleted, Conflict, InQuarantine, Invalid, NotAllowed, NotFound
from tenancy.models import AuditEvent, VirtualCluster, WorkItem
from tenancy.queries import clusters as known
from tenancy.rules.conditions import Condition
from tests import factories

HELD = Condition(ConditionType.QUARANTINED, ConditionStatus.TRUE, Reason.QUARANTINED, "no pod runs", 1)


@pytest.fixture
def alice(db):
    return factories.actor("alice")


@pytest.fixture
def cluster(alice):
    factories.tenant("team", owner=alice)
    return factories.ready(factories.cluster(alice, "team"))


def begin(who=None, reason="a miner was seen"):
    return quarantine.begin(by=who or factories.admin(), tenant_name="team", name="first", reason=reason)


def lift(who=None):
    return quarantine.lift(by=who or factories.admin(), tenant_name="team", name="first")


def put(who, cpu="2"):
    text = json.dumps({"resources": {"cpu": cpu}})
    return clusters.put(by=who, tenant_name="team", name="first", spec_text=text)


def test_it_is_told_at_once_audited_and_due(cluster):
    found = begin()
    assert found.phase == Phase.QUARANTINED
    assert (found.quarantined_by, found.quarantine_reason, found.access_epoch) == (
        "root",
        "a miner was seen",
        1,
    )
    told = {c.type: c for c in known.conditions(found)}
    assert told[ConditionType.QUARANTINED].true
    assert "a miner was seen" in told[ConditionType.AVAILABLE].message
    assert told[ConditionType.ACCESS_ISSUED].status is ConditionStatus.UNKNOWN
    event = AuditEvent.objects.get(action="cluster.quarantine")
    assert (event.actor, event.tenant, event.facts["reason"]) == ("root", "team", "a miner was seen")
    item = WorkItem.objects.get(object_id=cluster.uid)
    assert item.requested > item.handled
    assert known.desired(cluster.uid).quarantined


def test_asked_again_it_takes_the_new_reason_and_no_new_epoch(cluster):
    since = begin().quarantined_at
    again = begin(reason="and a key was stolen")
    assert (again.quarantined_at, again.access_epoch) == (since, 1)
    assert again.quarantine_reason == "and a key was stolen"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_reason_is_needed(cluster, reason):
    with pytest.raises(Invalid) as caught:
        begin(reason=reason)
    assert [e.path for e in caught.value.errors] == ["reason"]


def test_owners_may_not_and_auditors_may_not_and_strangers_see_nothing(cluster, alice):
    for verb in (begin, lift):
        with pytest.raises(NotAllowed):
            verb(alice)
        with pytest.raises(NotFound):
            verb(factories.actor())
    with pytest.raises(NotAllowed):
        begin(factories.actor("audrey", PlatformRole.AUDITOR))


def test_nobody_gets_in_or_changes_it(cluster, alice):
    begin()
    for who in (alice, factories.admin()):
        with pytest.raises(InQuarantine):
            access.request(by=who, tenant_name="team", name="first")
        with pytest.raises(InQuarantine):
            put(who)
        with pytest.raises(InQuarantine):
            clusters.retry(by=who, tenant_name="team", name="first")
        with pytest.raises(InQuarantine):
            reports.request(by=who, tenant_name="team", name="first")
    assert reports.schedule() == 0


def test_only_admins_delete_what_is_kept_for_an_inquiry(cluster, alice):
    begin()
    with pytest.raises(InQuarantine):
        clusters.delete(by=alice, tenant_name="team", name="first")
    clusters.delete(by=factories.admin(), tenant_name="team", name="first")
    cluster.refresh_from_db()
    assert cluster.phase == Phase.DELETING
    with pytest.raises(BeingDeleted):
        begin()


def test_passes_tell_how_far_it_is_and_never_that_it_is_ready(cluster):
    begin()
    seen = factories.observe(cluster, HELD, clean=True)
    assert seen.phase == Phase.QUARANTINED
    assert "no pod runs" in seen.conditions.get(type=ConditionType.AVAILABLE).message


def test_lifted_it_is_not_ready_before_everything_was_seen_anew(cluster, alice):
    begin()
    factories.observe(cluster, HELD, clean=True)
    found = lift()
    assert found.phase == Phase.UPDATING
    assert (found.quarantined_at, found.quarantined_by, found.quarantine_reason) == (None, "", "")
    assert found.observed_generation == found.generation - 1
    with pytest.raises(Conflict, match="comes back from quarantine"):
        access.request(by=alice, tenant_name="team", name="first")
    assert factories.ready(cluster).phase == Phase.READY
    access.request(by=alice, tenant_name="team", name="first")
    assert AuditEvent.objects.filter(action="cluster.quarantine.lift").count() == 1


def test_what_a_late_pass_saw_does_not_bring_it_back(cluster):
    begin()
    lift()
    seen = factories.observe(cluster, HELD)
    assert not {c.type: c for c in known.conditions(seen)}[ConditionType.QUARANTINED].true


def test_lifting_what_is_not_in_quarantine_changes_nothing(cluster):
    assert lift().phase == Phase.READY
    assert not AuditEvent.objects.filter(action="cluster.quarantine.lift").exists()


@pytest.mark.parametrize(
    "half",
    [
        {"quarantined_by": "eve"},
        {"quarantine_reason": "why"},
        {"quarantined_by": "e", "quarantine_reason": "y"},
    ],
)
def test_the_columns_go_together(cluster, half):
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualCluster.objects.filter(pk=cluster.pk).update(**half)
