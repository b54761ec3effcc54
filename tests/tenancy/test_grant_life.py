"""The whole workflow at random: every step beside plain facts, and planted faults, each of which must be found."""

from __future__ import annotations

import pytest

from tenancy.enums import PlatformRole
from tests import factories as make
from tests.support import mutants
from tests.support.gpu_life import FIRST_FAULT, Life, lives

pytestmark = pytest.mark.django_db


@pytest.fixture
def life(days):
    make.accelerator()
    make.gpu_pool(4)
    make.gpu_pool(6, "more")
    people = {name: make.actor(name) for name in ("bob", "carol")}
    people |= {"root": make.admin(), "eve": make.actor("eve", PlatformRole.ADMIN)}
    make.tenant("team", member=people["bob"])
    make.tenant("crew", member=people["carol"])
    return type("Life", (Life,), {"people": people, "move_to": lambda self, n: _moved(self, n, days)})


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
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("fault", mutants.FAULTS)
def test_a_planted_fault_is_found(life, monkeypatch, fault):
    mutants.FAULTS[fault](monkeypatch)
    with pytest.raises(BaseException) as found:
        lives(life, 200, 30, **FIRST_FAULT)
    print(f"{fault}: {type(found.value).__name__}: {str(found.value).splitlines()[:1]}")  # noqa: T201
