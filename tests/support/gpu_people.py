"""What people do in random lives (gpu_life): teams ask and give back, admins decide; each step compared with plain facts."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tenancy.actions import accelerators, clusters, decisions, grants, requests, tenants
from tenancy.errors import DoesNotFit
from tenancy.grant_enums import RequestState
from tenancy.models import Grant, GrantRequest
from tenancy.queries import calendar
from tenancy.queries import grants as known
from tenancy.rules.requests import Terms
from tests import factories as make
from tests.support.gpu_facts import SIZES
from tests.support.grants import SLEEPS, ask, put

TEAMS = ("team", "crew")
NAMES = st.sampled_from(["a1", "a2", "b1", "b2"])
"""Clusters, the first letter telling whose."""
POOLS = st.sampled_from([None, ("lab", "gpus"), ("lab", "more")])
ADMINS = st.sampled_from(["root", "eve"])
SOON = st.sampled_from([0, 0, 0, 1, 2, 4])
WRITERS = st.sampled_from(["member", "member", "eve"])
MORE = st.sampled_from([0, 0, 1])
"""Than there is."""


def team_of(name):
    return TEAMS[0] if name[0] == "a" else TEAMS[1]


class People:
    """Rules of a ``Life``."""

    def a_request(self, data, *states):
        wanted = [state.value for state in states] or [state.value for state in RequestState]
        found = list(GrantRequest.objects.filter(state__in=wanted).order_by("state", "requested_at"))
        found.sort(key=lambda one: one.state not in {"requested", "endorsed", "countered"})
        return data.draw(st.sampled_from(found)) if found else None

    def a_grant(self, data):
        rows = list(Grant.objects.filter(closed_at=None).order_by("created_at"))
        return data.draw(st.sampled_from(rows)) if rows else None

    def who(self, role, tenant):
        if role == "member":
            return self.people["bob" if tenant == "team" else "carol"]
        return self.people[role]

    def straight(self, tenant, amount, days, after, pool):
        """Asked for and approved, without which little would ever be held."""
        by, root = self.who("member", tenant), self.people["root"]
        request = self.act("submit", by, ask, by, amount, days, after, tenant, pool)
        if request is not None and request.state == RequestState.REQUESTED:
            self.act("approve", root, decisions.approve, by=root, uid=request.uid, reason="fine")

    @rule(
        tenant=st.sampled_from(TEAMS),
        amount=st.integers(1, 6),
        days=st.integers(1, 6),
        after=SOON,
        pool=POOLS,
        role=WRITERS,
    )
    def submit(self, tenant, amount, days, after, pool, role):
        by = self.who(role, tenant)
        self.act("submit", by, ask, by, amount, days, after, tenant, pool)

    @rule(
        tenant=st.sampled_from(TEAMS),
        pool=st.sampled_from(list(SIZES)),
        days=st.integers(1, 6),
        after=SOON,
        more=MORE,
    )
    def exact_fit(self, tenant, pool, days, after, more):
        """All that is left is granted, and not one device more."""
        since = calendar.today() + timedelta(days=after)
        amount = self.facts.left(pool, tenant, since, since + timedelta(days=days)) + more
        by = self.who("member", tenant)
        made = (
            self.act("submit", by, ask, by, amount, days, after, tenant, ("lab", pool))
            if amount > 0
            else None
        )
        for admin in ("root", "root", "eve"):  # nobody agrees twice
            if made is not None and made.state in {RequestState.REQUESTED, RequestState.ENDORSED}:
                self.decide(made, self.people[admin])
                made.refresh_from_db()
        if made is not None:
            assert (made.state == RequestState.APPROVED) is (more == 0), "not what is left"
        if made is not None and more:
            self.act("withdraw", by, requests.withdraw, by=by, uid=made.uid)

    @rule(data=st.data(), tenant=st.sampled_from(TEAMS), days=st.integers(1, 6))
    def next_in_line(self, data, tenant, days):
        """All that is left from the day on which a grant ends."""
        if grant := self.a_grant(data):
            after = max(0, (grant.ends_on - calendar.today()).days)
            self.exact_fit(tenant, grant.pool.name, days, after, 0)

    @rule(name=NAMES, count=st.integers(0, 5), role=WRITERS, sleep=st.sampled_from(SLEEPS))
    def put(self, name, count, role, sleep=SLEEPS[0]):
        by = self.who(role, team_of(name))
        self.act("clusters", by, put, by, count, name, team_of(name), **sleep)

    @rule(name=NAMES)
    def delete(self, name):
        by = self.who("member", team_of(name))
        self.act("clusters", by, clusters.delete, by=by, tenant_name=team_of(name), name=name)

    @rule(data=st.data(), admin=ADMINS)
    def approve(self, data, admin):
        if request := self.a_request(data):
            self.decide(request, self.people[admin])

    def decide(self, request, by):
        """What was shown is what happens."""
        shown = known.what_if(request, known.asked(request), calendar.today())
        fits = shown.verdict.granted
        told = []

        def approve():
            try:
                return decisions.approve(by=by, uid=request.uid, reason="fine")
            except DoesNotFit as refused:
                told.extend(error.detail for error in refused.errors)
                assert not fits
                raise

        done = self.act("approve", by, approve)
        assert told in ([], [f"nearest that fits: {shown.verdict.fits}"])
        if done is not None and done.state == RequestState.APPROVED:
            assert fits
            assert done.grant.pool_id == shown.best.pool.pk

    @rule(data=st.data(), amount=st.integers(1, 6), days=st.integers(1, 8), admin=ADMINS)
    def counter(self, data, amount, days, admin):
        if request := self.a_request(data):
            today, by = calendar.today(), self.people[admin]
            offer = Terms(amount, today, today + timedelta(days=days))
            self.act("counter", by, decisions.counter, by=by, uid=request.uid, terms=offer, reason="so")

    @rule(
        data=st.data(),
        verb=st.sampled_from(["accept", "accept", "decline"]),
        role=st.sampled_from(["member", "root", "eve"]),
    )
    def answer(self, data, verb, role):
        if request := self.a_request(data, RequestState.COUNTERED):
            by = self.who(role, request.tenant.name)
            self.act(verb, by, getattr(requests, verb), by=by, uid=request.uid)

    @rule(data=st.data(), admin=ADMINS)
    def deny(self, data, admin):
        if request := self.a_request(data):
            by = self.people[admin]
            self.act("deny", by, decisions.deny, by=by, uid=request.uid, reason="no")

    @rule(data=st.data())
    def withdraw(self, data):
        if request := self.a_request(data):
            by = self.who("member", request.tenant.name)
            self.act("withdraw", by, requests.withdraw, by=by, uid=request.uid)

    @rule(data=st.data(), more=st.integers(0, 5), at_once=st.booleans())
    def extend(self, data, more, at_once):
        if (grant := self.a_grant(data)) is None:
            return
        by, ends = self.who("member", grant.tenant.name), grant.ends_on + timedelta(days=more)
        wish = {"grant_uid": grant.uid, "ends_on": ends, "justification": "more"}
        made = self.act("submit", by, requests.extend, by=by, **wish)
        if at_once and made is not None and made.state == RequestState.REQUESTED:
            self.decide(made, self.people["root"])

    @rule(data=st.data())
    def return_early(self, data):
        if grant := self.a_grant(data):
            by = self.who("member", grant.tenant.name)
            self.act("return", by, grants.return_early, by=by, uid=grant.uid)

    @rule(name=NAMES, amount=st.integers(1, 4), days=st.integers(1, 5), after=SOON)
    def granted(self, name, amount, days, after):
        self.straight(team_of(name), amount, days, after, None)
        self.put(name, amount, "member")

    @rule(tenant=st.sampled_from(TEAMS), suspended=st.sampled_from([True, False, False]))
    def suspend(self, tenant, suspended):
        tenants.update(by=self.people["root"], name=tenant, suspended=suspended)
        (self.facts.suspended.add if suspended else self.facts.suspended.discard)(tenant)

    @rule(
        auto=st.sampled_from([0, 0, 2]),
        two=st.sampled_from([0, 3]),
        offered=st.sampled_from([True, True, False]),
    )
    def policy(self, auto, two, offered):
        make.accelerator(auto_approve_up_to=auto, two_approvers_from=two, offered=offered)
        self.facts.auto, self.facts.two = auto, two

    @rule(tenant=st.sampled_from(TEAMS), amount=st.sampled_from([None, 3, 6]))
    def limit(self, tenant, amount):
        accelerators.set_limit(by=self.people["root"], tenant_name=tenant, key="gpu", amount=amount)
        self.facts.limits.pop(tenant, None)
        if amount is not None:
            self.facts.limits[tenant] = amount
