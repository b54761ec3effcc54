"""The books of devices: what they cost to keep, and that each fault in them is told."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tenancy.actions import bookkeeping
from tenancy.models import Allocation, Grant, GrantRequest, NodePool, PoolBalance
from tests import factories as make
from tests.support.grants import approve, ask, put

pytestmark = pytest.mark.django_db


def test_an_approval_takes_few_queries_however_many_grants_there_are(bob, team):
    make.gpu_node("gpus-2", NodePool.objects.get(), 100)
    cost = {}
    for number in range(12):
        request = ask(bob, 1, pool=("lab", "gpus"))
        with CaptureQueriesContext(connection) as seen:
            approve(request)
        cost[number] = len(seen)
    assert len(set(cost.values())) == 1
    assert cost[0] <= 23  # with those of the savepoint, and of PostgreSQL's clock


def test_books_that_contradict_themselves_are_told(bob, team, caplog):
    """Each rule broken behind the ledger's back."""
    grant = approve(ask(bob, 3)).grant
    put(bob, 3)
    assert bookkeeping.inspect() == []
    row = Allocation.objects.get()
    for broken, told in (
        (lambda: Grant.objects.filter(pk=grant.pk).update(amount=5), "5 are promised, 4 there"),
        (lambda: Grant.objects.filter(pk=grant.pk).update(amount=4), "the kept sum is 3, 4 are promised"),
        (lambda: Grant.objects.filter(pk=grant.pk).update(amount=2), "are to have 3, grants give 2"),
        (lambda: Grant.objects.filter(pk=grant.pk).update(activated_at=None), "of grants that count 0"),
        (lambda: Allocation.objects.filter(pk=row.pk).update(held=5), "clusters hold 5, 4 are there"),
        (lambda: Allocation.objects.filter(pk=row.pk).update(cluster=None), "for a cluster that is gone"),
        (lambda: Allocation.objects.filter(pk=row.pk).update(tenant=make.tenant("else")), "another tenant"),
        (lambda: GrantRequest.objects.update(decided_by="eve", asked_by=["eve"]), "approved by eve"),
        (lambda: GrantRequest.objects.all().delete(), "came of no request"),
        (lambda: PoolBalance.objects.all().delete(), "without a balance"),
    ):
        with transaction.atomic():
            broken()
            found = "; ".join(bookkeeping.inspect())
            transaction.set_rollback(True)
        assert told in found
        assert told in caplog.text
    assert bookkeeping.inspect() == []
