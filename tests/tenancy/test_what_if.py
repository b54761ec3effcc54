"""What is shown before a decision is what the decision does, and both are what plain sums by day say."""

from __future__ import annotations

import ast
import os
import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from tenancy.actions import balances, decisions, requests
from tenancy.actions.unit import atomic
from tenancy.errors import DoesNotFit, Invalid
from tenancy.grant_enums import RequestState
from tenancy.models import AcceleratorClass, AcceleratorLimit, Grant, HostCluster, Node, NodePool, Tenant
from tenancy.queries import calendar, previews
from tenancy.rules import ledger
from tenancy.rules.ledger import Account, Promise, Room
from tenancy.rules.requests import Terms
from tests import factories as make
from tests.support import inventories
from tests.support.inventories import TENANTS

SEED = int(os.environ.get("ATOLL_SEED", "20261121"))
"""Of the random inventories; told where one fails."""
DAY = date(2030, 1, 1)
ROOT = Path(__file__).parents[2]


# --- the one function


def test_thousands_of_inventories_are_judged_as_plain_sums_by_day_say():
    dice, seen = random.Random(SEED), Counter()
    for _ in range(3000):
        found = inventories.inventory(dice)
        wish = inventories.wish(dice, found)
        able = found.able(wish.tenant, wish.pool)
        rooms = [_room(pile) for pile in able]
        mine = tuple(_promise(d) for p in found.piles for d in p.deals if d.tenant == wish.tenant)
        account = Account(mine, found.limits.get(wish.tenant))
        terms = Terms(wish.amount, _day(wish.starts), _day(wish.ends))
        verdicts = [ledger.decide(terms, room, account, DAY) for room in rooms]
        assert [v.fits for v in verdicts] == [found.fits(wish, pile) for pile in able], (found, wish)
        assert [v.granted for v in verdicts] == [v.fits == wish.amount for v in verdicts]
        taken = ledger.best(list(zip(rooms, verdicts, strict=True)))
        assert (taken[1].fits if taken else None) == found.nearest(wish), (found, wish)
        seen["granted" if taken and taken[1].granted else "refused"] += 1
    assert min(seen["granted"], seen["refused"]) > 500  # neither answer is rare


