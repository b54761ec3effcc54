from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tenancy.actions import clusters, tenants
from tenancy.actions.clusters import etag
from tenancy.enums import (
    ConditionStatus,
    ConditionType,
    OperationKind,
    OperationState,
    Phase,
    PlatformRole,
    Reason,
    StepState,
)
from tenancy.errors import (
    BeingDeleted,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    Protected,
)
from tenancy.models import AuditEvent, Operation, VirtualCluster, WorkItem
from tenancy.policy import Actor
from tenancy.queries import clusters as queries
from tenancy.queries import operations
from tenancy.rules.conditions import Condition
from tenancy.rules.preconditions import Expectation
from tenancy.rules.specs import StepReport
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return factories.actor("alice")


@pytest.fixture
def team(alice):
    factories.host()
    return factories.tenant("team", owner=alice)


def put(by, name="first", spec=None, **options):
    return clusters.put(by=by, tenant_name="team", name=name, spec_text=json.dumps(spec or {}), **options)


def gone(cluster):
    factories.observe(cluster, gone=True)


def test_create_writes_wish_operation_audit_and_work_together(alice, team):
    result = put(alice)
    assert (result.created, result.changed, result.cluster.generation) == (True, True, 1)
    assert result.operation.kind == OperationKind.CREATE
    assert result.cluster.phase == Phase.PENDING
    assert WorkItem.objects.filter(object_id=result.cluster.uid, requested=1).exists()
    assert AuditEvent.objects.filter(action="cluster.create", actor="alice", tenant="team").count() == 1
    assert {c.type for c in queries.conditions(result.cluster)} == set(ConditionType)


def test_the_same_put_changes_nothing(alice, team):
    first = put(alice, spec={"resources": {"cpu": "2"}})
    again = put(alice, spec={"resources": {"cpu": "2"}})
    assert (again.created, again.changed) == (False, False)
    assert again.operation == first.operation
    assert etag(again.cluster) == etag(first.cluster)
    assert Operation.objects.count() == 1


def test_the_spec_is_kept_as_written(alice, team):
    text = '{"resources": {"memory": "1Gi", "cpu": "1"}, "persistence": "ephemeral"}'
    clusters.put(by=alice, tenant_name="team", name="first", spec_text=text)
    assert queries.get(alice, "team", "first").spec_text == text


def test_a_change_leaves_ready_in_its_own_transaction(alice, team):
    cluster = factories.ready(put(alice).cluster)
    assert cluster.phase == Phase.READY
    result = put(alice, spec={"resources": {"cpu": "2"}})
    assert (result.cluster.generation, result.cluster.phase) == (2, Phase.UPDATING)
    assert result.operation.kind == OperationKind.UPDATE
    assert factories.ready(cluster).phase == Phase.READY


def test_a_later_change_supersedes_the_running_operation(alice, team):
    first = put(alice).operation
    put(alice, spec={"resources": {"cpu": "2"}})
    first.refresh_from_db()
    assert first.state == OperationState.SUPERSEDED


def test_preconditions_hold_or_refuse(alice, team):
    cluster = put(alice, expect=Expectation(absent=True)).cluster
    with pytest.raises(PreconditionFailed):
        put(alice, expect=Expectation(absent=True))
    with pytest.raises(PreconditionFailed):
        put(alice, spec={"persistence": "ephemeral"}, expect=Expectation(etags=frozenset({'"x-1"'})))
    tag = frozenset({etag(cluster)})
    assert put(alice, spec={"persistence": "ephemeral"}, expect=Expectation(etags=tag)).changed
    with pytest.raises(PreconditionFailed):
        put(alice, name="other", expect=Expectation(etags=frozenset({"*"})))


def test_strangers_see_nothing_and_viewers_write_nothing(alice, team):
    put(alice)
    mallory, vera = factories.actor("mallory"), factories.actor("vera")
    factories.tenant("others", owner=mallory, viewer=vera)
    with pytest.raises(NotFound) as foreign:
        queries.get(mallory, "team", "first")
    with pytest.raises(NotFound) as unknown:
        queries.get(alice, "team", "second")
    assert foreign.value.detail == unknown.value.detail.replace("second", "first")
    with pytest.raises(NotFound):
        put(mallory)
    with pytest.raises(NotAllowed):
        clusters.put(by=vera, tenant_name="others", name="x", spec_text="{}")


def test_a_bound_or_read_only_token_narrows(alice, team):
    other = factories.tenant("other", owner=alice)
    bound = Actor(alice.user, bound_to=other.uid)
    with pytest.raises(NotFound):
        put(bound)
    with pytest.raises(NotAllowed):
        put(Actor(alice.user, read_only=True))


def test_a_suspended_tenant_can_only_look(alice, team):
    put(alice)
    tenants.update(by=factories.admin(), name="team", suspended=True)
    assert queries.get(alice, "team", "first")
    with pytest.raises(NotAllowed):
        put(alice, spec={"persistence": "ephemeral"})


def test_an_auditor_looks_everywhere_and_writes_nowhere(alice, team):
    put(alice)
    auditor = factories.actor("audrey", PlatformRole.AUDITOR)
    assert queries.get(auditor, "team", "first")
    with pytest.raises(NotAllowed):
        put(auditor, name="second")


