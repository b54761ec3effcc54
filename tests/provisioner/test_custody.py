"""Whatever is done to the stored log is found by the relay's keeper: rows, head, and kept heads."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from provisioner import custody as keeper
from provisioner.custody import REST, Custody
from provisioner.headfiles import HeadFiles
from tenancy.actions import audit, inspection
from tenancy.actions.unit import atomic
from tenancy.enums import ChainFault
from tenancy.models import AuditEvent, AuditHead
from tenancy.rules import chain
from tenancy.rules.chain import Head

pytestmark = pytest.mark.django_db
E = ChainFault


class Now:
    """A clock that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "heads"


@pytest.fixture
def clock():
    return Now()


@pytest.fixture
def custody(folder, clock):
    return Custody(folder, clock)


def write(count=1, actor="alice"):
    for number in range(count):
        with atomic():
            audit.note(actor=actor, action="thing.done", target=f"thing/{number}", tenant="team", n=number)


def lines(folder):
    return [line for path in sorted(folder.glob("*.jws")) for line in path.read_text().split()]


def inspect(custody, clock=None):
    """One whole walk; what is known of the chain after it."""
    if clock:
        clock.seconds += REST
    before = AuditHead.objects.get().checked_at
    for _ in range(20):
        custody.inspect()
        head = AuditHead.objects.get()
        if head.checked_at != before:
            return [(fault["kind"], fault["sequence"]) for fault in head.faults]
    raise AssertionError("the walk did not end")


def row(sequence):
    return AuditEvent.objects.filter(sequence=sequence)


def head():
    return AuditHead.objects.filter(pk=1)


def relinked(first):
    """As somebody would who knows how: all rows from here on are numbered and linked anew, the head with them."""
    events = list(AuditEvent.objects.filter(sequence__gte=first).order_by("sequence"))
    before = AuditEvent.objects.filter(sequence__lt=first).order_by("sequence").last()
    at = Head(before.sequence, before.digest) if before else chain.START
    for event in events:
        content = chain.Event(event.at, event.actor, event.action, event.tenant, event.target, event.facts)
        (made,) = chain.link(at, [content])
        row(event.sequence).update(sequence=made.sequence, previous=made.previous, digest=made.digest)
        at = made.head
    head().update(sequence=at.sequence, digest=at.digest)


def test_a_log_as_it_was_written_is_sound(custody, folder):
    write(6)
    custody.keep()
    assert inspect(custody) == []
    assert AuditHead.objects.get().checked_sequence == 6
    assert [chain.read_head(settings.SIGNING_KEYS, line).sequence for line in lines(folder)] == [6]


@pytest.mark.parametrize("place", [1, 3, 6])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", timezone.now() - timedelta(days=1)),
        ("actor", "bob"),
        ("action", "thing.undone"),
        ("tenant", "other"),
        ("target", "thing/x"),
        ("facts", {"n": 99}),
        ("digest", "0" * 64),
        ("previous", "f" * 64),
    ],
)
def test_each_column_of_each_row_is_covered(custody, place, column, value):
    write(6)
    row(place).update(**{column: value})
    found = inspect(custody)
    assert (E.EDITED, place) in found
    assert AuditEvent.objects.first().action == "audit.broken"


def test_a_number_changed_is_a_row_missing_and_another_edited(custody):
    write(6)
    row(3).update(sequence=77)
    assert inspect(custody) == [(E.MISSING, 4), (E.MISSING, 77), (E.EDITED, 77), (E.UNLINKED, 7)]


@pytest.mark.parametrize(("gone", "found"), [(1, [(E.MISSING, 2)]), (3, [(E.MISSING, 4)]), (6, [(E.CUT, 6)])])
def test_a_deleted_row_is_missed(custody, gone, found):
    write(6)
    row(gone).delete()
    assert inspect(custody) == found


def test_swapped_rows_are_found(custody):
    write(6)
    row(3).update(sequence=100)
    row(4).update(sequence=3)
    row(100).update(sequence=4)
    found = inspect(custody)
    assert {(E.EDITED, 3), (E.EDITED, 4)} <= set(found)


def test_a_forged_row_is_found_wherever_it_is_put(custody):
    write(6)
    last = row(6).get()
    (made,) = chain.link(Head(6, last.digest), [chain.Event(timezone.now(), "eve", "x", "", "y", {})])
    AuditEvent.objects.create(
        sequence=7,
        actor="eve",
        action="x",
        target="y",
        at=made.event.at,
        previous=made.previous,
        digest=made.digest,
    )
    assert inspect(custody) == [(E.UNLINKED, 7)]


def test_a_forged_row_in_anothers_place_is_found(custody):
    write(6)
    event = chain.Event(timezone.now(), "eve", "x", "", "y", {})
    (made,) = chain.link(Head(2, row(2).get().digest), [event])
    row(3).update(actor="eve", action="x", tenant="", target="y", facts={}, at=event.at, digest=made.digest)
    assert inspect(custody) == [(E.UNLINKED, 4)]


def test_a_log_made_anew_is_found_within_seconds(custody, folder, caplog):
    """The chain holds, the head fits: only the head that was kept tells."""
    write(6)
    custody.keep()
    row(3).update(actor="bob")
    relinked(3)
    write(2, "carol")
    caplog.set_level(logging.ERROR)
    custody.keep()
    assert "ALARM: the audit log is not as it was written: row 6" in caplog.text
    assert [f["kind"] for f in AuditHead.objects.get().faults] == ["rewritten"]
    assert len(lines(folder)) == 1, "what contradicts a kept head is not signed"
    assert (E.REWRITTEN, 6) in inspect(custody)


