"""A worker ends itself when it is deaf, and only then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from provisioner import hearing
from tenancy.enums import ServiceKind
from tenancy.models import ServiceHeartbeat, WorkItem
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
ME = "celery@here"
LONG = hearing.DEAF + timedelta(seconds=5)


@pytest.fixture
def silence():
    """Work waits, a relay rings, and this worker was heard of long ago."""
    factories.host(facts=None)
    WorkItem.objects.update(due_at=timezone.now() - LONG)
    beat(ServiceKind.RELAY, "here", timedelta())
    beat(ServiceKind.WORKER, ME, LONG)


def beat(kind, name, ago):
    seen = {"seen_at": timezone.now() - ago}
    ServiceHeartbeat.objects.update_or_create(kind=kind, name=name, defaults=seen)


def test_deaf(silence):
    assert hearing.deaf(ME)


def test_never_heard_of_is_deaf_too(silence):
    ServiceHeartbeat.objects.filter(name=ME).delete()
    assert hearing.deaf(ME)


def test_not_while_it_works(silence):
    beat(ServiceKind.WORKER, ME, timedelta(seconds=60))
    assert not hearing.deaf(ME)


def test_not_while_nothing_waits(silence):
    WorkItem.objects.update(due_at=timezone.now() - timedelta(seconds=60))
    assert not hearing.deaf(ME)


def test_not_while_nobody_rings(silence):
    beat(ServiceKind.RELAY, "here", LONG)
    assert not hearing.deaf(ME)


def test_a_worker_just_started_has_its_time(silence):
    now, ended = [0.0], []

    def pause(seconds):
        assert not ended
        now[0] += seconds

    hearing.watch(ME, pause=pause, clock=lambda: now[0], end=ended.append)
    assert ended == [1]
    assert now[0] > hearing.DEAF.total_seconds()
