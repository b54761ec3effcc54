from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from tenancy.actions import work
from tenancy.enums import WorkKind
from tenancy.models import WorkItem
from tenancy.queries import work as queries
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)
KIND = WorkKind.CLUSTER


def wish(uid):
    with transaction.atomic():
        work.request(KIND, uid)


def item(uid):
    return WorkItem.objects.get(kind=KIND, object_id=uid)


def due():
    return [entry.object_id for entry in queries.due(10)]


def test_a_request_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError):
        work.request(KIND, uuid4())


def test_many_wishes_are_one_row():
    uid = uuid4()
    assert len(in_threads(16, lambda: wish(uid))) == 16
    assert item(uid).requested == 16


def test_a_rolled_back_change_leaves_no_work():
    uid = uuid4()
    with transaction.atomic():
        work.request(KIND, uid)
        transaction.set_rollback(True)
    assert not WorkItem.objects.filter(object_id=uid).exists()


def test_one_claimant_wins():
    uid = uuid4()
    for _ in range(5):
        wish(uid)
        won = [lease for lease in in_threads(8, lambda: work.claim(KIND, uid)) if lease]
        assert len(won) == 1
        assert work.finish(won[0])


def test_a_finished_item_is_not_due():
    uid = uuid4()
    wish(uid)
    assert due() == [uid]
    lease = work.claim(KIND, uid)
    assert due() == []
    assert work.finish(lease)
    assert due() == []
    assert work.claim(KIND, uid) is None


def test_a_wish_during_a_pass_stays_due():
    uid = uuid4()
    wish(uid)
    lease = work.claim(KIND, uid)
    wish(uid)
    assert work.finish(lease)
    assert due() == [uid]


def test_a_wish_during_a_pass_is_not_put_off_by_wait():
    uid = uuid4()
    wish(uid)
    lease = work.claim(KIND, uid)
    wish(uid)
    assert work.wait(lease, 3600)
    assert due() == [uid]


def test_waiting_is_due_later_and_no_failure():
    uid = uuid4()
    wish(uid)
    assert work.wait(work.claim(KIND, uid), 3600)
    assert due() == []
    assert item(uid).failures == 0
    with transaction.atomic():
        assert work.request_all(KIND, [uid]) == 1
    assert due() == [uid]


def test_a_failure_backs_off_and_is_never_given_up():
    uid = uuid4()
    wish(uid)
    for failures in range(1, 30):
        WorkItem.objects.update(due_at=timezone.now())
        assert work.retry(work.claim(KIND, uid))
        assert item(uid).failures == failures
        assert item(uid).due_at <= timezone.now() + timedelta(seconds=work.BACKOFF_MOST)


def test_a_lost_lease_fences_its_old_holder():
    uid = uuid4()
    wish(uid)
    old = work.claim(KIND, uid)
    WorkItem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    new = work.claim(KIND, uid)
    assert new is not None
    assert not work.renew(old)
    assert not work.finish(old)
    assert not work.wait(old, 1)
    assert not work.retry(old)
    assert work.renew(new)
    assert work.finish(new)


def test_a_rung_item_is_not_rung_again_at_once():
    uid = uuid4()
    wish(uid)
    work.ring(queries.due(10), timezone.now())
    assert due() == []
    WorkItem.objects.update(rung_at=timezone.now() - queries.RING_AGAIN - timedelta(seconds=1))
    assert due() == [uid]


def test_a_wish_after_the_ring_is_rung_for():
    uid = uuid4()
    wish(uid)
    work.ring(queries.due(10), timezone.now())
    wish(uid)
    assert due() == [uid]


def test_a_pass_that_ends_while_the_bell_still_rings_is_rung_for_anew():
    uid = uuid4()
    wish(uid)
    before, rung = timezone.now(), queries.due(10)
    assert work.wait(work.claim(KIND, uid), 0)
    work.ring(rung, before)
    assert due() == [uid]


def test_resync_makes_everything_due_but_holds_no_backoff_against_it():
    quiet, busy = uuid4(), uuid4()
    wish(quiet)
    wish(busy)
    work.finish(work.claim(KIND, quiet))
    before = item(busy).requested
    assert work.resync(KIND) == 1
    assert item(busy).requested == before
    assert set(due()) == {quiet, busy}


def test_the_age_of_the_queue_is_told():
    assert queries.oldest_due_seconds() == 0
    wish(uuid4())
    WorkItem.objects.update(due_at=timezone.now() - timedelta(seconds=90))
    assert 89 < queries.oldest_due_seconds() < 120
