"""Units of work and the one writer of the audit log: nothing lost, nothing left over, one chain."""

from __future__ import annotations

import time
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from tenancy.actions import audit, audit_rows
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole
from tenancy.models import AuditDenial, AuditEvent, AuditHead, Tenant
from tenancy.queries import audit as log
from tests import factories
from tests.support.threads import in_threads

pytestmark = pytest.mark.django_db
THREADS, EACH = 16, 50


def note(number: int = 1, **facts) -> None:
    audit.note(actor="alice", action="thing.done", target=f"thing/{number}", **facts)


def targets() -> list[str]:
    return [row.target for row in AuditEvent.objects.order_by("sequence")]


def sound() -> bool:
    return log.faults() == []


def test_notes_become_rows_at_the_end_of_the_unit():
    with atomic():
        note(1)
        note(2)
        assert targets() == []
    assert targets() == ["thing/1", "thing/2"]
    head = AuditHead.objects.get()
    last = AuditEvent.objects.order_by("sequence").last()
    assert (head.sequence, head.digest) == (2, last.digest)
    assert sound()


def test_a_note_outside_a_unit_is_refused():
    with pytest.raises(RuntimeError, match="outside the change's transaction"):
        note()
    with transaction.atomic(), pytest.raises(RuntimeError, match=r"thing\.done outside"):
        note()


def test_the_outermost_unit_writes() -> None:
    @atomic
    def act(number: int) -> int:
        note(number)
        return number

    with atomic():
        assert act(1) == 1
        with atomic():
            act(2)
        assert targets() == []
    assert targets() == ["thing/1", "thing/2"]


def test_notes_of_what_was_rolled_back_vanish():
    with atomic():
        note(1)
        with pytest.raises(ValueError, match="inner"):
            _fail("inner")
        with atomic():
            note(4)
            transaction.set_rollback(True)
        note(5)
    assert targets() == ["thing/1", "thing/5"]
    assert sound()


def test_nothing_is_left_after_a_unit_that_failed():
    with pytest.raises(ValueError, match="whole"):
        _fail("whole")
    with atomic():
        note(2)
        transaction.set_rollback(True)
    with atomic():
        pass
    assert targets() == []
    with atomic():
        note(3)
    assert targets() == ["thing/3"]


@atomic
def _fail(why: str) -> None:
    note(2)
    with atomic():
        note(3)
    raise ValueError(why)


def test_a_unit_without_notes_does_not_touch_the_head(django_assert_num_queries):
    with django_assert_num_queries(2), atomic():  # the savepoint of the test's transaction and its end
        pass


def test_facts_are_kept_so_that_they_come_back_alike():
    with atomic():
        note(cpu=0.1, most=1e20, big=10**30, names=("ü", "a"), nested={"b": 1, "a": None})
    facts = AuditEvent.objects.get().facts
    assert facts == {
        "cpu": "0.1",
        "most": "1e+20",
        "big": 10**30,
        "names": ["ü", "a"],
        "nested": {"a": None, "b": 1},
    }
    assert sound()


def test_a_lost_head_is_made_anew_from_the_last_row():
    with atomic():
        note(1)
    AuditHead.objects.all().delete()
    with atomic():
        note(2)
    assert AuditHead.objects.get().sequence == 2
    assert sound()


def test_a_second_writer_of_the_same_place_fails(monkeypatch):
    """What would happen if the lock were forgotten: the compare-and-swap refuses."""
    with atomic():
        note(1)
    stale = AuditHead.objects.get()
    with atomic():
        note(2)
    monkeypatch.setattr(audit_rows, "_locked", lambda: audit_rows.Head(stale.sequence, stale.digest))
    with pytest.raises(Exception, match=r"(?i)unique|somebody else"), atomic():
        note(3)


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_make_one_chain_without_gaps():
    """Each also locks rows of its own kind first, in an order that would deadlock if the head came early."""
    names = [factories.tenant(f"team{n}").name for n in range(4)]
    before = AuditEvent.objects.count()

    def write() -> float:
        if (
            connection.vendor == "sqlite"
        ):  # who waits for its one writer may be passed over for long on a busy machine
            connection.cursor().execute("PRAGMA busy_timeout = 150000")
        began = time.monotonic()
        for number in range(EACH):
            with atomic():
                note(number)
                _touch(names[number % 4])
                note(number)
        return time.monotonic() - began

    took = in_threads(THREADS, write, seconds=200)

    assert AuditEvent.objects.count() == before + 2 * THREADS * EACH
    assert AuditHead.objects.get().sequence == before + 2 * THREADS * EACH
    assert sound()
    print(f"{connection.vendor}: {THREADS * EACH / max(took):.0f} audited writes a second")  # noqa: T201 - a figure


