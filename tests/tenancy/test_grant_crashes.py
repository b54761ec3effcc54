"""Death before every statement of an approval and of a grant's whole life: done again, it ends as if nothing had happened."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import InterfaceError, OperationalError, connection, connections, transaction

from tenancy.actions import bookkeeping, decisions, grants, requests
from tenancy.actions.decisions import Consent
from tenancy.enums import PlatformRole
from tenancy.grant_enums import RequestState, Rung
from tenancy.models import Allocation, AuditEvent, Grant, GrantRequest, Notice, PoolBalance, Tenant, WorkItem
from tenancy.queries import audit as log
from tests import factories as make
from tests.support.grants import approve, ask, confirmed, put, terms


class Dead(BaseException):
    """Of a process: nothing after it runs, and nothing catches it."""


class Death:
    """Comes before the k-th statement, commits and savepoints among them; never for 0."""

    def __init__(self, k, die):
        self.k, self.die, self.seen = k, die, 0

    def __call__(self, execute, sql, params, many, context):
        self.seen += 1
        if self.seen == self.k:
            self.die(context["connection"], sql)
        return execute(sql, params, many, context)


GONE = (Dead, OperationalError)


def _dead(_, sql):
    """A commit that fails is a fault of the database's, or Django would not roll back here as the real one does."""
    if sql.startswith("RELEASE"):
        raise OperationalError("the connection was lost")
    raise Dead


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def shape():
    """All that people and hosts could notice, but for times and keys."""
    return {
        "requests": Counter(
            (
                r.tenant.name,
                r.amount,
                r.state,
                r.decided_by,
                r.endorsed_by,
                r.decision,
                r.grant_id is not None,
            )
            for r in GrantRequest.objects.select_related("tenant")
        ),
        "grants": Counter(
            (g.tenant.name, g.amount, g.cause, g.ended_by, g.reminded, *_reached(g))
            for g in Grant.objects.select_related("tenant")
        ),
        "allocations": Counter(
            (a.target, a.held, tuple(sorted(a.rungs)), a.released_at is not None)
            for a in Allocation.objects.all()
        ),
        "balances": Counter((b.capacity, b.held, b.deficit) for b in PoolBalance.objects.all()),
        "notices": Counter((n.user.username, n.subject) for n in Notice.objects.select_related("user")),
        "audit": Counter((e.actor, e.action) for e in AuditEvent.objects.all()),
    }


def _reached(grant):
    return (bool(at) for at in (grant.activated_at, grant.ended_at, grant.closed_at, grant.receipt))


def sound():
    assert bookkeeping.inspect() == []
    assert log.faults() == []


class Story:
    """Steps, each done again after a death in it; a lease that the dead one had runs out."""

    def __init__(self, k):
        self.death = Death(k, _dead)

    def step(self, do):
        with connection.execute_wrapper(self.death):
            try:
                do()
            except GONE:
                WorkItem.objects.update(lease=None, lease_until=None)
                do()


def _approved(state=RequestState.REQUESTED, by=None):
    approve(GrantRequest.objects.get(state=state), by)


def life(k, bob, eve, days):
    """A grant from a cluster's wish, through an offer and two approvers, to its end, and the one that follows it."""
    days(0)
    story = Story(k)
    story.step(lambda: put(bob, 3))
    offer = {"by": make.admin(), "terms": terms(2, 5), "reason": "two will do"}
    story.step(lambda: decisions.counter(uid=GrantRequest.objects.get().uid, **offer))
    story.step(lambda: requests.accept(by=bob, uid=GrantRequest.objects.get().uid))
    story.step(lambda: _approved(RequestState.ENDORSED, eve))
    story.step(lambda: put(bob, 2))
    story.step(confirmed)
    story.step(lambda: ask(bob, 4, days=5, after=5))
    story.step(_approved)
    story.step(lambda: _approved(RequestState.ENDORSED, eve))
    days(4)
    story.step(grants.tick)
    days(5)
    story.step(grants.tick)
    story.step(confirmed)
    story.step(grants.tick)
    story.step(confirmed)
    return shape(), story.death.seen


