"""What the pages of accelerators show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from portal.web import words
from portal.web.presenters import Badge
from tenancy import policy
from tenancy.enums import Permission
from tenancy.grant_enums import RequestState
from tenancy.queries import accelerators, calendar, grants, usage
from tenancy.queries.grants import Holding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenancy.enums import Sandbox
    from tenancy.models import AcceleratorClass, Grant, GrantRequest, Tenant
    from tenancy.policy import Actor
    from tenancy.queries.grants import WhatIf
    from tenancy.queries.usage import Hours
    from tenancy.rules.ledger import Room, Verdict

KEPT_IN_SIGHT = 20
"""Requests and grants on a page; the rest is in the API."""


@dataclass(frozen=True)
class ClassRow:
    """What a team has of a class."""

    accelerator: AcceleratorClass
    holding: Holding
    limit: int | None
    lately: Hours


@dataclass(frozen=True)
class GrantRow:
    """A grant and where it is in its life."""

    grant: Grant
    badge: Badge
    say: str

    @property
    def ended(self) -> bool:
        """Whether its devices are back or on their way."""
        return self.grant.ended_at is not None


@dataclass(frozen=True)
class RequestRow:
    """A request, and what happens next with it."""

    request: GrantRequest
    badge: Badge
    say: str


@dataclass(frozen=True)
class ChoiceRow:
    """A pool where a request could be granted."""

    room: Room
    verdict: Verdict
    note: str
    sandboxes: tuple[Sandbox, ...]
    today: int
    """Devices that nobody is promised today, then on the first day, then on all days."""
    at_start: int
    throughout: int
    missing: int


def choices(shown: WhatIf) -> list[ChoiceRow]:
    """The pools of a what-if."""
    today, terms = calendar.today(), shown.terms
    return [
        ChoiceRow(
            room=one.room,
            verdict=one.verdict,
            note=one.note,
            sandboxes=one.sandboxes,
            today=one.free_on(today),
            at_start=one.free_on(terms.starts_on),
            throughout=one.room.free(terms.starts_on, terms.ends_on),
            missing=one.room.deficit(today),
        )
        for one in shown.choices
    ]


def classes(actor: Actor, tenant: Tenant) -> list[ClassRow]:
    """Every class that is offered, or of which the team has some."""
    held, today = grants.holdings(tenant), calendar.today()
    limits = {row.accelerator_id: row.amount for row in accelerators.limits(actor, tenant)}
    shown = [row for row in accelerators.all_() if row.offered or row.pk in held]
    lately = usage.lately(tenant, today)
    return [
        ClassRow(
            row, held.get(row.pk, Holding()), limits.get(row.pk), lately.get(row.key, usage.none(tenant, row))
        )
        for row in shown
    ]


def grant_row(grant: Grant) -> GrantRow:
    """A grant for people."""
    phase = grants.phase(grant, calendar.shown())
    tone, say = words.GRANT_PHASES[phase]
    return GrantRow(grant, Badge(phase.value.capitalize(), tone), say)


def request_row(row: GrantRequest) -> RequestRow:
    """A request for people."""
    state = RequestState(row.state)
    tone, say = words.REQUEST_STATES[state]
    return RequestRow(row, Badge(state.value.capitalize(), tone), say)


def grant_rows(rows: Iterable[Grant]) -> list[GrantRow]:
    """Several."""
    return [grant_row(row) for row in rows]


def request_rows(rows: Iterable[GrantRequest]) -> list[RequestRow]:
    """Several."""
    return [request_row(row) for row in rows]


def may_ask(actor: Actor, tenant: Tenant) -> bool:
    """Whether the actor asks for this team."""
    return policy.allows(actor, Permission.GPU_REQUEST, tenant)


def who_decides(shown: WhatIf) -> str:
    """What would happen with these terms if they were asked for."""
    return words.APPROVALS[shown.approval]
