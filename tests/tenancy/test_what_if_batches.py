"""Many requests on books that are read once come to what they would one after the other, and to what plain sums by day say."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone

from tenancy.actions import decisions
from tenancy.actions.decisions import Consent
from tenancy.errors import DomainError
from tenancy.grant_enums import RequestKind
from tenancy.models import AcceleratorClass, Grant, GrantRequest, NodePool, PoolBalance, Tenant
from tenancy.queries import books, calendar
from tenancy.queries import grants as known
from tests import factories as make
from tests.support import inventories
from tests.support.inventories import SEED, SPAN, Wish
from tests.support.stocked import for_a_while, world, write

TENANTS = tuple(f"t{n}" for n in range(6))
CLASSES = ("gpu", "mig")


@dataclass(frozen=True)
class Asked:
    """A request in the random world, and its row."""

    key: str
    wish: Wish
    row: GrantRequest
    extends: int | None = None
    """The deal of the wish's pool that is to be longer."""


@pytest.fixture
def people(db):
    return world(TENANTS, *CLASSES)


@pytest.mark.matrix
@pytest.mark.django_db
def test_a_batch_is_as_one_after_the_other(people):
    seen = _compare(random.Random(SEED + 2), 3)
    assert min(seen["granted"], seen["longer"], seen["refused"]) >= 1, seen


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.django_db
def test_a_batch_is_as_one_after_the_other_thousands_of_times(people):
    seen = _compare(random.Random(SEED + 3), 400)
    print(f"seed {SEED + 3}: {dict(seen)}")  # noqa: T201 - what a long run did
    assert sum(seen.values()) > 3000


def _compare(dice, count):
    seen = Counter()
    for number in range(count):
        first = inventories.inventory(dice, TENANTS, auto=(0,))
        found = {"gpu": first, "mig": inventories.another(dice, first, TENANTS)}
        with for_a_while():
            asked = _requests(dice, found, write(found))
            with for_a_while():
                alone = [_alone(one, found, seen, f"inventory {number}: {found}, {one}") for one in asked]
                left = _left()
            with for_a_while():
                answers = decisions.approve_all([Consent(make.admin(), one.row.uid, "fine") for one in asked])
                assert [_words(answer) for answer in answers] == alone, (
                    f"inventory {number}: {found}, {asked}"
                )
                assert _left() == left
    return seen


def _requests(dice, found, grants):
    """Of each tenant and class one, in any order: new devices, or more days of some."""
    asked = []
    for key, inventory in found.items():
        for tenant in TENANTS:
            wish, extends = inventories.wish(dice, inventory, tenant), None
            mine = [
                (pile.name, n, d)
                for pile in inventory.piles
                for n, d in enumerate(pile.deals)
                if d.tenant == tenant and not d.over and d.ends < SPAN
            ]
            if mine and dice.random() < 0.5:
                pool, extends, deal = dice.choice(mine)
                wish = Wish(tenant, deal.amount, deal.ends, dice.randint(deal.ends + 1, SPAN), pool)
            grant = grants[key, wish.pool, extends] if extends is not None else None
            asked.append(Asked(key, wish, _row(key, wish, grant), extends))
    GrantRequest.objects.bulk_create(one.row for one in asked)
    dice.shuffle(asked)
    return asked


def _row(key, wish, extends):
    today, now = calendar.today(), timezone.now()
    return GrantRequest(
        tenant=Tenant.objects.get(name=wish.tenant),
        accelerator=AcceleratorClass.objects.get(key=key),
        kind=RequestKind.EXTENSION if extends else RequestKind.GRANT,
        pool=NodePool.objects.get(name=wish.pool) if wish.pool else None,
        extends=extends,
        amount=wish.amount,
        starts_on=extends.starts_on if extends else today + timedelta(days=wish.starts),
        ends_on=today + timedelta(days=wish.ends),
        justification="x",
        requested_by=f"of-{wish.tenant}",
        asked_by=[f"of-{wish.tenant}"],
        requested_at=calendar.now(),
        changed_at=now,
    )


def _alone(one, found, seen, told):
    """What is shown, what plain sums say and what happens are the same; what that is."""
    inventory, wish = found[one.key], one.wish
    able = {pile.name: inventory.fits(wish, pile) for pile in inventory.able(wish.tenant, wish.pool)}
    request = known.get_request(make.admin(), one.row.uid)
    shown = known.what_if(request, known.asked(request), calendar.today())
    assert {choice.pool.name: choice.verdict.fits for choice in shown.choices} == able, told
    try:
        made = decisions.approve(by=make.admin(), uid=one.row.uid, reason="fine")
    except DomainError as error:
        assert max(able.values(), default=0) < wish.amount, told
        seen["refused"] += 1
        return _words(error)
    pool = made.grant.pool.name
    assert able[pool] == wish.amount, told
    if one.extends is None:
        found[one.key] = inventory.granted(wish, pool)
    else:
        found[one.key] = inventory.longer(pool, one.extends, wish.ends)
    seen["granted" if one.extends is None else "longer"] += 1
    return _words(made)


def _words(answer):
    if isinstance(answer, DomainError):
        return type(answer), answer.detail, answer.errors
    grant = answer.grant
    active = grant.activated_at is not None
    return answer.state, grant.pool.name, grant.amount, grant.starts_on, grant.ends_on, active


def _left():
    """The books afterwards."""
    grants = Grant.objects.values_list(
        "tenant__name", "accelerator__key", "pool__name", "amount", "starts_on", "ends_on"
    )
    balances = PoolBalance.objects.values_list(
        "pool__name", "accelerator__key", "capacity", "held", "deficit"
    )
    return (
        sorted(grants),
        sorted(balances),
        [one for one in books.faults() if "came of no request" not in one],
    )