def test_a_cut_end_with_the_head_adjusted_is_found(folder, clock):
    write(6)
    Custody(folder, clock).keep()
    AuditEvent.objects.filter(sequence__gt=4).delete()
    head().update(sequence=4, digest=row(4).get().digest)
    again = Custody(folder, clock)
    again.keep()
    assert [(f["kind"], f["sequence"]) for f in AuditHead.objects.get().faults] == [("cut", 6)]


def test_an_older_signed_head_played_again_is_found(custody, folder, clock):
    """The whole table as it was an hour ago, with the signature of then."""
    write(4)
    custody.keep()
    old = AuditHead.objects.values().get()
    write(2)
    custody.keep()
    AuditEvent.objects.filter(sequence__gt=4).delete()
    head().update(**old)
    custody.keep()
    assert [f["kind"] for f in AuditHead.objects.get().faults] == ["cut"]
    assert len(lines(folder)) == 2
    assert (E.CUT, 6) in inspect(custody)


def test_everything_deleted_is_found(custody):
    write(3)
    custody.keep()
    AuditEvent.objects.all().delete()
    head().delete()
    write(1, "eve")
    custody.keep()
    assert [f["kind"] for f in AuditHead.objects.get().faults] == ["cut"]


def test_a_walk_against_heads_of_long_ago(custody, folder, clock, monkeypatch):
    """The last kept head went with its process; those in the files are compared on the way."""
    monkeypatch.setattr("provisioner.headfiles.EVERY", 1)
    write(3)
    custody.keep()
    write(3)
    custody.keep()
    row(2).update(actor="bob")
    relinked(2)
    assert inspect(Custody(folder, clock)) == [(E.REWRITTEN, 3), (E.REWRITTEN, 6), (E.UNLINKED, 7)][:2]


def test_what_was_found_is_told_once_and_taken_back(custody, clock, caplog):
    write(3)
    row(2).update(actor="bob")
    assert inspect(custody) == [(E.EDITED, 2)]
    assert inspect(custody, clock) == [(E.EDITED, 2)]
    assert AuditEvent.objects.filter(action="audit.broken").count() == 1
    assert caplog.text.count("ALARM") == 2, "once an hour"
    row(2).update(actor="alice")
    assert inspect(custody, clock) == []
    assert AuditEvent.objects.filter(action="audit.mended").count() == 1


def test_a_walk_goes_in_steps_and_takes_in_what_is_written_meanwhile(custody, monkeypatch):
    monkeypatch.setattr(keeper, "SLICE", 2)
    write(5)
    custody.inspect()
    write(4)
    assert inspect(custody) == []
    assert AuditHead.objects.get().checked_sequence == 9


def test_a_walk_rests_for_an_hour(custody, clock):
    write(1)
    assert inspect(custody) == []
    at = AuditHead.objects.get().checked_at
    clock.seconds += REST - 1
    for _ in range(5):
        custody.inspect()
    assert AuditHead.objects.get().checked_at == at


def test_a_head_is_kept_only_when_it_moved(custody, folder, caplog):
    caplog.set_level(logging.INFO)
    custody.keep()
    assert lines(folder) == []
    write(2)
    custody.keep()
    custody.keep()
    assert len(lines(folder)) == 1
    write(1)
    custody.keep()
    assert len(lines(folder)) == 2
    assert caplog.text.count("signed head") == 1, "the log has one an hour"


def test_two_relays_keep_the_same_heads(tmp_path):
    first, second = Custody(tmp_path / "a"), Custody(tmp_path / "b")
    write(2)
    first.keep()
    second.keep()
    assert lines(tmp_path / "a") == lines(tmp_path / "b") != []
    assert AuditHead.objects.get().faults == []


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    custody = Custody(tmp_path / "file" / "heads")
    for _ in range(2):
        write()
        custody.keep()
    assert caplog.text.count("cannot be kept") == 1
    assert AuditHead.objects.get().signed_sequence == 2, "signed all the same"


def test_lines_that_we_did_not_sign_say_nothing(folder, clock):
    write(2)
    folder.mkdir()
    (folder / "2026-01-01.jws").write_text("garbage\na.b.c\n")
    custody = Custody(folder, clock)
    custody.keep()
    assert inspect(custody) == []
    assert AuditHead.objects.get().faults == []


def test_of_days_gone_by_one_head_an_hour_stays(folder):
    old = folder / "2026-01-01.jws"
    folder.mkdir()
    keys = settings.SIGNING_KEYS
    start = timezone.now().replace(year=2026, month=1, day=1, hour=0, minute=0)
    many = [chain.sign(keys, Head(n, f"{n:064x}"), start + timedelta(minutes=n * 20)) for n in range(1, 61)]
    old.write_text("".join(f"{line}\n" for line in ["garbage", *many]))
    HeadFiles(folder).append(many[-1])
    left = old.read_text().split()
    assert left[0] == "garbage"
    assert [json.loads(urlsafe_b64decode(one.split(".")[1] + "=="))["sequence"] for one in left[1:]] == [
        *range(2, 60, 3),
        60,
    ]
    assert next(p for p in folder.iterdir() if p != old).stat().st_mode & 0o777 == 0o600


def test_the_head_is_not_signed_before_the_first_row():
    assert inspection.sign() == ""
    assert connection.vendor in {"sqlite", "postgresql"}
