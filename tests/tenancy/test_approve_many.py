"""Requests decided in one transaction come to what they would one after the other."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tenancy.actions import accelerators, decisions, request_rows, requests, tenants
from tenancy.actions.decisions import Consent
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole
from tenancy.errors import Conflict, DomainError
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.models import AuditEvent, Event, Grant, GrantRequest, Notice
from tenancy.queries import audit as log
from tenancy.queries import books
from tests import factories as make
from tests.support.grants import approve, ask, put

pytestmark = pytest.mark.django_db


class Undone(Exception):
    """Takes everything back."""


@pytest.fixture
def teams():
    """Eight teams, two pools of five; two admins."""
    make.accelerator(two_approvers_from=6)
    make.gpu_pool(5)
    make.gpu_pool(5, "more")
    people = {f"t{n}": make.actor(f"u{n}") for n in range(8)}
    for name, person in people.items():
        make.tenant(name, member=person)
    return people


def together(consents):
    return decisions.approve_all(consents)


def one_by_one(consents):
    return [alone(consent) for consent in consents]


def alone(one):
    try:
        return decisions.approve(by=one.by, uid=one.uid, reason=one.reason, pool=one.pool)
    except DomainError as error:
        return error


def outcome(decide, consents):
    """What became of each, and what was written; all of it is taken back."""
    with suppress(Undone), transaction.atomic():
        end = AuditEvent.objects.count()
        answers = decide(consents)
        told = [
            _words(one if isinstance(one, DomainError) else GrantRequest.objects.get(pk=one.pk))
            for one in answers
        ]
        rows = AuditEvent.objects.filter(sequence__gt=end).values_list("action", "tenant", "actor")
        letters = Notice.objects.values_list("user__username", "subject", "body")
        events = Event.objects.values_list("tenant", "sequence", "type")
        written = [sorted(found) for found in (rows, letters, events)]
        assert books.faults() == log.faults() == []
        raise Undone
    return told, written


def _words(row):
    if isinstance(row, DomainError):
        return type(row).__name__, row.detail, row.errors
    made = row.grant and (
        row.grant.pool.name,
        row.grant.amount,
        str(row.grant.ends_on),
        row.grant.activated_at is None,
    )
    return row.state, row.decided_by, row.decision, row.endorsed_by, made


def test_together_is_as_one_after_the_other(teams):
    """Of all kinds: too many, named pools, extensions, own ones, stale ones, two approvers, limits, clusters that wait."""
    dice, root, eve = random.Random(4), make.admin(), make.actor("eve", PlatformRole.ADMIN)
    approve(ask(teams["t7"], 2, tenant="t7"), by=root)
    grant = Grant.objects.get()
    longer = {"grant_uid": grant.uid, "ends_on": grant.ends_on + timedelta(5), "justification": "not done"}
    requests.extend(by=teams["t7"], **longer)
    put(teams["t0"], 3, "c0", "t0")
    accelerators.set_limit(by=root, tenant_name="t5", key="gpu", amount=1)
    seen = set()
    for _ in range(6):
        with suppress(Undone), transaction.atomic():
            asked = [
                ask(
                    by,
                    dice.choice([2, 3, 4, 6]),
                    dice.randint(1, 5),
                    dice.choice([0, 0, 2]),
                    name,
                    dice.choice([None, ("lab", "more")]),
                )
                for name, by in list(teams.items())[1:7]
            ]
            asked += GrantRequest.objects.filter(tenant__name__in=["t0", "t7"], state="requested")
            tenants.update(by=root, name="t6", suspended=True)
            consents = [
                Consent(
                    dice.choice([root, root, eve, teams["t1"]]),
                    one.uid,
                    dice.choice(["go", "go", "on", ""]),
                    dice.choice([None, None, None, ("lab", "gpus"), ("lab", "none")]),
                )
                for one in dice.sample(asked, len(asked))
            ]
            consents.append(Consent(root, uuid4(), "go"))
            first, second = outcome(together, consents), outcome(one_by_one, consents)
            assert first == second
            seen |= {words[0] for words in first[0]}
            raise Undone
    assert {"approved", "endorsed", "DoesNotFit", "NotFound", "Invalid"} <= seen, seen


def test_the_number_of_queries_does_not_grow(teams):
    root = make.admin()
    asked = [ask(by, 1, tenant=name, pool=("lab", "gpus")).uid for name, by in list(teams.items())[:5]]

    def queries(uids):
        with CaptureQueriesContext(connection) as seen:
            made = decisions.approve_all([Consent(root, uid, "go") for uid in uids])
        assert {request.state for request in made} == {"approved"}
        return len(seen)

    queries(asked[:1])
    assert queries(asked[1:2]) == queries(asked[2:])
    assert log.faults() == []


def test_what_somebody_else_changed_since_it_was_read_moves_nothing(teams):
    admin = make.admin()
    asked = [ask(teams[name], 1, tenant=name) for name in ("t0", "t1")]
    read = [GrantRequest.objects.select_related("tenant", "accelerator").get(pk=one.pk) for one in asked]
    decisions.deny(by=admin, uid=asked[1].uid, reason="first")
    with pytest.raises(Conflict, match="look at it again"), atomic():
        request_rows.move_all(
            [request_rows.Move(one, RequestVerb.DENY, admin.name, "second", {}) for one in read]
        )
    kept = GrantRequest.objects.filter(pk__in=[one.pk for one in asked]).values_list("state", "decision")
    assert sorted(kept) == [(RequestState.DENIED, "first"), (RequestState.REQUESTED, "")]


def test_each_row_gets_its_own_where_they_differ(teams):
    asked = [ask(teams[name], 1, tenant=name) for name in ("t0", "t1", "t2")]
    admins = [make.admin(), *(make.actor(name, PlatformRole.ADMIN) for name in ("second", "third"))]
    answers = together([Consent(by, one.uid, f"by {by.name}") for by, one in zip(admins, asked, strict=True)])
    assert all(isinstance(one, GrantRequest) for one in answers)
    for by, one in zip(admins, asked, strict=True):
        row = GrantRequest.objects.select_related("grant").get(pk=one.pk)
        assert (row.state, row.decided_by, row.decision) == (RequestState.APPROVED, by.name, f"by {by.name}")
        assert row.grant is not None
        assert row.grant.tenant_id == row.tenant_id
