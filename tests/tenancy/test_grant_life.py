"""The whole workflow at random, with the books looked at after every step; what is shown beforehand is what happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tenancy.actions import accelerators, balances, clusters, decisions, grants, requests
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole
from tenancy.errors import DoesNotFit, DomainError
from tenancy.grant_enums import RequestState
from tenancy.models import Allocation, Grant, GrantRequest, Node, VirtualCluster
from tenancy.queries import books, calendar, tenants, weighing
from tenancy.queries import clusters as cluster_queries
from tenancy.queries import grants as known
from tenancy.rules import ledger
from tenancy.rules.requests import OPEN, Terms
from tests import factories as make
from tests.support.grants import ask, confirmed, put

if TYPE_CHECKING:
    from tenancy.policy import Actor

pytestmark = pytest.mark.django_db
TEAMS = ("team", "crew")
NAMES = st.sampled_from(["a1", "a2", "b1", "b2"])
"""Clusters, the first letter telling whose."""
POOLS = st.sampled_from([None, ("lab", "gpus"), ("lab", "more")])


def team_of(name):
    return TEAMS[0] if name[0] == "a" else TEAMS[1]


class Life(RuleBasedStateMachine):
    """Two teams, two admins, two shared pools; days pass by the rehearsal clock."""

    people: dict[str, Actor]

    def __init__(self):
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.move_to(0)
        for tenant, name, pool in (("team", "a1", "gpus"), ("crew", "b1", "more")):
            request = ask(self.member(tenant), 3, 4, tenant=tenant, pool=("lab", pool))
            decisions.approve(by=self.people["root"], uid=request.uid, reason="to begin with")
            put(self.member(tenant), 3, name, tenant)

    def teardown(self):
        try:
            self.everything_comes_back()
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def tried(self, action, *args, **kwargs):
        """What an action gives; ``None`` where it was refused, which must have changed nothing that matters."""
        try:
            return action(*args, **kwargs)
        except DomainError:
            return None

    def a_request(self, data, *states):
        found = GrantRequest.objects.filter(state__in=[s.value for s in states or OPEN]).order_by(
            "requested_at"
        )
        return data.draw(st.sampled_from(list(found))) if found else None

    def an_admin(self, data):
        return self.people[data.draw(st.sampled_from(["root", "eve"]))]

    def member(self, tenant):
        return self.people["bob" if tenant == "team" else "carol"]

    # --- what people do

    @rule(
        tenant=st.sampled_from(TEAMS),
        amount=st.integers(1, 6),
        days=st.integers(1, 6),
        after=st.integers(0, 4),
        pool=POOLS,
        mine=st.booleans(),
    )
    def submit(self, tenant, amount, days, after, pool, mine):
        by = self.member(tenant) if mine else self.people["eve"]
        self.tried(ask, by, amount, days, after, tenant, pool)

    @rule(name=NAMES, count=st.integers(0, 5), mine=st.booleans())
    def put(self, name, count, mine):
        by = self.member(team_of(name)) if mine else self.people["eve"]
        self.tried(put, by, count, name, team_of(name))

    @rule(name=NAMES)
    def delete(self, name):
        self.tried(clusters.delete, by=self.member(team_of(name)), tenant_name=team_of(name), name=name)

    @rule(data=st.data())
    def approve(self, data):
        request = self.a_request(data)
        if request is None:
            return
        by, today = self.an_admin(data), calendar.today()
        asked_by = {request.requested_by, *request.asked_by}
        shown = known.what_if(request, known.asked(request), today)
        fits = shown.best is not None and shown.best.verdict.granted
        try:
            done = decisions.approve(by=by, uid=request.uid, reason="fine")
        except DoesNotFit as refused:
            nearest = [error.detail for error in refused.errors]
            best = [] if shown.best is None else [f"nearest that fits: {shown.best.verdict.fits}"]
            assert (fits, nearest) == (False, best)
            return
        except DomainError:
            return
        assert by.name not in asked_by
        if done.state == RequestState.APPROVED:
            assert fits
            assert done.grant.pool_id == shown.best.pool.pk
            self.within_limit(done)

    def within_limit(self, request):
        mine = weighing.account(request.tenant, request.accelerator, calendar.today())
        if mine.limit is not None:
            asked = known.asked(request)
            assert ledger.peak(mine.promises, asked.starts_on, asked.ends_on) <= mine.limit

    @rule(data=st.data(), amount=st.integers(1, 6), days=st.integers(1, 8))
    def counter(self, data, amount, days):
        if request := self.a_request(data):
            today = calendar.today()
            offer = Terms(amount, today, today + timedelta(days=days))
            self.tried(decisions.counter, by=self.an_admin(data), uid=request.uid, terms=offer, reason="so")

    @rule(data=st.data(), verb=st.sampled_from([requests.accept, requests.decline]), admin=st.booleans())
    def answer(self, data, verb, admin):
        if request := self.a_request(data, RequestState.COUNTERED):
            by = self.an_admin(data) if admin else self.member(request.tenant.name)
            self.tried(verb, by=by, uid=request.uid)

    @rule(data=st.data())
    def deny(self, data):
        if request := self.a_request(data):
            self.tried(decisions.deny, by=self.an_admin(data), uid=request.uid, reason="no")

    @rule(data=st.data())
    def withdraw(self, data):
        if request := self.a_request(data):
            self.tried(requests.withdraw, by=self.member(request.tenant.name), uid=request.uid)

    @rule(data=st.data(), more=st.integers(0, 5))
    def extend(self, data, more):
        if rows := list(Grant.objects.filter(closed_at=None).order_by("created_at")):
            grant = data.draw(st.sampled_from(rows))
            ends = grant.ends_on + timedelta(days=more)
            by = self.member(grant.tenant.name)
            self.tried(requests.extend, by=by, grant_uid=grant.uid, ends_on=ends, justification="more")

    @rule(data=st.data())
    def return_early(self, data):
        if rows := list(Grant.objects.filter(closed_at=None).order_by("created_at")):
            grant = data.draw(st.sampled_from(rows))
            self.tried(grants.return_early, by=self.member(grant.tenant.name), uid=grant.uid)

    # --- what the world does

    @rule(days=st.integers(1, 3), seen=st.sampled_from([True, True, False]))
    def days_pass(self, days, seen):
        self.move_to(self.day + days)
        if seen:
            self.tick()

    @rule(data=st.data(), name=NAMES, amount=st.integers(1, 4), days=st.integers(1, 5))
    def granted(self, data, name, amount, days):
        """The straight way, without which little would ever be held."""
        tenant = team_of(name)
        request = self.tried(ask, self.member(tenant), amount, days, data.draw(st.integers(0, 3)), tenant)
        if request is not None and request.state == RequestState.REQUESTED:
            self.tried(decisions.approve, by=self.people["root"], uid=request.uid, reason="fine")
        self.put(name, amount, mine=True)

    @rule()
    def tick(self):
        grants.tick()
        requests.lapse_old()

    @rule(name=NAMES)
    def provisioner_confirms(self, name):
        if VirtualCluster.objects.filter(name=name).exists():
            confirmed(name)

    @rule(name=NAMES)
    def provisioner_saw_another_amount(self, name):
        for row in Allocation.objects.filter(cluster__name=name, released_at=None):
            before = (row.target, row.held)
            shares = known.shares(VirtualCluster.objects.get(name=name))
            confirmed(name, [replace(s, amount=s.amount + 1) for s in shares])
            row.refresh_from_db()
            assert (row.target, row.held) == before

    @rule(name=NAMES)
    def cluster_is_gone(self, name):
        found = VirtualCluster.objects.filter(name=name, deletion_requested_at__isnull=False).first()
        if found is not None:
            make.observe(found, gone=True)

    @rule(node=st.sampled_from(["gpus-1", "more-1"]), healthy=st.booleans())
    def node(self, node, healthy):
        row = Node.objects.get(name=node)
        Node.objects.filter(pk=row.pk).update(facts={**row.facts, "ready": healthy})
        with atomic():
            balances.recount_host(row.host)

    @rule(auto=st.sampled_from([0, 0, 2]), two=st.sampled_from([0, 3]), offered=st.booleans())
    def policy(self, auto, two, offered):
        make.accelerator(auto_approve_up_to=auto, two_approvers_from=two, offered=offered)

    @rule(tenant=st.sampled_from(TEAMS), amount=st.sampled_from([None, 3, 6]))
    def limit(self, tenant, amount):
        accelerators.set_limit(by=self.people["root"], tenant_name=tenant, key="gpu", amount=amount)

    # --- what must hold

    @invariant()
    def the_books_are_right(self):
        assert books.faults() == []

    @invariant()
    def no_cluster_is_forgotten(self):
        """One that lacks devices says so; one that has all does not wait."""
        for row in VirtualCluster.objects.filter(deletion_requested_at=None):
            share = next(iter(known.shares(row)), None)
            asked = cluster_queries.spec(row).accelerators.get("gpu", 0)
            lacks = asked > (share.amount if share else 0)
            assert cluster_queries.desired(row.uid).awaiting_approval is lacks

    def everything_comes_back(self):
        """After the last day, with every host seen to follow, nothing is held and an exact fit is granted."""
        for node in ("gpus-1", "more-1"):
            self.node(node, healthy=True)
        for name in ("a1", "a2", "b1", "b2"):
            self.tried(clusters.delete, by=self.people["root"], tenant_name=team_of(name), name=name)
            self.cluster_is_gone(name)
        self.move_to(self.day + 60)
        self.tick()
        assert not Grant.objects.filter(closed_at=None).exists()
        assert not Allocation.objects.filter(released_at=None).exists()
        self.policy(0, 0, offered=True)
        self.limit("team", None)
        for pool, size in (("gpus", 4), ("more", 6)):
            whole = ask(self.people["bob"], size, pool=("lab", pool))
            assert (
                decisions.approve(by=self.people["root"], uid=whole.uid, reason="all of it").grant.amount
                == size
            )
        assert books.faults() == []


@pytest.fixture
def life(days):
    make.accelerator()
    make.gpu_pool(4)
    make.gpu_pool(6, "more")
    people = {name: make.actor(name) for name in ("bob", "carol")}
    people |= {"root": make.admin(), "eve": make.actor("eve", PlatformRole.ADMIN)}
    make.tenant("team", member=people["bob"])
    make.tenant("crew", member=people["carol"])
    assert tenants.get(people["bob"], "team")
    return type("Life", (Life,), {"people": people, "move_to": lambda self, n: _moved(self, n, days)})


def _moved(machine, n, days):
    machine.day = n
    days(n)


def lives(machine, count, steps):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.matrix
def test_the_books_are_right_whatever_happens(life):
    lives(life, 10, 20)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_books_are_right_whatever_happens_for_long(life):
    lives(life, 100, 40)
