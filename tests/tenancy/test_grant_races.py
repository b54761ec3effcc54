"""Many at once on the ledger: never beyond capacity, an exact fit never refused at the end, nobody's request lost.

Every failure that a caller sees is one that the API answers with "try again" (portal/api/errors).
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import nullcontext

import pytest
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from tenancy.actions import bookkeeping, clusters, decisions, grants
from tenancy.enums import PlatformRole
from tenancy.errors import DoesNotFit, DomainError
from tenancy.grant_enums import RequestState
from tenancy.models import Grant, GrantRequest, NodePool, PoolBalance, VirtualCluster, WorkItem
from tenancy.queries import audit as log
from tenancy.rules.requests import OPEN
from tests import factories as make
from tests.support.crowd import ADMINS, Crowd, admin, beside, gone, kill, node, told_to_the_end
from tests.support.grants import approve, ask
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
DEVICES = 10
POSTGRESQL = connection.vendor == "postgresql"


def world(teams, *devices):
    """So many teams, two pools with so many devices, three admins."""
    make.accelerator()
    for name, count in zip(("gpus", "more"), devices, strict=True):
        make.gpu_pool(count, name)
    for name in ("eve", "ann"):
        make.actor(name, PlatformRole.ADMIN)
    people = {f"t{n}": make.actor(f"u{n}") for n in range(teams)}
    for name, person in people.items():
        make.tenant(name, member=person)
    return people


@pytest.fixture
def teams():
    return world(16, DEVICES, DEVICES)


def sound():
    assert bookkeeping.inspect() == []
    assert log.faults() == []
    for row in PoolBalance.objects.all():
        assert row.held <= row.capacity


def test_many_approvals_at_once_grant_all_there_is_and_no_more(teams):
    waiting = [ask(by, 1, tenant=name, pool=("lab", "gpus")).uid for name, by in teams.items()]
    by = [admin(name) for name in ("root", "eve", "ann")]

    def one():
        try:
            decisions.approve(by=random.choice(by), uid=waiting.pop(), reason="go")
        except DoesNotFit:
            return False
        return True

    assert Counter(in_threads(16, one)) == {True: DEVICES, False: 16 - DEVICES}
    assert PoolBalance.objects.get(pool__name="gpus").held == DEVICES
    assert GrantRequest.objects.filter(state=RequestState.REQUESTED).count() == 16 - DEVICES
    sound()


def test_one_request_approved_by_many_is_granted_once(teams):
    request = ask(teams["t0"], 3, tenant="t0")
    by = [admin(name) for name in ("root", "eve", "ann")]

    def one():
        try:
            return bool(decisions.approve(by=random.choice(by), uid=request.uid, reason="go"))
        except DomainError:
            return False

    assert sum(in_threads(16, one)) == 1
    assert Grant.objects.count() == 1
    sound()


def settled(teams):
    """All comes back, and then each pool is granted whole to one tenant."""
    make.accelerator()
    told_to_the_end()
    for request in GrantRequest.objects.filter(state__in=["requested", "endorsed", "countered"]):
        decisions.deny(
            by=admin("ann" if "root" in request.asked_by else "root"), uid=request.uid, reason="over"
        )
    for grant in Grant.objects.filter(closed_at=None, ended_at=None):
        grants.return_early(by=admin(), uid=grant.uid)
    for cluster in VirtualCluster.objects.filter(deletion_requested_at=None):
        clusters.delete(by=admin(), tenant_name=cluster.tenant.name, name=cluster.name)
    WorkItem.objects.update(lease=None, lease_until=None)
    for cluster in VirtualCluster.objects.all():
        gone(cluster)
    grants.tick()
    assert not Grant.objects.filter(closed_at=None).exists()
    for pool in NodePool.objects.all():
        whole = ask(teams["t0"], DEVICES, tenant="t0", pool=("lab", pool.name))
        assert approve(whole).state == RequestState.APPROVED
    sound()


def crowd(teams, threads, **how):
    made = Crowd(teams, **how)
    made.run(threads)
    print(made, dict(sorted(made.told.items())))  # noqa: T201 - what a long run did
    assert made.unexpected == []
    assert made.wrong == []
    assert made.looks
    assert GrantRequest.objects.filter(pk__in=made.asked).count() == len(made.asked)
    for name in ("gpus-1", "more-1"):
        node(name, healthy=True)
    sound()
    settled(teams)
    return made


def test_a_crowd_leaves_the_books_right(teams):
    told = crowd(teams, 16, seconds=6).told
    assert told["approve: done"] > 0
    assert told["put: done"] > 0


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no sessions to end")
def test_sessions_that_are_killed_leave_the_books_right(teams):
    assert crowd(teams, 24, seconds=8, killed=True).ended


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_rounds_of_a_large_crowd_leave_the_books_right(teams):
    """On PostgreSQL two hundred at once, whose sessions are killed; SQLite has one writer at a time."""
    threads = 200 if POSTGRESQL else 16
    told = crowd(teams, threads, rounds=100, killed=POSTGRESQL).told
    assert sum(told.values()) == threads * 100


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_an_exact_fit_is_never_refused_to_a_crowd():
    """One more asks at the same moment than there are devices, and sessions are killed: one is refused, whoever it is."""
    many = 200 if POSTGRESQL else 16
    people = world(many + 1, many // 4, many - many // 4)
    for number in range(10):
        waiting = list(people.items())
        with beside(0.2, kill) if POSTGRESQL else nullcontext():
            told = in_threads(many + 1, lambda left=waiting: _admitted(*left.pop()), seconds=300)
        assert Counter(told) == {True: many, False: 1}
        sound()
        print(f"round {number}: {many} of {many + 1} admitted")  # noqa: T201 - a long run shows that it goes on
        for grant in Grant.objects.filter(closed_at=None):
            grants.return_early(by=admin(), uid=grant.uid)
        grants.tick()
        assert not Grant.objects.filter(closed_at=None).exists()


def _admitted(name, by):
    """Asks for one device and has it approved, again where the session was killed; whether it got one."""
    while True:
        try:
            close_old_connections()
            if Grant.objects.filter(tenant__name=name, closed_at=None).exists():
                return True
            waits = GrantRequest.objects.filter(tenant__name=name, state__in=OPEN).first()
            made = waits or ask(by, 1, 1, tenant=name)
            decisions.approve(by=admin(random.choice(ADMINS)), uid=made.uid, reason="go")
        except DoesNotFit:
            return False
        except (OperationalError, InterfaceError):
            connection.close()
