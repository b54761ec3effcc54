"""From a cluster's wish for devices to a grant, and back: workflow, ledger and what clusters get."""

from __future__ import annotations

import pytest

from tenancy.actions import clusters, decisions, findings, grants, requests, work
from tenancy.actions.unit import atomic
from tenancy.enums import FindingKind, Phase, PlatformRole, WorkKind
from tenancy.errors import AlreadyExists, DoesNotFit, Invalid, InvalidTransition, NotAllowed
from tenancy.grant_enums import GrantPhase, RequestState
from tenancy.models import Grant, GrantRequest, Notice, PoolBalance, VirtualCluster
from tenancy.queries import calendar
from tenancy.queries import clusters as cluster_queries
from tenancy.queries import grants as known
from tenancy.rules.drift import Culprit, Drift, Place
from tests import factories as make
from tests.support.grants import approve, ask, confirmed, has, put, spec, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def other_admin(team):
    return make.actor("eve", PlatformRole.ADMIN)


def test_a_cluster_that_asks_for_more_than_is_granted_waits_with_its_request_and_goes_on(bob, team):
    first = put(bob, 2)
    request = GrantRequest.objects.get()
    assert first.phase == Phase.AWAITING_APPROVAL
    assert (request.amount, request.requested_by, request.for_clusters) == (2, "bob", True)
    assert cluster_queries.desired(first.uid).awaiting_approval
    approve(request)
    first.refresh_from_db()
    assert first.phase == Phase.PENDING
    assert has() == (2, 2)
    assert [(d.resource, d.amount) for d in cluster_queries.desired(first.uid).devices] == [
        ("nvidia.com/gpu", 2)
    ]


def test_within_the_grant_devices_are_allocated_at_once(bob, team):
    approve(ask(bob, 4))
    assert put(bob, 3).phase == Phase.PENDING
    assert put(bob, 1, "second").phase == Phase.PENDING
    assert put(bob, 1, "third").phase == Phase.AWAITING_APPROVAL
    assert GrantRequest.objects.get(state=RequestState.REQUESTED).amount == 1


def test_further_clusters_join_the_open_request_and_leave_it(bob, team):
    put(bob, 2)
    put(bob, 1, "second")
    assert GrantRequest.objects.get().amount == 3
    put(bob, 0)
    assert GrantRequest.objects.get().amount == 1
    clusters.delete(by=bob, tenant_name="team", name="second")
    assert GrantRequest.objects.get().state == RequestState.WITHDRAWN


def test_nobody_decides_what_they_asked_for(team, bob):
    root = make.admin()
    request = requests.submit(by=root, tenant_name="team", key="gpu", terms=terms(), justification="mine")
    with pytest.raises(NotAllowed, match="another admin"):
        approve(request, root)
    with pytest.raises(NotAllowed):
        approve(request, bob)


def test_two_approvers_are_two(team, bob, other_admin):
    make.accelerator(two_approvers_from=3)
    request = ask(bob, 3)
    assert approve(request).state == RequestState.ENDORSED
    with pytest.raises(NotAllowed, match="agreed already"):
        approve(request)
    assert approve(request, other_admin).state == RequestState.APPROVED


def test_a_counter_offer_is_accepted_or_declined(team, bob):
    request = ask(bob, 4)
    decisions.counter(by=make.admin(), uid=request.uid, terms=terms(2), reason="two will do")
    done = requests.accept(by=bob, uid=request.uid)
    assert (done.state, done.grant.amount, done.decided_by) == (RequestState.APPROVED, 2, "root")
    with pytest.raises(InvalidTransition, match="it is decided"):
        requests.decline(by=bob, uid=request.uid)


def test_an_exact_fit_is_granted_and_one_more_is_not(team, bob):
    approve(ask(bob, 3))
    with pytest.raises(DoesNotFit, match="offer 1 instead"):
        approve(ask(bob, 2))
    requests.withdraw(by=bob, uid=GrantRequest.objects.get(state="requested").uid)
    approve(ask(bob, 1))
    assert PoolBalance.objects.get().held == 4


def test_one_open_request_for_a_class(team, bob):
    ask(bob)
    with pytest.raises(AlreadyExists, match="withdraw it first"):
        ask(bob)


def test_small_asks_need_nobody(team, bob):
    make.accelerator(auto_approve_up_to=2)
    assert ask(bob, 2).state == RequestState.APPROVED
    assert ask(bob, 1).state == RequestState.REQUESTED


def test_days_that_do_not_meet_share_devices(team, bob):
    approve(ask(bob, 4, days=5))
    later = approve(ask(bob, 4, days=5, after=5))
    assert later.state == RequestState.APPROVED
    assert known.phase(later.grant, calendar.today()) is GrantPhase.PENDING
    assert PoolBalance.objects.get().held == 4


def test_an_expired_grant_comes_back_only_once_the_host_was_seen_to_have_it(team, bob, days):
    approve(ask(bob, 4, days=5))
    put(bob, 4)
    successor = approve(ask(bob, 4, days=5, after=5)).grant
    days(5)
    grants.tick()
    assert has() == (0, 4)
    assert VirtualCluster.objects.get().phase == Phase.AWAITING_APPROVAL
    old, new = Grant.objects.order_by("starts_on")
    assert (old.closed_at, new.activated_at) == (None, None)
    confirmed()
    assert has() is None
    grants.tick()
    grants.tick()
    old, new = Grant.objects.order_by("starts_on")
    assert old.receipt
    assert new.pk == successor.pk
    assert new.activated_at is not None
    assert has() == (4, 4)


