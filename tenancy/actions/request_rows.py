"""One request's row: made, moved by compare-and-swap, noted and told; the verbs are in ``requests`` and ``decisions``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, Value, When
from django.utils import timezone

from tenancy.actions import audit, notices
from tenancy.errors import Conflict, FieldError, PreconditionFailed
from tenancy.grant_enums import RequestKind, RequestState, RequestVerb
from tenancy.models import Grant, GrantRequest, NodePool
from tenancy.queries import accelerators, calendar
from tenancy.rules import requests as rules
from tenancy.rules.requests import Standing, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from tenancy.models import AcceleratorClass, Tenant, User

POLICY: Final = "policy"
"""Who decides where no person has to."""
_NEXT: Final[Mapping[str, str]] = {
    RequestState.ENDORSED: "A second admin has to agree.",
    RequestState.COUNTERED: "The team accepts or declines these terms in the portal.",
    RequestState.APPROVED: "Clusters that waited for it go on by themselves.",
    RequestState.DENIED: "Ask again with other terms, or let clusters ask for less.",
    RequestState.LAPSED: "",
    RequestState.DECLINED: "Nothing is granted; ask again if it is still needed.",
    RequestState.WITHDRAWN: "Nobody has to decide it any more.",
}
"""What happens next, for whoever is told."""
_DECIDING: Final = frozenset(
    {RequestVerb.APPROVE, RequestVerb.AUTO_APPROVE, RequestVerb.ACCEPT, RequestVerb.DENY, RequestVerb.COUNTER}
)
_ASKING: Final = frozenset({RequestVerb.AMEND, RequestVerb.ACCEPT, RequestVerb.CONCUR})


@dataclass(frozen=True)
class Move:
    """What somebody does with a request."""

    request: GrantRequest
    verb: RequestVerb
    by: str
    reason: str
    changes: Mapping[str, Any]
    """Columns beside those that follow from the verb."""


def make(
    tenant: Tenant,
    accelerator: AcceleratorClass,
    terms: Terms,
    justification: str,
    by: str,
    *together: str,
    pool: NodePool | None = None,
    extends: Grant | None = None,
    for_clusters: bool = False,
) -> GrantRequest:
    made = GrantRequest.objects.create(
        tenant=tenant,
        accelerator=accelerator,
        kind=RequestKind.EXTENSION if extends else RequestKind.GRANT,
        pool=pool,
        extends=extends,
        justification=justification,
        for_clusters=for_clusters,
        lacked=terms.amount if for_clusters else 0,
        requested_by=by,
        requested_at=calendar.now(),
        asked_by=[by, *together],
        changed_at=timezone.now(),
        **columns(terms),
    )
    _note(made, "request.submit", by, justification=justification)
    return made


def move(request: GrantRequest, verb: RequestVerb, by: str, reason: str, **changes: Any) -> None:  # noqa: ANN401 - columns
    """Compare-and-swap: what somebody else has changed since it was read is not overwritten."""
    move_all([Move(request, verb, by, reason, changes)])


def move_all(moves: Sequence[Move]) -> None:
    """The same for several requests, of which all move or none."""
    _refuse_changed([one.request for one in moves])
    noted, written, now = [], [], timezone.now()
    for one in moves:
        before = RequestState(one.request.state)
        values = _values(one, before, now)
        for column, value in values.items():
            setattr(one.request, column, value)
        noted.append((one, before))
        written.append(values)
    _write(moves, written)
    for one, before in noted:
        _note(one.request, f"request.{one.verb.value}", one.by, before=before.value, reason=one.reason)
    _tell(moves)


def _refuse_changed(requests: Sequence[GrantRequest]) -> None:
    """Locks the rows, which must be as they were when they were read."""
    rows = GrantRequest.objects.select_for_update(no_key=True).order_by("pk")
    now = rows.filter(pk__in=[one.pk for one in requests]).values_list("pk", "state", "changed_at")
    if {pk: seen for pk, *seen in now} != {one.pk: [one.state, one.changed_at] for one in requests}:
        msg = "somebody else changed this request meanwhile: look at it again, then decide"
        raise Conflict(msg)


def _write(moves: Sequence[Move], values: Sequence[Mapping[str, Any]]) -> None:
    """In one statement; what is the same for all is written once, as a case for each row costs most of the time."""
    rows = GrantRequest.objects.filter(pk__in=[one.request.pk for one in moves])
    first = values[0]
    same = {key for key in first if all(key in one and one[key] == first[key] for one in values)}
    each = {key for one in values for key in one} - same
    rows.update(**{key: first[key] for key in same}, **{key: _by_row(key, moves) for key in each})


def _by_row(column: str, moves: Sequence[Move]) -> Case:
    field = getattr(GrantRequest, column).field
    rows = ((one.request.pk, getattr(one.request, field.attname)) for one in moves)
    return Case(*(When(pk=pk, then=Value(value, output_field=field)) for pk, value in rows))


def _values(one: Move, before: RequestState, now: datetime) -> dict[str, Any]:
    """The columns that change."""
    state = rules.after(before, one.verb).value
    values = {"state": state, "changed_at": now, **one.changes}
    if one.verb in _ASKING:
        values["asked_by"] = sorted({*one.request.asked_by, one.by})
    if one.verb in _DECIDING:
        # Who takes an offer does not decide: the admin who made it did.
        decider = one.request.endorsed_by if one.verb is RequestVerb.ACCEPT else one.by
        values |= {"decided_by": decider, "decision": one.reason}
    return values


def refuse_unseen(request: GrantRequest, seen: datetime | None) -> None:
    """Nobody agrees to other terms than they looked at; ``seen`` is its ``changed_at`` by then."""
    if seen not in {None, request.changed_at}:
        msg = "the request has changed since it was looked at: read it again, then decide"
        raise PreconditionFailed(msg)


def columns(terms: Terms) -> dict[str, Any]:
    return {"amount": terms.amount, "starts_on": terms.starts_on, "ends_on": terms.ends_on}


def standing(request: GrantRequest) -> Standing:
    asked_by = frozenset({request.requested_by, *request.asked_by})
    return Standing(RequestState(request.state), asked_by, request.endorsed_by)


def term_faults(terms: Terms, accelerator: AcceleratorClass) -> Iterator[FieldError]:
    return rules.term_faults(terms, calendar.today(), accelerator.longest_days)


def extension_faults(grant: Grant, ends_on: date) -> Iterator[FieldError]:
    """What is wrong with a new last day of a grant, asked for or offered."""
    longest = grant.accelerator.longest_days
    if ends_on <= grant.ends_on:
        yield FieldError("spec.until", "out-of-range", f"give a day after {grant.ends_on}")
    elif (ends_on - max(calendar.today(), grant.starts_on)).days > longest:
        yield FieldError("spec.until", "out-of-range", f"at most {longest} days from today")


def lapsed(request: GrantRequest, today: date) -> bool:
    """Whether nobody decided in time; more days of a grant that is over cannot be decided at all."""
    extends = request.extends
    if extends is not None and (extends.ended_at is not None or today >= extends.ends_on):
        return True
    terms = Terms(request.amount, request.starts_on, request.ends_on)
    return rules.lapsed(request.requested_at.date(), terms, today)


def pool_named(
    accelerator: AcceleratorClass, tenant: Tenant, named: tuple[str, str] | None
) -> tuple[NodePool | None, tuple[FieldError, ...]]:
    able = accelerators.pools_with(accelerator, tenant)
    if not able:
        detail = (
            f"no node pool has {accelerator.key!r}: an admin puts its nodes into one (Hosts → Node pools)"
        )
        return None, (FieldError("spec.class", "not-offered", detail),)
    if named is None:
        return None, ()
    found = accelerators.named(able, named)
    if found is None:
        detail = f"choose among {accelerators.listed(able)}, or leave it out"
        return None, (FieldError("spec.pool", "not-offered", detail),)
    return found, ()


def _tell(moves: Sequence[Move]) -> None:
    told = [one for one in moves if one.verb is not RequestVerb.AMEND]
    asking = notices.those_who_ask([one.request.tenant for one in told])
    deciding = notices.approvers() if any(one.request.endorsed_by for one in told) else []
    notices.tell_all(
        _letter(one, [*asking[one.request.tenant_id], *_admins(one.request, deciding)]) for one in told
    )


def _letter(one: Move, concerned: Iterable[User]) -> notices.Letter:
    request, reason = one.request, one.reason
    said = f"{one.by}: {reason.rstrip('.')}." if reason else f"By {one.by}."
    return notices.Letter(
        {user.pk: user for user in concerned if user.username != one.by}.values(),
        key=f"request/{request.uid}/{one.verb.value}/{request.changed_at.isoformat()}",
        subject=f"{request.amount} {request.accelerator} for {request.tenant}: {request.state}",
        body=f"{said} {_NEXT[request.state]}".strip(),
        link=f"/gpu/requests/{request.uid}",
    )


def _admins(request: GrantRequest, among: Iterable[User]) -> list[User]:
    """The one who agreed to it or made an offer; those who can still agree where a second one has to."""
    if request.state == RequestState.ENDORSED:
        asked_by = standing(request).asked_by
        return [user for user in among if user.username not in asked_by]
    return [user for user in among if user.username == request.endorsed_by]


def _note(request: GrantRequest, action: str, by: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(
        actor=by,
        action=action,
        tenant=request.tenant.name,
        target=f"request/{request.uid}",
        accelerator=request.accelerator.key,
        amount=request.amount,
        days=[request.starts_on.isoformat(), request.ends_on.isoformat()],
        state=RequestState(request.state).value,
        **facts,
    )
