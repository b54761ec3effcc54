"""The life of grants: they begin when their devices are free, are reminded of, end, and are closed with a receipt."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import OperationalError

from tenancy import policy
from tenancy.actions import allocations, audit, balances, events, notices
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import Conflict
from tenancy.event_enums import EventType
from tenancy.grant_enums import ReclaimCause
from tenancy.models import Allocation, Grant
from tenancy.queries import calendar, weighing
from tenancy.queries import grants as known
from tenancy.rules import attestation
from tenancy.rules import grants as rules
from tenancy.rules.allocations import is_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from tenancy.models import GrantRequest, NodePool
    from tenancy.policy import Actor
    from tenancy.rules.ledger import Room

log = logging.getLogger(__name__)

CLOCK: Final = "clock"
"""Who acts when a day has come."""
RECEIPT: Final = "atoll-reclaim-receipt+jws"
RECEIPT_FORMAT: Final = "atoll.reclaim-receipt/v1"


def refuse_over(grant: Grant, today: date) -> None:
    """What is over, and perhaps given to others, is not made longer."""
    if grant.ended_at is not None or today >= grant.ends_on:
        msg = "this grant is over and its devices are on their way back: make a new request"
        raise Conflict(msg)


def drafted(request: GrantRequest, pool: NodePool, room: Room, now: datetime) -> Grant:
    """What an approved request brings, not yet written: a grant, or more days of one that was read under the locks."""
    today, grant = now.date(), request.extends
    if grant is not None:
        refuse_over(grant, today)
        grant.ends_on, grant.reminded = request.ends_on, None
        return grant
    return Grant(
        tenant=request.tenant,
        accelerator=request.accelerator,
        pool=pool,
        amount=request.amount,
        starts_on=max(request.starts_on, today),
        ends_on=request.ends_on,
        activated_at=now if request.starts_on <= today and _free(room, request.amount) else None,
    )


def write(made: Iterable[Grant], longer: Iterable[Grant]) -> None:
    """Writes new ones, and those that got more days; the caller holds their pools and tenants."""
    Grant.objects.bulk_create(made)
    Grant.objects.bulk_update(longer, ["ends_on", "reminded"])


def activate_locked(grant: Grant, today: date) -> bool:
    """Gives the grant to the tenant's clusters if its day has come and its devices are back; locked by the caller."""
    if grant.activated_at is not None or grant.ended_at is not None or grant.starts_on > today:
        return False
    if not _free(weighing.room(grant.pool, grant.accelerator, today), grant.amount):
        return False
    grant.activated_at = calendar.now()
    grant.save(update_fields=["activated_at"])
    promises = weighing.promises(grant.pool, grant.accelerator, today)
    balances.promised(grant.pool, grant.accelerator, promises, today)
    begun(grant)
    return True


def begun(grant: Grant) -> None:
    """The tenant's clusters get what they wait for."""
    begun_all([grant])


def begun_all(grants: Sequence[Grant]) -> None:
    """The same for grants of several tenants."""
    for grant in grants:
        _note(grant, "grant.activate", CLOCK)
    allocations.settle_all({grant.tenant_id: grant.tenant for grant in grants}.values())


def _free(room: Room, amount: int) -> bool:
    """Whether so many devices are with nobody: what is promised for today may not be back yet."""
    return room.out + amount <= room.capacity


@atomic
def return_early(*, by: Actor, uid: UUID, reason: str = "") -> Grant:
    """Gives a grant back before its day; pods that hold its devices get the class's grace to finish."""
    grant = known.get(by, uid)
    policy.check(by, Permission.GPU_RETURN, grant.tenant)
    balances.lock([grant.pool_id], grant.tenant_id)
    grant.refresh_from_db()
    if grant.ended_at is not None:
        msg = "this grant is over already: its devices are on their way back, or were given back"
        raise Conflict(msg)
    _end(grant, calendar.now(), by.name, ReclaimCause.RETURNED, reason)
    return grant


def tick() -> None:
    """What the days bring; each grant in a transaction of its own, so that one in trouble stops no other."""
    today = calendar.today()
    soon = today + timedelta(days=max(rules.REMIND_DAYS))
    _each(_uids(ended_at=None, ends_on__lte=today), lambda grant: _expire(grant, today))
    _each(_uids(ended_at__isnull=False), close)
    _each(_uids(activated_at=None, ended_at=None, starts_on__lte=today), lambda g: activate_locked(g, today))
    _each(_uids(ended_at=None, ends_on__lte=soon), lambda grant: _remind(grant, today))


def _each(uids: Iterable[UUID], do: Callable[[Grant], object]) -> None:
    for uid in uids:
        try:
            _with(uid, do)
        except OperationalError:
            raise  # the database itself: the others would fare no better
        except Exception:
            log.exception("grant %s: its day could not be seen to; tried again", uid)


@atomic
def _with(uid: UUID, do: Callable[[Grant], object]) -> None:
    seen = Grant.objects.filter(pk=uid).values_list("pool_id", "tenant_id").first()
    if seen is not None:
        balances.lock([seen[0]], seen[1])
        do(Grant.objects.select_related("tenant", "accelerator", "pool__host").get(pk=uid))


