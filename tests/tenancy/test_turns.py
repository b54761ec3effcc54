"""Whose turn it is: receivers that work first, tenants in turn, and room that failing ones cannot take."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest

from tenancy.rules.turns import ROOM, Waiting, turns


def hooks(tenant, count, *, failing=False, first=0):
    return [Waiting(UUID(int=first + n), tenant, failing) for n in range(count)]


MANY = [one for t in range(20) for one in hooks(f"t{t}", 20, failing=True, first=100 * t)]
WELL = Waiting(UUID(int=10**6), "team", failing=False)


def test_one_that_works_comes_before_all_that_fail():
    assert turns([*MANY, WELL], [])[0] == WELL


def test_failing_ones_take_half_of_the_room_at_most():
    begun = turns(MANY, [])
    assert len(begun) == ROOM // 2
    assert turns(MANY[200:], begun) == []
    assert turns([*MANY[200:], WELL], begun) == [WELL]


def test_the_first_of_each_tenant_comes_before_the_second_of_any():
    many = [*hooks("many", 20), *hooks("few", 2, first=100), *hooks("one", 1, first=200)]
    begun = turns(many, [], room=5)
    assert [one.tenant for one in begun] == ["many", "few", "one", "many", "few"]
    assert [one.tenant for one in turns(hooks("many", 1) + hooks("new", 1), begun)] == ["new", "many"]


@pytest.mark.parametrize("busy", [0, 3, 4, 9])
def test_there_is_never_more_than_the_room(busy):
    begun = turns(hooks("team", 10), hooks("other", busy), room=4)
    assert len(begun) == max(0, 4 - busy)


def test_tenants_share_the_room_of_failing_ones():
    assert set(Counter(one.tenant for one in turns(MANY, [])).values()) == {6, 7}
