"""The whole workflow at random: every step beside plain facts, and planted faults, each of which must be found."""

from __future__ import annotations

import time

import pytest
from django.db import IntegrityError

from tenancy.enums import PlatformRole
from tenancy.models import NodePool
from tests import factories as make
from tests.support import mutants
from tests.support.gpu_facts import NODES
from tests.support.gpu_life import FIRST_FAULT, Life, lives, only

pytestmark = pytest.mark.django_db


@pytest.fixture
def life(days):
    make.accelerator()
    for name, (pool, devices) in NODES.items():
        known = NodePool.objects.filter(name=pool).first()
        make.gpu_node(name, known, devices) if known else make.gpu_pool(devices, pool)
    people = {name: make.actor(name) for name in ("bob", "carol")}
    people |= {"root": make.admin(), "eve": make.actor("eve", PlatformRole.ADMIN)}
    make.tenant("team", member=people["bob"])
    make.tenant("crew", member=people["carol"])
    made = type("Life", (Life,), {"people": people, "move_to": lambda self, n: _moved(self, n, days)})
    made.prepare()
    return made


def _moved(machine, n, days):
    machine.day = n
    days(n)


@pytest.mark.matrix
def test_the_books_are_right_whatever_happens(life):
    lives(life, 5, 20)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_books_are_right_whatever_happens_for_long(life):
    lives(life, 100, 40)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_what_finds_a_planted_fault_finds_none_where_none_is(life):
    lives(life, 200, 30, **FIRST_FAULT)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", mutants.FAULTS)
def test_a_planted_fault_is_found(life, monkeypatch, fault):
    """By what these lives compare, or by what the database refuses; never by an accident of the plant itself.

    The same lives without it find nothing.
    """
    wanted, began = mutants.FAULTS[fault], time.monotonic()
    hunt = only(life, wanted.rules)
    with monkeypatch.context() as patch:
        planted = mutants.Planted(patch)
        wanted.plant(planted)
        with pytest.raises((AssertionError, IntegrityError)) as found:
            lives(hunt, 200, 20, **FIRST_FAULT)
    told = f"{time.monotonic() - began:.1f} s, {hunt.lived} lives, came by {planted.ran} times"
    print(f"{fault}: {told}: {found.type.__name__} {str(found.value).splitlines()[:1]}")  # noqa: T201
    assert planted.ran, "the fault was planted where nobody comes by"
    lives(hunt, hunt.lived, 20, **FIRST_FAULT)
