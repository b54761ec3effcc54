"""Device-seconds: what was granted, held and used; split at midnight, never guessed across a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tenancy.actions import usage
from tenancy.models import Allocation, DeviceUsage, HostCluster
from tenancy.queries import calendar, clock
from tests import factories as make
from tests.support.grants import approve, ask, put

pytestmark = pytest.mark.django_db


class Clock:
    """Both clocks, moved by the test."""

    def __init__(self, at):
        self.at = at

    def later(self, **delta):
        self.at += timedelta(**delta)
        HostCluster.objects.update(seen_at=self.at)
        usage.sample()


@pytest.fixture
def at(monkeypatch):
    bob = make.actor("bob")
    make.accelerator()
    make.gpu_pool(4)
    make.tenant("team", member=bob)
    made = Clock(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0))
    approve(ask(bob, 4))
    put(bob, 3)
    monkeypatch.setattr(calendar, "now", lambda: made.at)
    monkeypatch.setattr(clock, "now", lambda: made.at)
    HostCluster.objects.update(seen_at=made.at)
    usage.sample()
    return made


def counted():
    return {row.day: (row.granted, row.held, row.used) for row in DeviceUsage.objects.all()}


def used(amount):
    """As the last look at the host left it."""
    Allocation.objects.update(used={"n1": amount})


def test_what_passes_between_samples_is_counted(at):
    used(2)
    at.later(seconds=60)
    at.later(seconds=30)
    assert counted() == {at.at.date(): (4 * 90, 3 * 90, 2 * 90)}


def test_a_gap_counts_two_minutes(at):
    at.later(hours=3)
    assert counted() == {at.at.date(): (4 * 120, 3 * 120, 0)}


def test_midnight_splits(at):
    at.at = at.at.replace(hour=23, minute=59, second=30)
    usage.sample()
    before = counted()[at.at.date()][0]
    at.later(seconds=60)
    days = counted()
    assert days[at.at.date()] == (4 * 30, 3 * 30, 0)
    assert days[at.at.date() - timedelta(days=1)][0] - before == 4 * 30


def test_what_pods_hold_on_a_host_that_is_away_is_not_guessed(at):
    used(2)
    at.later(seconds=60)
    HostCluster.objects.update(seen_at=at.at - timedelta(minutes=10))
    at.at += timedelta(seconds=60)
    usage.sample()
    assert counted() == {at.at.date(): (4 * 120, 3 * 120, 2 * 60)}


def test_nobody_who_has_nothing_is_counted(db):
    make.accelerator()
    make.tenant("idle")
    usage.sample()
    assert counted() == {}