def test_a_tenant_that_returns_early_gives_back_what_is_over(team, bob):
    kept = approve(ask(bob, 2)).grant
    early = approve(ask(bob, 2)).grant
    put(bob, 3)
    grants.return_early(by=bob, uid=early.uid)
    assert has() == (0, 3) or has() == (2, 3)
    confirmed()
    grants.tick()
    assert Grant.objects.get(pk=early.pk).closed_at
    assert not Grant.objects.get(pk=kept.pk).closed_at


def test_reminders_are_told_once(team, bob, days):
    approve(ask(bob, 1, days=10))
    for ahead in (0, 3, 3, 4, 7, 9, 9):
        days(ahead)
        grants.tick()
    told = Notice.objects.filter(user=bob.user, subject__contains="end in").order_by("created_at")
    assert [n.subject[-9:] for n in told] == ["in 7 days", "in 3 days", "in 1 days"]


def test_resizing_down_counts_until_the_host_follows(team, bob):
    approve(ask(bob, 4))
    put(bob, 4)
    put(bob, 1)
    assert has() == (1, 4)
    assert put(bob, 3, "second").phase == Phase.AWAITING_APPROVAL
    confirmed()
    assert has() == (1, 1)
    assert has("second") == (3, 3)


def test_a_deleted_cluster_holds_until_its_end_was_proved(team, bob):
    approve(ask(bob, 4))
    first = put(bob, 4)
    clusters.delete(by=bob, tenant_name="team", name="first")
    assert has() == (0, 4)
    make.observe(first, gone=True)
    assert put(bob, 4, "second").phase == Phase.PENDING


def test_lost_nodes_are_a_deficit_that_freezes_approvals(team, bob):
    approve(ask(bob, 4))
    node = make.NodePool.objects.get().nodes.get()
    facts = {**node.facts, "schedulable": False}
    type(node).objects.filter(pk=node.pk).update(facts=facts)
    with atomic():
        from tenancy.actions import balances

        balances.recount_host(node.host)
    row = PoolBalance.objects.get()
    assert (row.capacity, row.held, row.deficit) == (0, 4, 4)
    with pytest.raises(DoesNotFit, match="fewer devices than are promised"):
        approve(ask(bob, 1))


def test_a_class_that_no_pool_has_is_refused_at_once(team, bob):
    make.accelerator("tpu", "google.com/tpu")
    with pytest.raises(Invalid, match="no node pool has 'tpu'"):
        requests.submit(by=bob, tenant_name="team", key="tpu", terms=terms(), justification="x")
    with pytest.raises(Invalid, match="has no tpu"):
        make.cluster(bob, "team", "x", spec(1, "tpu"))


def test_nothing_more_is_given_while_devices_are_held_beyond_the_ledger(bob, team):
    approve(ask(bob, 4))
    first = put(bob, 1)
    place = Place("lab", first.namespace, "team", "first", first.uid)
    over = Drift(FindingKind.DEVICES_OVER, "Devices nvidia.com/gpu", (), Culprit("mallory"), "end the pods")

    def written(do, *what):
        lease = work.claim(WorkKind.CLUSTER, first.uid)
        assert do(lease, place, *what)
        work.wait(lease, 0)

    written(findings.noticed, over)
    put(bob, 3)
    assert has() == (1, 1)
    assert "see findings" in VirtualCluster.objects.get().conditions.get(type="Approved").message
    written(findings.restored, over.subject)
    assert has() == (3, 3)


def test_what_a_cluster_that_is_gone_held_back_goes_to_the_others(bob, team):
    approve(ask(bob, 2))
    put(bob, 0)
    gone = VirtualCluster.objects.get()
    place = Place("lab", gone.namespace, "team", "first", gone.uid)
    over = Drift(FindingKind.DEVICES_OVER, "Devices nvidia.com/gpu", (), Culprit("mallory"), "end the pods")
    lease = work.claim(WorkKind.CLUSTER, gone.uid)
    assert findings.noticed(lease, place, over)
    work.wait(lease, 0)
    put(bob, 2, "second")
    assert has("second") is None
    make.observe(gone, gone=True)
    assert has("second") == (2, 2)


def test_a_cluster_asks_only_for_what_grants_lack(team, bob):
    approve(ask(bob, 1))
    put(bob, 3)
    request = GrantRequest.objects.get(state=RequestState.REQUESTED)
    assert (request.amount, has()) == (2, None)
    approve(request)
    assert has() == (3, 3)


def test_what_comes_back_from_another_cluster_is_not_asked_for_again(team, bob):
    approve(ask(bob, 4))
    put(bob, 4)
    put(bob, 1)
    assert put(bob, 3, "second").phase == Phase.AWAITING_APPROVAL
    assert not GrantRequest.objects.filter(state=RequestState.REQUESTED).exists()
    confirmed()
    assert has("second") == (3, 3)
