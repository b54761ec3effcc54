"""The workflow of requests for accelerators: state and verb → state, and who may use each verb.

docs/states.md is rendered from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tenancy.errors import FieldError, InvalidTransition, NotAllowed
from tenancy.grant_enums import Approval, RequestParty, RequestState, RequestVerb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

_S, _V, _P = RequestState, RequestVerb, RequestParty

OPEN: Final = frozenset({_S.REQUESTED, _S.ENDORSED, _S.COUNTERED})
"""Somebody still has to act; a tenant has one such request for a class."""
TRANSITIONS: Final[Mapping[tuple[RequestState, RequestVerb], RequestState]] = {
    (_S.REQUESTED, _V.AMEND): _S.REQUESTED,
    (_S.REQUESTED, _V.AUTO_APPROVE): _S.APPROVED,
    (_S.REQUESTED, _V.ENDORSE): _S.ENDORSED,
    (_S.REQUESTED, _V.APPROVE): _S.APPROVED,
    (_S.REQUESTED, _V.COUNTER): _S.COUNTERED,
    (_S.REQUESTED, _V.DENY): _S.DENIED,
    (_S.REQUESTED, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.REQUESTED, _V.LAPSE): _S.LAPSED,
    # What one approver agreed to has changed: nobody has agreed any more.
    (_S.ENDORSED, _V.AMEND): _S.REQUESTED,
    (_S.ENDORSED, _V.APPROVE): _S.APPROVED,
    (_S.ENDORSED, _V.COUNTER): _S.COUNTERED,
    (_S.ENDORSED, _V.DENY): _S.DENIED,
    (_S.ENDORSED, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.ENDORSED, _V.LAPSE): _S.LAPSED,
    (_S.COUNTERED, _V.AMEND): _S.REQUESTED,
    (_S.COUNTERED, _V.ACCEPT): _S.APPROVED,
    # Nobody but the tenant takes an offer: approvers have no verb that leads on from here.
    (_S.COUNTERED, _V.CONCUR): _S.ENDORSED,
    (_S.COUNTERED, _V.COUNTER): _S.COUNTERED,
    (_S.COUNTERED, _V.DECLINE): _S.DECLINED,
    (_S.COUNTERED, _V.DENY): _S.DENIED,
    (_S.COUNTERED, _V.WITHDRAW): _S.WITHDRAWN,
    (_S.COUNTERED, _V.LAPSE): _S.LAPSED,
}
"""Complete: what is not here is refused."""
PARTIES: Final[Mapping[RequestVerb, RequestParty]] = {
    _V.AMEND: _P.TENANT,
    _V.AUTO_APPROVE: _P.CLOCK,
    _V.ENDORSE: _P.APPROVER,
    _V.APPROVE: _P.APPROVER,
    _V.COUNTER: _P.APPROVER,
    _V.ACCEPT: _P.TENANT,
    _V.CONCUR: _P.TENANT,
    _V.DECLINE: _P.TENANT,
    _V.DENY: _P.APPROVER,
    _V.WITHDRAW: _P.TENANT,
    _V.LAPSE: _P.CLOCK,
}
OPEN_DAYS: Final = 30
"""A request that nobody decides lapses after so many days, or when its own days are over."""
TEXT_MAX: Final = 2000


@dataclass(frozen=True)
class Terms:
    """How much, from which day until which, in UTC; the last day exclusive."""

    amount: int
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Standing:
    """A request as the workflow sees it."""

    state: RequestState
    asked_by: frozenset[str]
    """Whoever asked, changed the wish or took an offer."""
    endorsed_by: str = ""


def after(state: RequestState, verb: RequestVerb) -> RequestState:
    """The state that follows; ``InvalidTransition`` where the table has none."""
    found = TRANSITIONS.get((state, verb))
    if found is None:
        able = ", ".join(sorted(v.value for s, v in TRANSITIONS if s is state))
        ways = f"what can be done with it is: {able}" if able else "it is decided: make a new request"
        msg = f"a request that is {state.value} cannot be changed by {verb.value!r}: {ways}"
        raise InvalidTransition(msg)
    return found


def refuse_own(request: Standing, by: str, verb: RequestVerb) -> None:
    """Four eyes: nobody decides what they asked for, nor agrees twice, nor takes their own offer."""
    if verb in {_V.ACCEPT, _V.CONCUR}:
        if by == request.endorsed_by:
            msg = "you made this offer, so somebody else of the tenant has to accept it"
            raise NotAllowed(msg)
        return
    if by in request.asked_by:
        msg = f"you made or changed this request, so another admin has to {verb.value} it"
        raise NotAllowed(msg)
    if verb in {_V.APPROVE, _V.ENDORSE} and by == request.endorsed_by:
        msg = "you have agreed already, and two admins have to: another one decides"
        raise NotAllowed(msg)


def agreed(request: Standing, amount: int, two_from: int) -> RequestVerb:
    """What an approver's consent amounts to: the end, or the first of two."""
    alone = request.state is not _S.ENDORSED
    return _V.ENDORSE if needs_two(amount, two_from) and alone else _V.APPROVE


def accepted(amount: int, two_from: int) -> RequestVerb:
    """What a tenant's yes to a counter-offer amounts to: the admin who made it is one approver."""
    return _V.CONCUR if needs_two(amount, two_from) else _V.ACCEPT


def needs_two(amount: int, two_from: int) -> bool:
    """Whether two admins must agree."""
    return 0 < two_from <= amount


def approval(lacking: int, two_from: int, *, at_once: bool) -> Approval:
    """Who has to agree before a tenant's clusters get what they lack."""
    if not lacking:
        return Approval.NONE
    if at_once:
        return Approval.POLICY
    return Approval.TWO_ADMINS if needs_two(lacking, two_from) else Approval.ADMIN


def term_faults(terms: Terms, today: date, longest: int) -> Iterator[FieldError]:
    """What is wrong with amount and days, each with the fix."""
    if terms.amount < 1:
        yield FieldError("spec.amount", "out-of-range", "ask for at least 1 device")
    if terms.starts_on < today:
        detail = f"{terms.starts_on} is over: days are in UTC, today is {today}"
        yield FieldError("spec.from", "in-the-past", detail)
    if terms.ends_on <= terms.starts_on:
        detail = "the last day is exclusive, so it is at least the day after 'from'"
        yield FieldError("spec.until", "out-of-range", detail)
    elif (terms.ends_on - terms.starts_on).days > longest:
        yield FieldError("spec.until", "out-of-range", f"at most {longest} days; extend the grant later")


def text_faults(path: str, text: str, what: str) -> Iterator[FieldError]:
    """Justifications and reasons are kept and read by others: they must say something."""
    if not text.strip():
        yield FieldError(path, "required", f"say {what}: whoever decides, or asks later, reads it")
    elif len(text) > TEXT_MAX:
        yield FieldError(path, "too-long", f"at most {TEXT_MAX} characters")


def lapsed(requested_on: date, terms: Terms, today: date) -> bool:
    """Whether nobody decided in time."""
    return today >= lapses_on(requested_on, terms)


def lapses_on(requested_on: date, terms: Terms) -> date:
    """The day on which it ends by itself if nobody has decided by then."""
    return min(terms.ends_on, requested_on + timedelta(days=OPEN_DAYS))
