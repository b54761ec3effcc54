"""What is written down: each change, in its own transaction, and each refusal, in a transaction of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F
from django.utils import timezone

from tenancy.actions import unit
from tenancy.models import AuditDenial
from tenancy.rules import chain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

DENIED: Final = "denied"
"""The action of a row about something refused; ``facts.attempted`` says what."""
QUIET: Final = timedelta(minutes=1)
"""Refusals of one thing to one actor within this are counted, and told in one row."""
_LONGEST: Final = {"actor": 150, "attempted": 60, "tenant": 20, "target": 200, "reason": 500}


def note(*, actor: str, action: str, target: str, tenant: str = "", **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    """Adds a row, written when the outermost unit ends; refuses to run outside one."""
    event = chain.Event(timezone.now(), actor, action, tenant, target, chain.plain(facts))
    unit.collect(event)


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, Any]:
    """What differs, each with its value before and after, as a fact."""
    return {
        key: {"from": before.get(key), "to": value}
        for key, value in after.items()
        if chain.plain(before.get(key)) != chain.plain(value)
    }


def denied(*, actor: str, action: str, target: str, tenant: str = "", reason: str) -> None:
    """Writes down a refusal, after what it refused was rolled back.

    The first is written at once; further ones of the same actor, action and tenant
    are counted, and ``tell_denials`` writes one row a minute about them.
    """
    if unit.is_open():
        msg = (
            f"the refusal of {action} told inside a unit of work, which would take it along when rolled back"
        )
        raise RuntimeError(msg)
    given = {"actor": actor, "attempted": action, "tenant": tenant, "target": target, "reason": reason}
    values = {name: chain.plain(text)[: _LONGEST[name]] for name, text in given.items()}
    key = {name: values.pop(name) for name in ("actor", "attempted", "tenant")}
    now = timezone.now()
    with unit.atomic():
        rows = AuditDenial.objects.select_for_update()
        row, first = rows.get_or_create(**key, defaults={**values, "since": now})
        if first:
            _tell(row)
        else:
            AuditDenial.objects.filter(pk=row.pk).update(**values, count=F("count") + 1)


@unit.atomic
def tell_denials() -> int:
    """Writes one row for each refusal that went on, and forgets those that ended; returns how many rows."""
    now = timezone.now()
    ended = AuditDenial.objects.select_for_update().filter(since__lte=now - QUIET).order_by("pk")
    told = [row for row in ended if row.count]
    for row in told:
        _tell(row, again=row.count, from_=row.since)
    AuditDenial.objects.filter(pk__in=[row.pk for row in told]).update(count=0, since=now)
    AuditDenial.objects.filter(pk__in=[row.pk for row in ended if not row.count]).delete()
    return len(told)


def _tell(row: AuditDenial, *, again: int = 0, from_: datetime | None = None) -> None:
    more = {"again": again, "since": from_.isoformat()} if from_ else {}
    facts = {"attempted": row.attempted, "reason": row.reason, **more}
    note(actor=row.actor, action=DENIED, target=row.target, tenant=row.tenant, **facts)
