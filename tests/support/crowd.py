"""Many people, hosts and days at once on the ledger of devices, while sessions are killed; what each was told at the end.

Every failure that a caller sees is one that the API answers with "try again" (portal/api/errors).
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from math import inf

from django.core.exceptions import ObjectDoesNotExist
from django.db import InterfaceError, OperationalError, close_old_connections, connection, connections

from tenancy.actions import (
    audit,
    balances,
    bookkeeping,
    clusters,
    decisions,
    devices,
    grants,
    observations,
    requests,
    work,
)
from tenancy.actions.unit import atomic
from tenancy.enums import WorkKind
from tenancy.errors import DomainError
from tenancy.grant_enums import RequestState
from tenancy.models import AuditEvent, Grant, GrantRequest, HostCluster, Node, User, VirtualCluster
from tenancy.rules.requests import OPEN
from tenancy.rules.specs import Observation
from tests import factories as make
from tests.support.grants import ask, confirmed, put, terms

ADMINS = ("root", "eve", "ann")


def admin(name="root"):
    return make.Actor(User.objects.get(username=name))


class Crowd:
    """Threads that do whatever people, hosts and days do, each so often or until a time; what each was told at the end."""

    def __init__(self, teams, *, seconds=inf, rounds=sys.maxsize, killed=False):
        self.teams, self.rounds, self.killed = teams, rounds, killed
        self.began = time.monotonic()
        self.until = self.began + seconds
        self.ended = self.looks = 0
        """Sessions that were killed, and looks at the books meanwhile."""
        self.wrong: list[str] = []
        """What was found by these looks."""
        self.told: Counter[str] = Counter()
        self.asked: set = set()
        self.unexpected: list[BaseException] = []
        self.lock = threading.Lock()
        self.admins = [admin(name) for name in ADMINS]

    def run(self, count):
        threads = [threading.Thread(target=self.body, args=(n,)) for n in range(count)]
        with beside(2, self.look), beside(0.2, self.kill) if self.killed else nullcontext():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(3600)
        assert not any(thread.is_alive() for thread in threads)

    def kill(self):
        self.ended += kill()

    def look(self):
        """The books are right at every moment, not only when all is over."""
        self.wrong += bookkeeping.inspect()
        self.looks += 1
        if self.looks % 15 == 0:
            print(self, flush=True)  # noqa: T201 - a long run shows that it goes on

    def __str__(self):
        done = sum(self.told.values())
        return f"{time.monotonic() - self.began:.0f} s: {done} verbs, {self.ended} sessions killed, {self.looks} looks"

    def body(self, number):
        dice = random.Random(number)
        verbs = [
            self.ask,
            self.approve,
            self.approve,
            self.put,
            self.delete,
            self.give_back,
            self.host,
            self.tick,
            self.answer,
            self.extend,
            self.stock,
        ]
        try:
            for _ in range(self.rounds):
                if time.monotonic() > self.until:
                    break
                self.one(dice.choice(verbs), dice)
        finally:
            connections.close_all()

    def one(self, verb, dice):
        close_old_connections()
        try:
            with suppress(ObjectDoesNotExist):  # the API does it again, once
                verb(dice)
            told = "done"
        except DomainError as error:
            told = error.code
        except (OperationalError, InterfaceError) as error:
            told = f"try again: {getattr(error.__cause__, 'sqlstate', '')}"
            connection.close()
        except Exception as error:  # noqa: BLE001 - told at the end
            told = repr(error)
            self.unexpected.append(error)
        with self.lock:
            self.told[f"{verb.__name__}: {told}"] += 1

    def team(self, dice):
        name = f"t{dice.randrange(16)}"
        return name, self.teams[name]

    def ask(self, dice):
        name, by = self.team(dice)
        pool = dice.choice([None, ("lab", "gpus"), ("lab", "more")])
        made = ask(by, dice.randint(1, 4), dice.randint(1, 5), dice.choice([0, 0, 1, 3]), name, pool)
        with self.lock:
            self.asked.add(made.uid)

    def approve(self, dice):
        undecided = [RequestState.REQUESTED, RequestState.ENDORSED]
        waiting = list(GrantRequest.objects.filter(state__in=undecided)[:20])
        if waiting:
            decisions.approve(by=dice.choice(self.admins), uid=dice.choice(waiting).uid, reason="go")

    def answer(self, dice):
        """Everything else that becomes of a request."""
        waiting = list(GrantRequest.objects.filter(state__in=OPEN).select_related("tenant")[:20])
        if not waiting:
            return
        request, one = dice.choice(waiting), dice.choice(self.admins)
        by = self.teams[request.tenant.name]
        dice.choice(
            [
                lambda: decisions.counter(
                    by=one, uid=request.uid, terms=terms(dice.randint(1, 4)), reason="so"
                ),
                lambda: requests.accept(by=by, uid=request.uid),
                lambda: requests.decline(by=by, uid=request.uid),
                lambda: requests.withdraw(by=by, uid=request.uid),
                lambda: decisions.deny(by=one, uid=request.uid, reason="no"),
            ]
        )()

    def extend(self, dice):
        rows = list(Grant.objects.filter(ended_at=None).select_related("tenant")[:10])
        if rows:
            grant = dice.choice(rows)
            later = grant.ends_on + timedelta(days=dice.randint(1, 3))
            by = self.teams[grant.tenant.name]
            made = requests.extend(by=by, grant_uid=grant.uid, ends_on=later, justification="more")
            with self.lock:
                self.asked.add(made.uid)

    def stock(self, dice):
        """A node comes or goes, or two must agree from now on."""
        if dice.random() < 0.1:
            node(dice.choice(["gpus-1", "more-1"]), healthy=dice.random() < 0.7)
        elif dice.random() < 0.1:
            make.accelerator(two_approvers_from=dice.choice([0, 3]), auto_approve_up_to=dice.choice([0, 1]))

    def put(self, dice):
        name, by = self.team(dice)
        put(by, dice.randint(0, 3), f"{dice.choice('cd')}{name}", name)

    def delete(self, dice):
        name, by = self.team(dice)
        clusters.delete(by=by, tenant_name=name, name=f"{dice.choice('cd')}{name}")

    def give_back(self, dice):
        rows = list(Grant.objects.filter(closed_at=None, ended_at=None).select_related("tenant")[:10])
        if rows:
            grant = dice.choice(rows)
            grants.return_early(by=self.teams[grant.tenant.name], uid=grant.uid)

    def host(self, dice):
        """The provisioner: a cluster follows, or is gone; now and then a look at the whole host."""
        name = f"{dice.choice('cd')}t{dice.randrange(16)}"
        found = VirtualCluster.objects.filter(name=name).first()
        if dice.random() < 0.2:
            with atomic():
                balances.recount_host(HostCluster.objects.get())
        elif found is not None and found.deleting:
            gone(found)
        elif found is not None:
            follow(name)

    def tick(self, dice):
        if dice.random() < 0.2:
            grants.tick()
            requests.lapse_old()
            devices.ask_in_turn()
            audit.tell_denials()


@contextmanager
def beside(pause, do):
    """Does it again and again, with so many seconds between; a session of its own that was killed stops it not."""
    over = threading.Event()

    def again():
        try:
            while not over.wait(pause):
                close_old_connections()
                with suppress(OperationalError, InterfaceError):
                    do()
        finally:
            connections.close_all()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
        assert not thread.is_alive()


def kill():
    """Ends some session in the middle of what it does; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle' ORDER BY random() LIMIT 1"
        )
        return cursor.rowcount


def node(name, *, healthy):
    """As after a look at the host."""
    with atomic():
        row = Node.objects.select_related("host").get(name=name)
        Node.objects.filter(pk=row.pk).update(facts={**row.facts, "ready": healthy})
        balances.recount_host(row.host)


def told_to_the_end():
    """Every request's last audit row tells the state that it is in."""
    last = {}
    for row in AuditEvent.objects.filter(action__startswith="request.").order_by("sequence"):
        last[row.target] = row.facts["state"]
    assert last == {f"request/{row.uid}": row.state for row in GrantRequest.objects.all()}


def gone(cluster):
    lease = work.claim(WorkKind.CLUSTER, cluster.uid)
    if lease is not None:
        observations.record(lease, cluster.uid, Observation(conditions=(), gone=True))


def follow(name):
    """As ``confirmed``, by one of several workers."""
    # Another worker has the lease, or the cluster went.
    with suppress(AttributeError, AssertionError, VirtualCluster.DoesNotExist):
        confirmed(name)