def test_bad_input_loses_nothing(alice, team):
    cluster = put(alice).cluster
    for spec in ({"resources": {"cpu": "x"}}, {"kubernetesVersion": "1.2"}):
        with pytest.raises(Invalid):
            put(alice, spec=spec)
    cluster.refresh_from_db()
    assert (cluster.generation, cluster.spec_text) == (1, "{}")


def test_without_a_host_the_message_tells_who_acts(alice):
    factories.tenant("team", owner=alice)
    with pytest.raises(Conflict, match="admin registers one"):
        put(alice)


def test_delete_is_idempotent_and_ends_in_absence(alice, team):
    cluster = factories.ready(put(alice).cluster)
    first = clusters.delete(by=alice, tenant_name="team", name="first")
    again = clusters.delete(by=alice, tenant_name="team", name="first")
    assert first.operation == again.operation
    assert again.cluster.phase == Phase.DELETING
    with pytest.raises(BeingDeleted):
        put(alice, spec={"persistence": "ephemeral"})
    gone(cluster)
    with pytest.raises(NotFound):
        clusters.delete(by=alice, tenant_name="team", name="first")
    operation = operations.get(alice, first.operation.uid)
    assert operation.state == OperationState.SUCCEEDED
    assert not WorkItem.objects.filter(object_id=cluster.uid).exists()


def test_a_name_is_free_again_with_a_new_uid(alice, team):
    old = put(alice).cluster
    clusters.delete(by=alice, tenant_name="team", name="first")
    gone(old)
    new = put(alice).cluster
    assert new.uid != old.uid
    assert new.namespace != old.namespace


def test_protection_refuses_deletion(alice, team):
    put(alice, spec={"deletionProtection": True})
    with pytest.raises(Protected):
        clusters.delete(by=alice, tenant_name="team", name="first")
    put(alice, spec={"deletionProtection": False})
    assert clusters.delete(by=alice, tenant_name="team", name="first").changed


def test_a_tenant_with_clusters_stays(alice, team):
    put(alice)
    with pytest.raises(Conflict):
        tenants.delete(by=factories.admin(), name="team")


def test_steps_are_carried_into_the_operation(alice, team):
    result = put(alice)
    first, second = (datetime(2026, 11, 21, 8, minute, tzinfo=UTC) for minute in (0, 1))
    for at in (first, second):
        done = StepReport("Namespace", StepState.DONE, began=at, ended=at)
        probing = StepReport("Sandbox", StepState.RUNNING, "probing", began=at, ended=at)
        factories.observe(result.cluster, steps=(done, probing, StepReport("Access", StepState.PENDING)))
    result.operation.refresh_from_db()
    seen = [(s["state"], s["message"], s["startedAt"], s["finishedAt"]) for s in result.operation.steps]
    assert seen == [
        ("done", "", first.isoformat(), first.isoformat()),
        ("running", "probing", first.isoformat(), None),
        ("pending", "", None, None),
    ]


def test_a_stall_fails_the_operation_and_retry_begins_anew(alice, team):
    result = put(alice)
    stalled = Condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.CONFLICT, "not ours", 1)
    cluster = factories.observe(result.cluster, stalled)
    assert cluster.phase == Phase.FAILED
    result.operation.refresh_from_db()
    assert (result.operation.state, result.operation.error_code) == (OperationState.FAILED, "Conflict")
    retried = clusters.retry(by=alice, tenant_name="team", name="first")
    assert retried.cluster.phase == Phase.PENDING
    assert retried.operation.state == OperationState.RUNNING


def test_changed_at_moves_only_when_the_status_flips(alice, team):
    cluster = put(alice).cluster
    waiting = Condition(ConditionType.DNS_AVAILABLE, ConditionStatus.FALSE, Reason.WAITING, "a", 1)
    row = cluster.conditions.get(type=ConditionType.DNS_AVAILABLE)
    factories.observe(cluster, waiting)
    flipped = cluster.conditions.get(pk=row.pk).changed_at
    assert flipped > row.changed_at
    factories.observe(cluster, Condition(waiting.type, waiting.status, Reason.NOT_READY, "b", 1))
    row = cluster.conditions.get(pk=row.pk)
    assert (row.changed_at, row.message) == (flipped, "b")


def test_an_unclean_pass_never_moves_the_observed_generation(alice, team):
    cluster = put(alice).cluster
    assert factories.observe(cluster).observed_generation == 0
    assert factories.ready(cluster).observed_generation == 1


def test_dry_run_tells_and_does_nothing(alice, team):
    plan = clusters.plan(by=alice, tenant_name="team", name="first", spec_text='{"resources": {"cpu": "2"}}')
    assert (plan.action, plan.changes) == ("create", (("spec.resources.cpu", None, "2"),))
    assert not VirtualCluster.objects.exists()
    put(alice, spec={"resources": {"cpu": "2"}})
    same = clusters.plan(by=alice, tenant_name="team", name="first", spec_text='{"resources": {"cpu": "2"}}')
    assert (same.action, same.changes) == ("none", ())
