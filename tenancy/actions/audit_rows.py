"""The only writer of audit rows: numbers them, links them, moves the head."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils import timezone

from tenancy.errors import Unavailable
from tenancy.models import AuditEvent, AuditHead
from tenancy.rules import chain
from tenancy.rules.chain import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenancy.rules.chain import Event, Fault

ONLY: Final = 1
"""The key of the one head."""


def append(events: Sequence[Event]) -> None:
    """Writes the rows at the end of the chain; the caller's transaction ends right after."""
    before = _locked()
    rows = chain.link(before, events)
    AuditEvent.objects.bulk_create(
        AuditEvent(sequence=row.sequence, previous=row.previous, digest=row.digest, **_columns(row.event))
        for row in rows
    )
    # The lock has seen to it already; where it was left out by mistake, one of two writers fails here.
    if AuditHead.objects.filter(pk=ONLY, **asdict(before)).update(**asdict(rows[-1].head)) != 1:
        msg = "somebody else wrote to the audit log in the same moment: try again"
        raise Unavailable(msg)


def _locked() -> Head:
    """The head, under lock; made anew from the last row where it is gone: a cut is for kept heads to show."""
    heads = AuditHead.objects.select_for_update().only("sequence", "digest")
    try:
        found = heads.get(pk=ONLY)
    except AuditHead.DoesNotExist:
        last = AuditEvent.objects.order_by("-sequence").first()
        end = Head(last.sequence, last.digest) if last else chain.START
        found, _ = heads.get_or_create(pk=ONLY, defaults=asdict(end))
    return Head(found.sequence, found.digest)


def _columns(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("at", "actor", "action", "tenant", "target", "facts")}


def sign() -> str:
    """The signed head, made anew if the chain has grown; empty before the first row.

    A chain that became shorter keeps the signature it had, which contradicts it.
    """
    head = AuditHead.objects.first()
    if head is None or not head.sequence or head.signed_sequence >= head.sequence:
        return head.signed if head else ""
    now = timezone.now()
    envelope = chain.sign(settings.SIGNING_KEYS, Head(head.sequence, head.digest), now)
    newer = AuditHead.objects.filter(pk=ONLY, signed_sequence__lt=head.sequence)
    newer.update(signed=envelope, signed_sequence=head.sequence, signed_at=now)
    return envelope


def record(faults: Sequence[Fault], checked: Head | None) -> bool:
    """Keeps what is wrong with the chain; whether something was before.

    ``checked`` is how far a whole walk went, and what it found counts; else only the first fault does.
    """
    before = AuditHead.objects.first()
    if before is None:
        return False
    values: dict[str, Any] = {}
    if checked or (faults and not before.faults):
        values["faults"] = [asdict(fault) for fault in faults]
    if checked:
        values |= {"checked_sequence": checked.sequence, "checked_at": timezone.now()}
    if values:
        AuditHead.objects.filter(pk=ONLY).update(**values)
    return bool(before.faults)