def _uids(**where: Any) -> list[UUID]:  # noqa: ANN401 - columns
    rows = Grant.objects.filter(closed_at=None, **where).order_by("starts_on", "created_at")
    return list(rows.values_list("uid", flat=True))


def _expire(grant: Grant, today: date) -> None:
    """Unless it was extended since it was looked for."""
    if grant.ends_on <= today:
        _end(grant, calendar.now(), CLOCK, ReclaimCause.EXPIRED, "")


def _end(grant: Grant, now: datetime, by: str, cause: ReclaimCause, reason: str) -> None:
    if grant.ended_at is not None:
        return
    grant.ended_at, grant.cause, grant.ended_by = now, cause, by
    grant.deadline = now + timedelta(seconds=grant.accelerator.grace_seconds)
    grant.save(update_fields=["ended_at", "cause", "ended_by", "deadline"])
    _note(grant, "grant.end", by, cause=cause.value, reason=reason)
    allocations.settle(grant.tenant)
    balances.recount(grant.pool, [grant.accelerator])
    _tell(
        grant,
        "end",
        f"{grant.amount} {grant.accelerator} of {grant.tenant} go back",
        f"Pods that still hold them are ended at {grant.deadline:%Y-%m-%d %H:%M} UTC; save what they have.",
    )


def close(grant: Grant) -> bool:
    """Closes it once no cluster holds more than the other grants cover; locked by the caller."""
    if grant.ended_at is None or grant.closed_at is not None:
        return False
    same = _account(grant)
    held = sum(Allocation.objects.filter(**same, released_at=None).values_list("held", flat=True))
    if not is_back(grant.uid.hex, *known.covering(Grant.objects.filter(**same, closed_at=None)), held):
        return False
    now = calendar.now()
    statement = attestation.canonical(_receipt(grant, now))
    grant.receipt = attestation.sign(settings.SIGNING_KEYS, statement, kind=RECEIPT).envelope
    grant.closed_at = now
    grant.save(update_fields=["receipt", "closed_at"])
    balances.recount(grant.pool, [grant.accelerator])
    _note(grant, "grant.close", CLOCK)
    _tell(
        grant,
        "close",
        f"{grant.amount} {grant.accelerator} of {grant.tenant} are back",
        "They were seen free on the host; the receipt is with the grant.",
    )
    return True


def _receipt(grant: Grant, now: datetime) -> dict[str, Any]:
    """What came back, and what was seen on the host of each cluster that had to give."""
    touched = Allocation.objects.filter(**_account(grant)).exclude(returns=[])
    steps = [
        {"cluster": one["cluster"], "devices": one["grants"][grant.uid.hex], "rungs": one["rungs"]}
        for row in touched
        for one in row.returns
        if grant.uid.hex in one["grants"]
    ]
    return {
        "format": RECEIPT_FORMAT,
        "grant": str(grant.uid),
        "tenant": grant.tenant.name,
        "class": grant.accelerator.key,
        "pool": f"{grant.pool.host.name}/{grant.pool.name}",
        "amount": grant.amount,
        "cause": str(grant.cause),
        "by": grant.ended_by,
        "endedAt": grant.ended_at.isoformat() if grant.ended_at else "",
        "closedAt": attestation.stamp(now),
        "evidence": steps,
    }


def _account(grant: Grant) -> dict[str, UUID]:
    """Whose, of what and where, as columns of grants and allocations."""
    return {"tenant": grant.tenant_id, "accelerator": grant.accelerator_id, "pool": grant.pool_id}


def _remind(grant: Grant, today: date) -> None:
    days = rules.reminder(grant.ends_on, today, grant.reminded)
    if days is None:
        return
    grant.reminded = days
    grant.save(update_fields=["reminded"])
    left = (grant.ends_on - today).days
    reference = {"kind": "grant", "name": str(grant.uid)}
    events.tell(EventType.GRANT_ENDING, grant.tenant.name, reference, ends_on=grant.ends_on, days_left=left)
    _tell(
        grant,
        f"remind/{grant.ends_on}/{days}",
        f"{grant.amount} {grant.accelerator} of {grant.tenant} end in {left} days",
        f"On {grant.ends_on} (UTC) they go back. To keep them, ask for more days.",
    )


def _tell(grant: Grant, what: str, subject: str, body: str) -> None:
    people = notices.those_who_ask([grant.tenant])
    notices.tell(
        people[grant.tenant_id],
        key=f"grant/{grant.uid}/{what}",
        subject=subject,
        body=body,
        link=f"/gpu/grants/{grant.uid}",
    )


def _note(grant: Grant, action: str, by: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(
        actor=by,
        action=action,
        tenant=grant.tenant.name,
        target=f"grant/{grant.uid}",
        accelerator=grant.accelerator.key,
        amount=grant.amount,
        days=[grant.starts_on.isoformat(), grant.ends_on.isoformat()],
        pool=f"{grant.pool.host.name}/{grant.pool.name}",
        **facts,
    )