def _touch(name: str) -> None:
    row = Tenant.objects.select_for_update().get(name=name)
    Tenant.objects.filter(pk=row.pk).update(display_name=row.display_name)


def deny(target: str = "member/team/bob", **more) -> None:
    given = {"actor": "vera", "action": "putMember", "tenant": "team", "reason": "ask an owner", **more}
    audit.denied(target=target, **given)


def denials() -> list[dict[str, Any]]:
    return [row.facts for row in AuditEvent.objects.filter(action="denied").order_by("sequence")]


def later(**by) -> None:
    for row in AuditDenial.objects.all():
        AuditDenial.objects.filter(pk=row.pk).update(since=row.since - timedelta(**by))


def test_a_refusal_is_written_at_once():
    deny()
    row = AuditEvent.objects.get()
    assert (row.actor, row.action, row.tenant, row.target) == ("vera", "denied", "team", "member/team/bob")
    assert row.facts == {"attempted": "putMember", "reason": "ask an owner"}


def test_a_loop_of_refusals_makes_two_rows_a_minute_at_most():
    since = timezone.now()
    for number in range(50):
        deny(f"member/team/x{number}")
    assert audit.tell_denials() == 0
    assert len(denials()) == 1
    later(minutes=1)
    assert audit.tell_denials() == 1
    assert denials()[1]["again"] == 49
    assert denials()[1]["since"] < since.isoformat()
    assert AuditEvent.objects.first().target == "member/team/x49"
    deny()
    assert audit.tell_denials() == 0
    later(minutes=1)
    assert audit.tell_denials() == 1
    assert denials()[2]["again"] == 1
    later(minutes=1)
    assert audit.tell_denials() == 0
    assert not AuditDenial.objects.exists()
    assert sound()


def test_refusals_of_others_and_of_other_things_are_rows_of_their_own():
    for more in ({}, {"actor": "bob"}, {"action": "deleteMember"}, {"tenant": "other"}):
        deny(**more)
    assert len(denials()) == 4


def test_a_refusal_inside_a_unit_is_refused():
    with pytest.raises(RuntimeError, match="inside a unit of work"), atomic():
        deny()


def test_a_refusal_of_any_length_can_be_kept():
    deny("x" * 900, actor="a" * 900, action="b" * 900, tenant="c" * 900, reason="r\0" * 900)
    row = AuditEvent.objects.get()
    assert (len(row.target), len(row.actor), len(row.tenant)) == (200, 150, 20)


@pytest.mark.django_db(transaction=True)
def test_refusals_at_once_are_all_counted():
    in_threads(8, deny)
    later(minutes=1)
    audit.tell_denials()
    assert [facts.get("again", 1) for facts in denials()] == [1, 7]


def test_the_platform_role_of_who_reads_is_unchanged():
    auditor = factories.actor("audrey", PlatformRole.AUDITOR)
    assert log.visible_to(auditor).count() == AuditEvent.objects.count()


def test_rows_from_before_the_chain_are_its_first_links():
    """The migration computes fingerprints by itself; they are those of the rules."""
    with atomic():
        for number in range(3):
            note(number, names=["ü"], nested={"b": None, "a": 1})
    AuditHead.objects.all().delete()
    AuditEvent.objects.update(previous="", digest="")
    assert not sound()
    import_module("migrations.tenancy.0010_audit_chain").chain_what_is_there(apps, None)
    assert sound()
    with atomic():
        note(4)
    assert AuditHead.objects.get().sequence == 4
    assert sound()