@pytest.fixture
def eve(team):
    make.accelerator(two_approvers_from=2)
    return make.actor("eve", PlatformRole.ADMIN)


def _ends_the_same(bob, eve, days, every):
    with undone():
        wanted, points = life(0, bob, eve, days)
        sound()
    assert points > 150
    told = wanted["audit"]
    assert (told["clock", "grant.end"], told["clock", "grant.close"], told["clock", "grant.activate"]) == (
        1,
        1,
        2,
    )
    assert {rung for a in wanted["allocations"] for rung in a[2]} >= {rung.value for rung in Rung}
    for k in range(1, points + 1, every):
        with undone():
            found, _ = life(k, bob, eve, days)
            sound()
            assert found == wanted, f"after a death before statement {k}"


@pytest.mark.matrix
@pytest.mark.django_db
def test_a_death_within_a_life_ends_the_same(bob, eve, days):
    _ends_the_same(bob, eve, days, every=67)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_a_death_at_every_statement_of_a_life_ends_the_same(bob, eve, days):
    _ends_the_same(bob, eve, days, every=1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "others", [(), pytest.param(("crew", "late"), marks=pytest.mark.matrix)], ids=["alone", "together"]
)
def test_a_death_at_every_statement_of_an_approval_leaves_nothing_behind(bob, team, others):
    asked = [ask(bob, 3)]
    put(bob, 3)
    for name in others:
        make.tenant(name, member=bob)
        asked.append(ask(bob, 1, tenant=name))
    consents = [Consent(make.admin(), one.uid, "fine") for one in asked]
    before = shape()

    def dies(k):
        death = Death(k, _dead)
        with connection.execute_wrapper(death):
            answers = decisions.approve_all(consents)
        return [type(answer).__name__ for answer in answers], death.seen

    with undone():
        told, points = dies(0)
        wanted = shape()
    assert told == ["GrantRequest", "GrantRequest", "DoesNotFit"][: len(asked)]
    for k in range(1, points + 1):
        with undone():
            with pytest.raises(GONE):
                dies(k)
            assert shape() == before, f"after a death before statement {k}"
            assert dies(0)[0] == told
            assert shape() == wanted
    dies(0)
    again = ["InvalidTransition", "InvalidTransition", "DoesNotFit"]  # the answer was lost, not the decision
    assert dies(0)[0] == again[: len(asked)]
    assert shape() == wanted
    sound()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no sessions to end")
@pytest.mark.django_db(transaction=True)
def test_a_session_that_ends_at_every_statement_of_an_approval_leaves_nothing_behind(bob):
    make.accelerator()
    make.gpu_pool(100)
    points, number = 99, 0
    while number <= points:
        name = f"t{number}"
        make.tenant(name, member=bob)
        request = ask(bob, 1, tenant=name)
        death = Death(number, _end_session)  # the first one lives, and counts
        try:
            with connection.execute_wrapper(death):
                approve(request)
        except (OperationalError, InterfaceError):
            connection.close()
            assert not Grant.objects.filter(tenant__name=name).exists()
            approve(request)
        points, number = (death.seen if number == 0 else points), number + 1
    each = {
        name: (sum(g.amount for g in Grant.objects.filter(tenant__name=name)), _audited(name))
        for name in Tenant.objects.values_list("name", flat=True)
    }
    assert len(each) == points + 1 > 10
    assert set(each.values()) == {
        (1, ("grant.activate", "member.put", "request.approve", "request.submit", "tenant.create"))
    }
    assert Notice.objects.filter(user=bob.user, subject__endswith="approved").count() == points + 1
    sound()


def _audited(tenant):
    return tuple(sorted(AuditEvent.objects.filter(tenant=tenant).values_list("action", flat=True)))


def _end_session(own, _):
    """By another session, as an operator or the server would."""
    pid = own.connection.info.backend_pid
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()
