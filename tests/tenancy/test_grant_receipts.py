"""Several grants behind one allocation: each takes back its own devices, by its own deadline, with its own receipt."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from django.conf import settings

from tenancy.actions import clusters, grants
from tenancy.models import Allocation, Grant
from tenancy.queries import books
from tenancy.queries import grants as known
from tenancy.rules import attestation
from tests import factories as make
from tests.support.grants import approve, ask, confirmed, has, put

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_grants(bob, team, days):
    """Four devices of one cluster: two until Monday, two until Friday."""
    short = approve(ask(bob, 2, days=1)).grant
    long_ = approve(ask(bob, 2, days=5)).grant
    put(bob, 4)
    return short, long_


def steps_left():
    return [one["devices"] for one in Allocation.objects.get(cluster__name="first").steps]


def deadlines():
    rows = Allocation.objects.get(cluster__name="first").steps
    return [datetime.fromisoformat(one["deadline"]) for one in rows]


def receipt(grant):
    text = Grant.objects.get(pk=grant.pk).receipt
    return text and json.loads(attestation.opened(settings.SIGNING_KEYS, text, kind=grants.RECEIPT))


def evidence(grant):
    return [
        (one["cluster"], one["devices"], one["rungs"]["confirm"].get("used"))
        for one in receipt(grant)["evidence"]
    ]


def test_two_steps_down_two_receipts(two_grants, days):
    short, long_ = two_grants
    days(1)
    grants.tick()
    assert (has(), steps_left()) == ((2, 4), [2])
    confirmed(left=2)
    grants.tick()
    assert (has(), evidence(short), receipt(long_)) == ((2, 2), [("first", 2, 2)], "")
    days(5)
    grants.tick()
    assert (has(), steps_left()) == ((0, 2), [0])
    confirmed()
    grants.tick()
    assert (has(), evidence(long_)) == (None, [("first", 2, 0)])
    assert evidence(short) == [("first", 2, 2)]


def test_an_early_return_does_not_put_off_the_deadline_of_another_grant(bob, two_grants, days):
    """Else pods could be kept by returning one device after the other."""
    short, long_ = two_grants
    days(1)
    grants.tick()
    first = deadlines()
    days(1.01)
    grants.return_early(by=bob, uid=long_.uid)
    assert (has(), steps_left()) == ((0, 4), [2, 0])
    assert deadlines()[0] == first[0] < deadlines()[1]
    confirmed(left=2)
    assert (has(), steps_left()) == ((0, 2), [0])
    grants.tick()
    assert (evidence(short), receipt(long_)) == ([("first", 2, 2)], "")
    confirmed()
    grants.tick()
    assert evidence(long_) == [("first", 2, 0)]
    assert books.faults() == []


def test_both_come_back_at_once_where_pods_end_sooner(two_grants, days):
    days(5)
    grants.tick()
    confirmed()
    grants.tick()
    assert [evidence(grant) for grant in two_grants] == [[("first", 2, 0)]] * 2


def test_a_cluster_that_asks_for_less_just_before_the_end_keeps_nothing_beyond_it(bob, two_grants, days):
    put(bob, 0)
    assert (has(), steps_left()) == ((0, 4), [])
    days(1)
    grants.tick()
    assert (has(), steps_left()) == ((0, 4), [2])
    days(5)
    grants.tick()
    assert (has(), steps_left()) == ((0, 4), [2, 0])


def test_what_was_never_given_is_back_at_once(bob, two_grants, days):
    days(1)
    grants.tick()
    later = approve(ask(bob, 2, days=5, after=5)).grant
    grants.return_early(by=bob, uid=later.uid)
    grants.tick()
    assert receipt(later)["evidence"] == []
    assert receipt(two_grants[0]) == ""


# --- evidence outlives what comes after it


def test_a_spec_that_changes_after_the_last_rung_leaves_the_receipt_its_evidence(bob, two_grants, days):
    days(1)
    grants.tick()
    confirmed(left=2)
    put(bob, 1)
    put(bob, 2)
    grants.tick()
    assert evidence(two_grants[0]) == [("first", 2, 2)]


def test_a_spec_that_changes_between_the_rungs_makes_what_was_seen_void(bob, two_grants, days):
    days(1)
    grants.tick()
    cluster = Allocation.objects.get().cluster
    old = known.shares(cluster)
    put(bob, 1)
    confirmed(shares=old, left=2)
    grants.tick()
    assert (has(), receipt(two_grants[0])) == ((1, 4), "")
    confirmed(left=1)
    grants.tick()
    assert evidence(two_grants[0]) == [("first", 2, 1)]


def test_a_cluster_that_is_deleted_on_the_way_is_attested_by_its_absence(bob, two_grants, days):
    days(1)
    grants.tick()
    cluster = Allocation.objects.get().cluster
    clusters.delete(by=bob, tenant_name="team", name="first")
    grants.tick()
    assert receipt(two_grants[0]) == ""
    make.observe(cluster, gone=True)
    grants.tick()
    (seen,) = receipt(two_grants[0])["evidence"]
    told = seen["rungs"]["confirm"]
    assert (seen["cluster"], seen["devices"]) == ("first", 2)
    assert (told["namespace"], told["absent"]) == (cluster.namespace, True)


def test_a_cluster_that_is_deleted_after_the_last_rung_is_named(bob, two_grants, days):
    days(1)
    grants.tick()
    confirmed(left=2)
    cluster = Allocation.objects.get().cluster
    clusters.delete(by=bob, tenant_name="team", name="first")
    make.observe(cluster, gone=True)
    grants.tick()
    assert evidence(two_grants[0]) == [("first", 2, 2)]
