from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from provisioner.outcomes import LeaseLost
from provisioner.reconcile import holding
from provisioner.reconcile.holding import Holding
from tenancy.actions import work
from tenancy.enums import WorkKind
from tenancy.models import WorkItem
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lease():
    made = factories.host(facts=None)
    found = work.claim(WorkKind.HOST, made.uid, seconds=holding.SECONDS)
    assert found is not None
    return found


def lapse():
    WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def eventually(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_renews_while_the_pass_runs(lease, monkeypatch):
    monkeypatch.setattr(holding, "EVERY", 0.05)
    before = WorkItem.objects.get().lease_until
    with Holding(lease, time.monotonic()) as held:
        eventually(lambda: WorkItem.objects.get().lease_until > before)
        held.check()


def test_it_knows_when_the_lease_is_taken(lease, monkeypatch):
    monkeypatch.setattr(holding, "EVERY", 0.05)
    lapse()
    assert work.claim(lease.kind, lease.object_id) is not None
    with Holding(lease, time.monotonic()) as held:
        eventually(lambda: _lost(held))


def test_a_process_that_was_stopped_finds_it_lapsed(lease):
    """SIGSTOP for minutes: no thread of ours ran, so the clock must tell."""
    with Holding(lease, time.monotonic() - holding.SECONDS - 1) as held:
        assert _lost(held)
        assert held.left() < 0


def test_asking_the_queue(lease):
    with Holding(lease, time.monotonic()) as held:
        held.confirm()
        lapse()
        work.claim(lease.kind, lease.object_id)
        held.check()
        with pytest.raises(LeaseLost):
            held.confirm()


def test_the_fence_is_the_wish(lease):
    assert Holding(lease, time.monotonic()).fence == lease.seen


def _lost(held):
    try:
        held.check()
    except LeaseLost:
        return True
    return False
