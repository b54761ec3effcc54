"""Decisions on requests: by an admin who did not ask, or by policy; looked at anew under the ledger's locks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import admission, notices
from tenancy.actions import request_rows as rows
from tenancy.actions.admission import Wish
from tenancy.actions.together import Together
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import DomainError, refuse
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.queries import calendar, weighing
from tenancy.queries import grants as known
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from tenancy.models import GrantRequest
    from tenancy.policy import Actor
    from tenancy.rules.requests import Terms


@dataclass(frozen=True)
class Consent:
    """Somebody agrees to a request."""

    by: Actor
    uid: UUID
    reason: str
    pool: tuple[str, str] | None = None
    """Host and name, where the approver chooses."""
    seen: datetime | None = None
    """``changed_at`` of what they looked at; ``None``: whatever it is now."""


def approve(
    *,
    by: Actor,
    uid: UUID,
    reason: str,
    pool: tuple[str, str] | None = None,
    seen: datetime | None = None,
) -> GrantRequest:
    """Agrees to the terms as they stand: the first of two approvers, or the grant; looked at anew under the lock.

    Others that come in the same moment are decided with it, in one transaction: ADR 32.
    """
    return _approvals(Consent(by, uid, reason, pool, seen))


@atomic
def approve_all(consents: Sequence[Consent]) -> list[GrantRequest | DomainError]:
    """The same for several, each of another request; those that are refused are so alone."""
    answers: dict[UUID, GrantRequest | DomainError] = {}
    wishes: list[Wish] = []
    endorsements: list[Wish] = []
    found = _found(consents)
    for one in consents:
        try:
            request = known.readable(one.by, found.get((one.by, one.uid)))
            verb = _agreed(request, one)
        except DomainError as error:
            answers[one.uid] = error
            continue
        answers[one.uid] = request
        made = Wish(request, verb, one.by.name, one.reason, one.pool)
        (endorsements if verb is RequestVerb.ENDORSE else wishes).append(made)
    answers |= admission.admit_all(wishes) if wishes else {}
    answers |= _endorse(endorsements) if endorsements else {}
    return [answers[one.uid] for one in consents]


_approvals: Together[Consent, GrantRequest] = Together(approve_all, about=lambda consent: consent.uid)


@atomic
def counter(*, by: Actor, uid: UUID, terms: Terms, reason: str) -> GrantRequest:
    """Offers something else, which the tenant accepts or declines."""
    request = _decidable(by, uid, RequestVerb.COUNTER, reason)
    if request.extends is not None:
        terms = replace(terms, amount=request.amount, starts_on=request.starts_on)
        refuse(rows.extension_faults(request.extends, terms.ends_on))
    else:
        if terms.starts_on == request.starts_on:  # a day that has passed since means: at once
            terms = replace(terms, starts_on=max(terms.starts_on, calendar.today()))
        refuse(rows.term_faults(terms, request.accelerator))
    rows.move(request, RequestVerb.COUNTER, by.name, reason, endorsed_by=by.name, **rows.columns(terms))
    return request


@atomic
def deny(*, by: Actor, uid: UUID, reason: str) -> GrantRequest:
    """Says no; clusters that wait for it go on waiting, with their two ways on."""
    request = _decidable(by, uid, RequestVerb.DENY, reason)
    rows.move(request, RequestVerb.DENY, by.name, reason)
    return request


def at_once(request: GrantRequest) -> None:
    """Approves what the class's policy lets pass; asks the approvers for all else."""
    today, places = calendar.today(), known.candidates(request)
    if weighing.weigh(request.tenant, request.accelerator, known.asked(request), places, today).modest:
        why = f"up to {request.accelerator.auto_approve_up_to} are approved without being asked"
        admission.admit(Wish(request, RequestVerb.AUTO_APPROVE, rows.POLICY, why))
        return
    notices.tell(
        notices.approvers(but=rows.standing(request).asked_by),
        key=f"request/{request.uid}/{request.changed_at.isoformat()}",
        subject=f"{request.tenant} asks for {request.amount} {request.accelerator}",
        body=f"{request.requested_by}: {request.justification}. Decide it in the portal.",
        link=f"/gpu/requests/{request.uid}",
    )


def _found(consents: Iterable[Consent]) -> dict[tuple[Actor, UUID], GrantRequest]:
    """What each may see of what they agree to."""
    wanted: dict[Actor, list[UUID]] = defaultdict(list)
    for one in consents:
        wanted[one.by].append(one.uid)
    return {
        (by, uid): request
        for by, uids in wanted.items()
        for uid, request in known.get_requests(by, uids).items()
    }


def _agreed(request: GrantRequest, consent: Consent) -> RequestVerb:
    """What the consent comes to; raises what stands against it before any lock."""
    _refuse(request, consent.by, RequestVerb.APPROVE, consent.reason)
    rows.refuse_unseen(request, consent.seen)
    verb = rules.agreed(rows.standing(request), request.amount, request.accelerator.two_approvers_from)
    rules.after(RequestState(request.state), verb)
    return verb


def _endorse(wishes: Iterable[Wish]) -> dict[UUID, DomainError]:
    """Writes down that the first of two agrees; request → why not."""
    refused: dict[UUID, DomainError] = {}
    today = calendar.today()
    for one in wishes:
        try:
            admission.refuse_stale(one.request, today)
            rows.move(one.request, one.verb, one.by, one.reason, endorsed_by=one.by)
        except DomainError as error:
            refused[one.request.pk] = error
    return refused


def _decidable(by: Actor, uid: UUID, verb: RequestVerb, reason: str) -> GrantRequest:
    """A request that this admin may decide, looked at before any lock."""
    request = known.get_request(by, uid)
    _refuse(request, by, verb, reason)
    return request


def _refuse(request: GrantRequest, by: Actor, verb: RequestVerb, reason: str) -> None:
    policy.check(by, Permission.GPU_APPROVE)
    rules.refuse_own(rows.standing(request), by.name, verb)
    refuse(rules.text_faults("reason", reason, "why"))