def test_only_one_place_asks_for_a_verdict():
    """Preview, dry run, policy and decision all go through ``weighing.weigh``, so they read the same books."""
    asking = {
        path.relative_to(ROOT).as_posix()
        for folder in ("tenancy", "portal", "provisioner")
        for path in (ROOT / folder).rglob("*.py")
        if "ledger" in (text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr in {"decide", "best", "modest"}
        if isinstance(node.value, ast.Name) and node.value.id == "ledger"
    }
    assert asking == {"tenancy/queries/weighing.py"}


def _day(n):
    return DAY + timedelta(days=n)


def _promise(deal):
    return Promise(
        deal.tenant, deal.amount, _day(deal.starts), None if deal.over else _day(deal.ends), out=deal.active
    )


def _room(pile):
    return Room(pile.name, "lab", pile.capacity, tuple(_promise(d) for d in pile.deals))


# --- the same from rows, and the real admission


@pytest.fixture
def world(db):
    """Two teams, two admins, a host with three pools; inventories come and go in it."""
    people = {"team": make.actor("bob"), "crew": make.actor("carol")}
    make.accelerator()
    for name, person in people.items():
        make.tenant(name, member=person)
    for number in range(3):
        made = make.gpu_pool(1, f"pool{number}")
        for more in (2, 3):
            make.gpu_node(f"pool{number}-{more}", made, 0)
    return people


@pytest.mark.django_db
def test_what_is_shown_is_what_a_decision_does(world):
    seen = _compare(world, random.Random(SEED), inventories_=30, wishes=4)
    assert min(seen.values()) >= 10, seen


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_what_is_shown_is_what_a_decision_does_thousands_of_times(world):
    seen = _compare(world, random.Random(SEED + 1), inventories_=1500, wishes=4)
    print(f"seed {SEED + 1}: {dict(seen)}")  # noqa: T201 - what a long run did
    assert sum(seen.values()) == 6000


def _compare(people, dice, *, inventories_, wishes):
    seen = Counter()
    for number in range(inventories_):
        found = inventories.inventory(dice)
        with _for_a_while():
            _write(found)
            for _ in range(wishes):
                wish = inventories.wish(dice, found)
                with _for_a_while():
                    seen[_one(people, found, wish, f"seed {SEED}, inventory {number}: {found}, {wish}")] += 1
    return seen


class _for_a_while:  # noqa: N801 - used as a statement
    """What happens in it is undone."""

    def __enter__(self):
        self.inner = transaction.atomic()
        self.inner.__enter__()

    def __exit__(self, *told):
        transaction.set_rollback(True)
        self.inner.__exit__(*told)
        if told[0] is None:
            transaction.set_rollback(False)


def _write(found):
    """The inventory as rows; capacities are taken from the nodes as after a look at the host."""
    today, gpu = calendar.today(), AcceleratorClass.objects.get()
    tenants = {row.name: row for row in Tenant.objects.filter(name__in=TENANTS)}
    AcceleratorClass.objects.update(auto_approve_up_to=found.auto)
    HostCluster.objects.update(accepts_clusters=found.host_open)
    rows = {row.name: row for row in Node.objects.all()}
    for pile in found.piles:
        pool = NodePool.objects.get(name=pile.name)
        pool.kind, pool.tenant = ("dedicated", tenants[pile.owner]) if pile.owner else ("shared", None)
        pool.reserved, pool.accelerators = {"gpu": pile.reserved}, ["gpu"]
        pool.save()
        for number in range(3):
            devices, ready, open_ = pile.nodes[number] if number < len(pile.nodes) else (0, True, True)
            row = rows[f"{pile.name}-{number + 1}"]
            row.facts = {**row.facts, "resources": {make.GPU: devices}, "ready": ready, "schedulable": open_}
        Grant.objects.bulk_create(_grant(deal, tenants[deal.tenant], gpu, pool, today) for deal in pile.deals)
    Node.objects.bulk_update(rows.values(), ["facts"])
    AcceleratorLimit.objects.bulk_create(
        AcceleratorLimit(tenant=tenants[name], accelerator=gpu, amount=n) for name, n in found.limits.items()
    )
    with atomic():
        balances.recount_host(HostCluster.objects.get())


def _grant(deal, tenant, gpu, pool, today):
    now = timezone.now()
    return Grant(
        tenant=tenant,
        accelerator=gpu,
        pool=pool,
        amount=deal.amount,
        starts_on=today + timedelta(days=deal.starts),
        ends_on=today + timedelta(days=deal.ends),
        activated_at=now if deal.active else None,
        ended_at=now if deal.ended else None,
        deadline=now if deal.ended else None,
    )


def _one(people, found, wish, told):
    """Shows, asks, shows again, decides; all four and the plain sums agree. What came of it."""
    by, today = people[wish.tenant], calendar.today()
    terms = Terms(wish.amount, today + timedelta(days=wish.starts), today + timedelta(days=wish.ends))
    named = ("lab", wish.pool) if wish.pool else None
    asking = {"tenant_name": wish.tenant, "key": "gpu", "terms": terms, "justification": "x", "pool": named}
    if wish.pool and not found.able(wish.tenant, wish.pool):
        with pytest.raises(Invalid, match="choose among"):
            requests.submit(by=by, **asking)
        return "not theirs"
    if not named:
        before = previews.ask_if(
            by, Tenant.objects.get(name=wish.tenant), AcceleratorClass.objects.get(), terms
        )
        assert (before.at_once, before.verdict.granted) == (
            found.passes(wish),
            found.nearest(wish) == wish.amount,
        ), told
    request = requests.submit(by=by, **asking)
    if request.state == RequestState.APPROVED:
        assert found.passes(wish), told
        return "by policy"
    assert not found.passes(wish), told
    shown = previews.preview(make.admin(), request.uid)
    assert shown.verdict.granted is (found.nearest(wish) == wish.amount), told
    assert shown.verdict.fits == (found.nearest(wish) or 0), told
    assert {c.pool.name: c.verdict.fits for c in shown.choices} == {
        p.name: found.fits(wish, p) for p in found.able(wish.tenant, wish.pool)
    }, told
    if not shown.verdict.granted:
        nearest = (
            "no node pool" if found.nearest(wish) is None else f"nearest that fits: {shown.verdict.fits}"
        )
        with pytest.raises(DoesNotFit) as refused:
            decisions.approve(by=make.admin(), uid=request.uid, reason="fine")
        assert nearest in f"{refused.value} {refused.value.errors}", told
        return "refused"
    done = decisions.approve(by=make.admin(), uid=request.uid, reason="fine")
    assert (done.grant.pool.name, done.grant.amount) == (shown.best.pool.name, wish.amount), told
    return "granted"
