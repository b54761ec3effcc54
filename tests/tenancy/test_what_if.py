"""What is shown before a decision is what the decision does, and both are what plain sums by day say."""

from __future__ import annotations

import ast
import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from tenancy.actions import decisions, requests
from tenancy.errors import DoesNotFit, Invalid
from tenancy.grant_enums import RequestState
from tenancy.models import AcceleratorClass, Tenant
from tenancy.queries import calendar, previews
from tenancy.rules import ledger
from tenancy.rules.ledger import Account, Promise, Room
from tenancy.rules.requests import Terms
from tests import factories as make
from tests.support import inventories
from tests.support.inventories import SEED, TENANTS
from tests.support.stocked import for_a_while, world, write

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
def people(db):
    return world(TENANTS, "gpu")


@pytest.mark.matrix
@pytest.mark.django_db
def test_what_is_shown_is_what_a_decision_does(people):
    seen = _compare(people, random.Random(SEED), inventories_=30, wishes=4)
    assert min(seen.values()) >= 10, seen


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_what_is_shown_is_what_a_decision_does_thousands_of_times(people):
    seen = _compare(people, random.Random(SEED + 1), inventories_=1500, wishes=4)
    print(f"seed {SEED + 1}: {dict(seen)}")  # noqa: T201 - what a long run did
    assert sum(seen.values()) == 6000


def _compare(people, dice, *, inventories_, wishes):
    seen = Counter()
    for number in range(inventories_):
        found = inventories.inventory(dice)
        with for_a_while():
            write({"gpu": found})
            for _ in range(wishes):
                wish = inventories.wish(dice, found)
                with for_a_while():
                    seen[_one(people, found, wish, f"seed {SEED}, inventory {number}: {found}, {wish}")] += 1
    return seen


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
