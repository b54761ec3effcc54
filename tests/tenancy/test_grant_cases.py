"""What went wrong, or could: each of these was broken once, or is one step from a rule that must hold."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tenancy.actions import (
    accelerators,
    allocations,
    balances,
    clusters,
    decisions,
    grants,
    requests,
    tenants,
    unit,
    users,
    work,
)
from tenancy.enums import Phase, PlatformRole, WorkKind
from tenancy.errors import Conflict, DoesNotFit, Invalid, InvalidTransition, NotAllowed
from tenancy.grant_enums import RequestState, Rung
from tenancy.models import (
    AuditEvent,
    Grant,
    GrantRequest,
    HostCluster,
    Node,
    NodePool,
    Notice,
    PoolBalance,
    VirtualCluster,
)
from tenancy.queries import calendar
from tenancy.queries import grants as known
from tenancy.rules.requests import OPEN_DAYS
from tests import factories as make
from tests.support.grants import approve, ask, confirmed, has, put, terms

pytestmark = pytest.mark.django_db


@pytest.fixture
def eve(team):
    return make.actor("eve", PlatformRole.ADMIN)


def counter(request, amount, by=None):
    return decisions.counter(by=by or make.admin(), uid=request.uid, terms=terms(amount), reason="so many")


# --- four eyes


def test_an_offer_is_taken_by_the_tenant_only_also_where_two_admins_must_agree(bob, eve):
    make.accelerator(two_approvers_from=2)
    request = counter(ask(bob, 4), 3)
    with pytest.raises(InvalidTransition):
        approve(request, eve)
    with pytest.raises(NotAllowed, match="somebody else of the tenant"):
        requests.accept(by=make.admin(), uid=request.uid)
    assert requests.accept(by=bob, uid=request.uid).state == RequestState.ENDORSED
    with pytest.raises(NotAllowed, match="agreed already"):
        approve(request)
    assert approve(request, eve).state == RequestState.APPROVED


def test_who_takes_an_offer_does_not_approve_it(bob, eve):
    make.accelerator(two_approvers_from=2)
    request = counter(ask(bob, 4), 3)
    requests.accept(by=eve, uid=request.uid)
    with pytest.raises(NotAllowed, match="made or changed"):
        approve(request, eve)


def test_nobody_approves_what_they_asked_for_before_others_changed_it(bob, eve):
    put(eve, 2)
    put(bob, 1, "second")
    request = GrantRequest.objects.get()
    assert (request.amount, request.asked_by) == (3, ["bob", "eve"])
    with pytest.raises(NotAllowed, match="another admin"):
        approve(request, eve)
    assert approve(request).state == RequestState.APPROVED


def test_the_audit_log_names_who_accepted_and_the_request_who_decided(bob, team):
    request = requests.accept(by=bob, uid=counter(ask(bob, 4), 2).uid)
    assert request.decided_by == "root"
    assert AuditEvent.objects.get(action="request.accept").actor == "bob"


def test_a_person_is_never_taken_for_a_part_of_atoll(team):
    with pytest.raises(Invalid, match="choose another name"):
        users.create(username="policy", password=make.PASSWORD)


def test_each_party_is_told(bob, eve):
    make.accelerator(two_approvers_from=3)
    request = ask(bob, 3)
    told = Notice.objects.filter(subject__contains="asks for")
    assert {n.user.username for n in told} == {"root", "eve"}
    approve(request, make.admin())
    assert {n.user.username for n in Notice.objects.filter(subject__endswith="endorsed")} == {"bob", "eve"}
    requests.withdraw(by=bob, uid=request.uid)
    assert {n.user.username for n in Notice.objects.filter(subject__endswith="withdrawn")} == {"root"}


# --- decided anew at the moment of the decision


def test_a_request_whose_days_are_over_is_not_approved(bob, team, days):
    request = ask(bob, 1, days=3)
    days(3)
    with pytest.raises(Conflict, match="are over"):
        approve(request)
    assert requests.lapse_old() == 1


def test_a_request_that_is_approved_later_runs_from_that_day(bob, team, days):
    request = ask(bob, 1, days=9)
    days(2)
    assert approve(request).grant.starts_on == calendar.today()


def test_a_request_made_in_a_rehearsal_does_not_lapse_at_once(bob, team, days):
    days(OPEN_DAYS + 10)
    ask(bob, 1)
    assert requests.lapse_old() == 0


def test_an_offer_for_a_day_that_has_passed_means_at_once(bob, team, days):
    request = ask(bob, 2, days=9)
    old = terms(1, 9)
    days(2)
    decisions.counter(by=make.admin(), uid=request.uid, terms=old, reason="one will do")
    assert requests.accept(by=bob, uid=request.uid).grant.starts_on == calendar.today()


def test_nothing_is_granted_to_a_suspended_tenant(bob, team):
    request = ask(bob, 1)
    tenants.update(by=make.admin(), name="team", suspended=True)
    with pytest.raises(Conflict, match="suspended"):
        approve(request)


def test_an_extension_stays_in_its_pool_and_is_weighed_there(bob, team):
    make.gpu_pool(9, "others")
    grant = approve(ask(bob, 4, days=5, pool=("lab", "gpus"))).grant
    approve(ask(bob, 4, days=5, after=5, pool=("lab", "gpus")))
    longer = requests.extend(
        by=bob, grant_uid=grant.uid, ends_on=grant.ends_on + timedelta(days=3), justification="more"
    )
    with pytest.raises(Invalid, match="choose one of these"):
        approve(longer, pool=("lab", "others"))
    with pytest.raises(DoesNotFit):
        approve(longer)


def test_an_offer_never_shortens_what_was_to_be_extended(bob, team):
    grant = approve(ask(bob, 1, days=5)).grant
    longer = requests.extend(
        by=bob, grant_uid=grant.uid, ends_on=grant.ends_on + timedelta(days=9), justification="more"
    )
    with pytest.raises(Invalid, match="give a day after"):
        decisions.counter(by=make.admin(), uid=longer.uid, terms=terms(1, 2), reason="less")


def test_what_is_over_is_not_extended_and_its_open_extension_lapses(bob, team, days):
    grant = approve(ask(bob, 1, days=5)).grant
    more = {"grant_uid": grant.uid, "ends_on": grant.ends_on + timedelta(days=9), "justification": "more"}
    longer = requests.extend(by=bob, **more)
    days(5)
    with pytest.raises(Conflict, match="are over"):
        approve(longer)
    assert requests.lapse_old() == 1
    with pytest.raises(Conflict, match="make a new request"):
        requests.extend(by=bob, **more)


def test_pools_of_hosts_that_take_no_clusters_are_granted_only_where_named(bob, team):
    HostCluster.objects.update(accepts_clusters=False)
    request = ask(bob, 1)
    with pytest.raises(DoesNotFit, match="no node pool that takes clusters"):
        approve(request)
    requests.withdraw(by=bob, uid=request.uid)
    assert approve(ask(bob, 1, pool=("lab", "gpus"))).state == RequestState.APPROVED


def test_a_pool_that_went_to_another_tenant_is_not_granted(bob, team):
    own = make.gpu_pool(4, "own", tenant_name="team")
    request = ask(bob, 1, pool=("lab", "own"))
    make.tenant("others")
    NodePool.objects.filter(pk=own.pk).update(tenant=make.Tenant.objects.get(name="others"))
    with pytest.raises(DoesNotFit):
        approve(request)


def test_the_fullest_pool_that_fits_is_taken(bob, team):
    make.gpu_pool(4, "others")
    approve(ask(bob, 3, pool=("lab", "others")))
    assert approve(ask(bob, 1)).grant.pool.name == "others"
    assert approve(ask(bob, 4)).grant.pool.name == "gpus"


# --- late devices, deficits


def test_devices_that_come_back_late_are_no_deficit(bob, team, days):
    make.gpu_node("gpus-2", NodePool.objects.get(), 2)
    approve(ask(bob, 3, days=5))
    put(bob, 3)
    approve(ask(bob, 5, days=5, after=5))
    days(5)
    grants.tick()
    balance = PoolBalance.objects.get()
    assert (balance.capacity, balance.held, balance.deficit) == (6, 5, 0)
    later = ask(bob, 3, days=5, after=10)
    assert approve(later).state == RequestState.APPROVED
    with pytest.raises(DoesNotFit, match="0 of 6"):
        approve(ask(bob, 1, days=2))


def test_a_deficit_freezes_its_own_pool_only(bob, team):
    make.gpu_pool(4, "others")
    approve(ask(bob, 4, pool=("lab", "gpus")))
    node = Node.objects.get(name="gpus-1")
    Node.objects.filter(pk=node.pk).update(facts={**node.facts, "ready": False})
    with unit.atomic():
        balances.recount_host(node.host)
    with pytest.raises(Invalid, match="choose one of these"):
        approve(ask(bob, 1), pool=("lab", "none"))
    assert approve(GrantRequest.objects.get(state="requested")).grant.pool.name == "others"


def test_a_successor_begins_in_the_tick_in_which_its_devices_are_back(bob, team, days):
    approve(ask(bob, 4, days=5))
    later = approve(ask(bob, 4, days=5, after=5)).grant
    days(5)
    grants.tick()
    later.refresh_from_db()
    assert later.activated_at is not None


def test_one_grant_in_trouble_stops_no_other(bob, team, days, monkeypatch, caplog):
    for amount in (1, 2):
        approve(ask(bob, amount, days=5))
    bad = Grant.objects.get(amount=1).uid
    end = grants._end

    def fails(grant, *args):
        if grant.uid == bad:
            raise ValueError("bad row")
        end(grant, *args)

    monkeypatch.setattr(grants, "_end", fails)
    days(5)
    grants.tick()
    assert Grant.objects.get(amount=2).closed_at is not None
    assert Grant.objects.get(amount=1).ended_at is None
    assert "could not be seen to" in caplog.text


# --- clusters and what they ask for


def test_what_was_denied_is_not_asked_for_by_itself(bob, team):
    put(bob, 2)
    approve(GrantRequest.objects.get())
    put(bob, 3, "second")
    decisions.deny(by=make.admin(), uid=GrantRequest.objects.get(state="requested").uid, reason="no")
    clusters.delete(by=bob, tenant_name="team", name="first")
    put(bob, 3, "second")
    assert not GrantRequest.objects.filter(state="requested").exists()
    assert (
        "ask for devices again"
        in VirtualCluster.objects.get(name="second").conditions.get(type="Approved").message
    )
    put(bob, 4, "second")
    assert (
        GrantRequest.objects.get(state="requested").amount == 2
    )  # two are granted, and come back from the first one


def test_what_is_seen_of_another_amount_gives_nothing_back(bob, team):
    approve(ask(bob, 4))
    cluster = put(bob, 4)
    put(bob, 2)
    old = known.shares(cluster)
    put(bob, 1)
    confirmed(shares=old)
    assert has() == (1, 4)
    confirmed()
    assert has() == (1, 1)


def test_a_class_that_is_offered_no_more_may_be_kept_and_lowered(bob, team):
    approve(ask(bob, 4))
    put(bob, 2)
    make.accelerator(offered=False)
    assert put(bob, 1).phase == Phase.PENDING
    with pytest.raises(Invalid, match="known are none"):
        put(bob, 2)


def test_a_device_is_of_one_class(team):
    with pytest.raises(Invalid, match="granted twice"):
        make.accelerator("h100", labels={"nvidia.com/gpu.product": "H100"})
    make.accelerator(labels={"nvidia.com/gpu.product": "A100"})
    make.accelerator("h100", labels={"nvidia.com/gpu.product": "H100"})
    make.accelerator("mig", "nvidia.com/mig-1g.10gb")


def test_what_two_must_agree_to_never_passes_by_policy():
    with pytest.raises(Invalid, match="at most 3"):
        make.accelerator(auto_approve_up_to=4, two_approvers_from=4)


def test_the_receipt_has_the_evidence_also_in_a_rehearsal(bob, team, days):
    days(3)
    approve(ask(bob, 2, days=5))
    put(bob, 2)
    days(8)
    grants.tick()
    confirmed()
    grants.tick()
    from django.conf import settings

    from tenancy.rules import attestation

    text = attestation.opened(settings.SIGNING_KEYS, Grant.objects.get().receipt, kind=grants.RECEIPT)
    assert [sorted(step["rungs"]) for step in json.loads(text)["evidence"]] == [sorted(r.value for r in Rung)]


def test_a_quarantined_cluster_keeps_its_devices(bob, team):
    from tenancy.actions import quarantine

    approve(ask(bob, 4))
    put(bob, 3)
    quarantine.begin(by=make.admin(), tenant_name="team", name="first", reason="look into it")
    assert put(bob, 2, "second").phase == Phase.AWAITING_APPROVAL
    assert has() == (3, 3)


def test_clusters_are_read_at_once_however_many(bob, team, django_assert_max_num_queries):
    approve(ask(bob, 4))
    for number in range(4):
        put(bob, 1, f"c{number}")
    with django_assert_max_num_queries(8), unit.atomic():
        allocations.settle(team)


def test_the_work_of_a_lost_lease_changes_nothing(bob, team):
    approve(ask(bob, 2))
    cluster = put(bob, 2)
    put(bob, 1)
    lease = work.claim(WorkKind.CLUSTER, cluster.uid)
    work.finish(lease)
    assert not allocations.stepped(lease, cluster.uid, known.shares(cluster)[0], Rung.CONFIRM, {}, 0)
    assert has() == (1, 2)


def test_a_limit_holds_over_all_pools(bob, team):
    make.gpu_pool(4, "others")
    accelerators.set_limit(by=make.admin(), tenant_name="team", key="gpu", amount=5)
    approve(ask(bob, 4))
    with pytest.raises(DoesNotFit, match="offer 1 instead"):
        approve(ask(bob, 2))


def test_a_tenant_with_devices_is_not_deleted_nor_one_with_a_history(bob, team):
    grant = approve(ask(bob, 1)).grant
    with pytest.raises(Conflict, match="return its grants early"):
        tenants.delete(by=make.admin(), name="team")
    grants.return_early(by=bob, uid=grant.uid)
    grants.tick()
    with pytest.raises(Conflict, match="suspend it instead"):
        tenants.delete(by=make.admin(), name="team")
