"""Random lives of two teams with devices: what people, hosts and days may do, each step compared with plain facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tenancy.actions import (
    accelerators,
    allocations,
    balances,
    clusters,
    decisions,
    findings,
    grants,
    requests,
    tenants,
    work,
)
from tenancy.actions.unit import atomic
from tenancy.enums import FindingKind, WorkKind
from tenancy.errors import DoesNotFit, DomainError
from tenancy.grant_enums import RequestState, Rung
from tenancy.models import Allocation, Finding, Grant, GrantRequest, Node, VirtualCluster
from tenancy.queries import books, calendar
from tenancy.queries import clusters as cluster_queries
from tenancy.queries import grants as known
from tenancy.rules.drift import Culprit, Drift, Place
from tenancy.rules.requests import Terms
from tests import factories as make
from tests.support.gpu_facts import SIZES, Facts
from tests.support.grants import SLEEPS, ask, put

if TYPE_CHECKING:
    from tenancy.policy import Actor

TEAMS = ("team", "crew")
NAMES = st.sampled_from(["a1", "a2", "b1", "b2"])
"""Clusters, the first letter telling whose."""
POOLS = st.sampled_from([None, ("lab", "gpus"), ("lab", "more")])
ADMINS = st.sampled_from(["root", "eve"])
SOON = st.sampled_from([0, 0, 0, 1, 2, 4])
WRITERS = st.sampled_from(["member", "member", "eve"])


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
        self.facts = Facts()

    @initialize(
        begun=st.sampled_from(["held", "late", "lowered", "deleted"]),
        auto=st.sampled_from([0, 2]),
        two=st.sampled_from([0, 3]),
    )
    def begin(self, begun, auto, two):
        """What takes many steps to come to: grants are over or lowered, and pods still hold their devices."""
        for tenant, name, pool in (("team", "a1", "gpus"), ("crew", "b1", "more")):
            self.straight(tenant, 3, 4, 0, ("lab", pool))
            self.put(name, 3, "member")
            self.provisioner_follows(name)
            self.pods_start(name)
        self.policy(auto, two, offered=True)
        if begun == "late":
            self.days_pass(4, seen=True)
        elif begun == "lowered":
            self.put("a1", 1, "member")
        elif begun == "deleted":
            self.delete("a1")

    def teardown(self):
        try:
            self.everything_comes_back()
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def act(self, verb, by, action, /, *args, **kwargs):
        """What an action gives, ``None`` where it was refused; either way compared with what it may change."""
        try:
            done, refused = action(*args, **kwargs), False
        except DomainError:
            done, refused = None, True
        self.facts.compare(verb, by.name if by else "", refused=refused)
        return done

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

    # --- what people do

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

    # --- what the world does

    @rule(days=st.sampled_from([1, 1, 2, 3, 31]), seen=st.sampled_from([True, True, False]))
    def days_pass(self, days, seen):
        self.move_to(self.day + days)
        self.facts.look()
        if seen:
            self.tick()

    @rule()
    def tick(self):
        self.act("tick", None, grants.tick)
        self.act("tick", None, requests.lapse_old)
        self.facts.the_clock_was_followed()

    @rule(name=NAMES)
    def pods_start(self, name):
        """As many as the host admits."""
        self.facts.pods[name] = max(self.facts.pods[name], self.facts.quota[name])

    @rule(name=NAMES, rungs=st.sampled_from([5, 5, 2, 4]))
    def provisioner_follows(self, name, rungs=5):
        """The host's quota first; at the fourth rung pods beyond it are gone, the fifth gives the devices back."""
        cluster = VirtualCluster.objects.filter(name=name).first()
        for share in known.shares(cluster) if cluster else ():
            lowered = share.amount < share.held
            self.facts.quota[name] = share.amount
            if rungs >= 4:
                self.facts.pods[name] = min(self.facts.pods[name], share.amount)
            if lowered:
                self._stepped(cluster, share, list(Rung)[:rungs])

    def _stepped(self, cluster, share, rungs):
        lease = work.claim(WorkKind.CLUSTER, cluster.uid)
        for rung in rungs:
            self.act("", None, allocations.stepped, lease, cluster.uid, share, rung, {"used": 0}, 0)
        work.wait(lease, 0)

    @rule(name=NAMES)
    def provisioner_saw_another_amount(self, name):
        for row in Allocation.objects.filter(cluster__name=name, released_at=None):
            before = (row.target, row.held)
            cluster = VirtualCluster.objects.get(name=name)
            for share in known.shares(cluster):
                self._stepped(cluster, replace(share, amount=share.amount + 1), list(Rung))
            row.refresh_from_db()
            assert (row.target, row.held) == before

    @rule(name=NAMES)
    def cluster_is_gone(self, name):
        found = VirtualCluster.objects.filter(name=name, deletion_requested_at__isnull=False).first()
        if found is not None:
            self.facts.quota[name] = self.facts.pods[name] = 0
            self.facts.frozen = self.frozen(but=name)
            self.act("clusters", None, make.observe, found, gone=True)

    @rule(name=NAMES, over=st.sampled_from([True, True, False]))
    def reality(self, name, over):
        """A host is seen to hold more than the ledger has of a cluster, or no more."""
        found = VirtualCluster.objects.filter(name=name, deletion_requested_at=None).first()
        if found is None:
            return
        place = Place("lab", found.namespace, found.tenant.name, name, found.uid)
        drift = Drift(
            FindingKind.DEVICES_OVER, "Devices nvidia.com/gpu", (), Culprit("mallory"), "end the pods"
        )
        lease = work.claim(WorkKind.CLUSTER, found.uid)
        findings.noticed(lease, place, drift) if over else findings.restored(lease, place, drift.subject)
        work.wait(lease, 0)
        self.facts.look()
        self.facts.frozen = self.frozen()

    def frozen(self, but=""):
        found = Finding.objects.filter(kind=FindingKind.DEVICES_OVER, restored_at=None)
        return set(found.exclude(cluster_name=but).values_list("tenant", flat=True))

    @rule(pool=st.sampled_from(list(SIZES)), healthy=st.booleans())
    def node(self, pool, healthy):
        row = Node.objects.get(name=f"{pool}-1")
        Node.objects.filter(pk=row.pk).update(facts={**row.facts, "ready": healthy})
        self.facts.healthy[pool] = healthy
        with atomic():
            balances.recount_host(row.host)

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

    # --- what must hold

    @invariant()
    def the_books_are_right(self):
        assert books.faults() == []

    @invariant()
    def no_host_has_more_than_counts(self):
        self.facts.hosts_are_within_the_ledger()

    @invariant()
    def no_cluster_is_forgotten(self):
        """One that lacks devices says so; one that has all does not wait; nobody waits for what is there."""
        asked = {}
        for row in VirtualCluster.objects.filter(deletion_requested_at=None).select_related("tenant", "pool"):
            spec = cluster_queries.spec(row)
            gives = spec.paused and spec.release_accelerators_while_paused
            wish = 0 if gives else spec.accelerators.get("gpu", 0)
            target = self.facts.allocations.get(row.name, ("", "", 0, 0))[2]
            assert cluster_queries.desired(row.uid).awaiting_approval is (wish > target)
            if wish:
                asked[row.name] = (row.tenant.name, row.pool.name, wish)
        self.facts.nobody_waits_for_what_is_there(asked)

    def everything_comes_back(self):
        """After the last day, with every host seen to follow, nothing is held and an exact fit is granted."""
        for pool in SIZES:
            self.node(pool, healthy=True)
        for tenant in TEAMS:
            self.suspend(tenant, suspended=False)
        for name in ("a1", "a2", "b1", "b2"):
            self.delete(name)
            self.cluster_is_gone(name)
        self.move_to(self.day + 60)
        self.facts.look()
        self.tick()
        assert not Grant.objects.filter(closed_at=None).exists()
        assert not Allocation.objects.filter(released_at=None).exists()
        self.policy(0, 0, offered=True)
        self.limit("team", None)
        for pool, size in SIZES.items():
            self.straight("team", size, 10, 0, ("lab", pool))
        held = Grant.objects.filter(closed_at=None).values_list("amount", flat=True)
        assert sorted(held) == sorted(SIZES.values())
        assert books.faults() == []


def lives(machine, count, steps, **more):
    """Runs so many of them."""
    more |= {"deadline": None, "suppress_health_check": list(HealthCheck)}
    wanted = settings(max_examples=count, stateful_step_count=steps, **more)
    run_state_machine_as_test(machine, settings=wanted)


FIRST_FAULT = {
    "phases": [Phase.generate],
    "database": None,
    "derandomize": True,
    "report_multiple_bugs": False,
}
"""For lives of which one is to fail: the first is enough, and nobody wants it shorter."""
