"""API tokens: made, shown once, rotated, revoked; of people and of service accounts."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, OperationalError
from django.db.models import Q
from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic, is_read_only
from tenancy.errors import (
    Conflict,
    FieldError,
    InsufficientScope,
    Invalid,
    NotAllowed,
    NotFound,
    StepUpRequired,
    refuse,
)
from tenancy.models import ApiToken
from tenancy.queries import tenants, tokens
from tenancy.rules import scopes as rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from tenancy.models import ServiceAccount, Tenant
    from tenancy.policy import Actor

log = logging.getLogger(__name__)

PREFIX: Final = "atoll_"
_SHOWN: Final = len(PREFIX) + 6
DECIDES_FOR: Final = timedelta(hours=12)
"""How long a token for decisions lives at most: a working day, after which somebody signs in again."""
KEPT: Final = timedelta(days=30)
"""For how long after its end a token is still listed."""
OVERLAP: Final = 3600
OVERLAP_MAX: Final = 7 * 24 * 3600
"""Seconds for which both texts of a rotated token are good."""


@dataclass(frozen=True)
class Reach:
    """What a token is for, and for how long."""

    tenant: Tenant | None
    scopes: tuple[str, ...]
    """Patterns of ``rules.scopes``."""
    read_only: bool
    expires_at: datetime | None
    decides: bool = False
    """Whether it is for decisions over others (``policy.STEP_UP``)."""

    @property
    def most(self) -> timedelta | None:
        """The longest that such a token may live."""
        return DECIDES_FOR if self.decides else None


@atomic
def create(
    *,
    by: Actor,
    name: str,
    tenant: str | None = None,
    scopes: Sequence[str] | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
    account: ServiceAccount | None = None,
    decides: bool = False,
) -> tuple[ApiToken, str]:
    """A token that speaks for ``by``, or for an account, and its text, which is nowhere kept.

    Who asks for an account's has been seen to manage it. Without scopes it is for all that ``by`` is
    for; without an end it lives as long as it may, which for one that ``decides`` is not long.
    """
    holder = account or by.account
    meant = tenant or (holder.tenant.name if holder else None)
    if by.bound_to is not None and meant is None:
        msg = "a token bound to a tenant can only make tokens for that tenant: name it"
        raise NotAllowed(msg)
    bound = tenants.get(by, meant) if meant else None
    patterns = by.scopes if scopes is None else tuple(scopes)
    reach = Reach(bound, patterns, read_only, expires_at, decides)
    reach = replace(reach, expires_at=_end(by, expires_at, reach.most))
    _refuse_nothing(reach)
    _refuse_decisions(by, reach)
    _refuse_wider(by, reach)
    made, raw = _make(by, holder, name, reach)
    _note(by, "token.create", made, name=name, **_told(reach))
    return made, raw


@atomic
def create_lasting(*, by: Actor, name: str) -> tuple[ApiToken, str]:
    """A token that decides and does not end: for the machine's own command line, which has the database."""
    reach = Reach(None, rules.EVERYTHING, read_only=False, expires_at=None, decides=True)
    made, raw = _make(by, None, name, reach)
    _note(by, "token.create", made, name=name, **_told(reach))
    return made, raw


@atomic
def rotate(
    *,
    by: Actor,
    uid: UUID,
    overlap: int = OVERLAP,
    expires_at: datetime | None = None,
    account: ServiceAccount | None = None,
) -> tuple[ApiToken, str]:
    """A new text in place of a token's, which ends after ``overlap`` seconds; name and reach stay.

    Without an end the new one lives as long as the old one was made for, as far as it may.
    """
    _refuse_overlap(overlap)
    old = _own(by, uid, account)
    now = timezone.now()
    _refuse_rotated(old, now)
    lifetime = old.expires_at - old.created_at if old.expires_at else None
    reach = Reach(old.tenant, tokens.patterns(old), old.read_only, old.expires_at, old.decides)
    if old.uid != by.token:
        _refuse_wider(by, reach)
    most = reach.most if lifetime else None  # one made to last goes on to last
    latest = _end(by, expires_at, most)
    until = latest if expires_at else _sooner(now + lifetime if lifetime else None, latest)
    reach = replace(reach, expires_at=until)
    made, raw = _make(by, account or by.account, old.name, reach)
    over = _sooner(old.expires_at, now + timedelta(seconds=overlap))
    ApiToken.objects.filter(pk=old.pk).update(successor=made, expires_at=over)
    _note(by, "token.rotate", old, name=old.name, successor=made.uid, old_ends=over, **_told(reach))
    return made, raw


@atomic
def revoke(*, by: Actor, uid: UUID, account: ServiceAccount | None = None) -> None:
    """Ends a token at once: the next request with it is refused."""
    token = _own(by, uid, account)
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    _note(by, "token.revoke", token, name=token.name)


def sweep() -> int:
    """Drops tokens that expired or were revoked more than 30 days ago; returns how many."""
    before = timezone.now() - KEPT
    return ApiToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)).delete()[0]


def note_use(token: ApiToken) -> None:
    """Keeps "last used" exact to a minute, where the database takes the write; who reads reads on where it does not."""
    if not tokens.use_is_stale(token):
        return
    try:
        with atomic():
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    except DatabaseError as error:
        if not is_read_only(error) and not isinstance(error, OperationalError):
            raise
        log.info("the use of token %s was not noted: %s", token.prefix, error)


def _make(by: Actor, account: ServiceAccount | None, name: str, reach: Reach) -> tuple[ApiToken, str]:
    raw = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=account.user if account else by.user,
        tenant=reach.tenant,
        name=name,
        prefix=raw[:_SHOWN],
        digest=tokens.digest(raw),
        # By identity: who wrote "*:*" reads it again.
        scopes=None if reach.scopes is rules.EVERYTHING else list(reach.scopes),
        read_only=reach.read_only,
        decides=reach.decides,
        expires_at=reach.expires_at,
        created_by=by.name,
    )
    return token, raw


def _own(by: Actor, uid: UUID, account: ServiceAccount | None) -> ApiToken:
    """Under lock: of two that rotate it at once, the second finds it rotated."""
    rows = tokens.visible_to(by) if account is None else tokens.of_account(account)
    token = rows.select_for_update(of=("self",)).filter(uid=uid).first()
    if token is None:
        whose = "of yours" if account is None else f"of {account.user.username}"
        msg = f"there is no token {uid} {whose}"
        raise NotFound(msg)
    return token


def _end(by: Actor, wished: datetime | None, most: timedelta | None = None) -> datetime | None:
    """When a token ends that ``by`` makes: as wished, or as late as may be; ``Invalid`` when beyond."""
    now, days = timezone.now(), settings.ATOLL_TOKEN_DAYS
    longest = min((one for one in (timedelta(days=days) if days else None, most) if one), default=None)
    latest = _sooner(by.expires_at, now + longest if longest else None)
    if wished is None:
        return latest
    if wished <= now:
        raise _bad_end("in-the-past", "give a time that is still to come, or leave it out")
    if latest is not None and wished > latest:
        why = "when the token ends that makes it" if latest == by.expires_at else f"{_span(longest)} from now"
        raise _bad_end("too-late", f"it may end at {latest:%Y-%m-%dT%H:%M:%SZ} at the latest, {why}")
    return wished


def _span(length: timedelta | None) -> str:
    hours = int((length or timedelta()).total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 24 else f"{hours} hours"  # noqa: PLR2004 - hours of a day


def _bad_end(code: str, detail: str) -> Invalid:
    return Invalid(detail, errors=(FieldError("spec.expiresAt", code, detail),))


def _sooner(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _refuse_nothing(reach: Reach) -> None:
    if not rules.held(reach.scopes, read_only=reach.read_only):
        detail = "readOnly leaves nothing of these scopes: leave one of the two out"
        raise Invalid(detail, errors=(FieldError("spec.scopes", "contradicts-read-only", detail),))


def _refuse_wider(by: Actor, wanted: Reach) -> None:
    """A token makes, and gets the text of, none that reaches further than itself."""
    if by.read_only and not wanted.read_only:
        msg = "a read-only token can only make read-only tokens"
        raise NotAllowed(msg)
    if by.bound_to is not None and (wanted.tenant is None or wanted.tenant.uid != by.bound_to):
        msg = "a token bound to a tenant can only make tokens for that tenant: name it"
        raise NotAllowed(msg)
    if wanted.decides and not by.decides:
        raise StepUpRequired(policy.STEP_UP_FIRST)
    lacking = rules.uncovered(by.scopes, wanted.scopes)
    if lacking:
        msg = f"this token lacks {', '.join(lacking)}, so it can give it to no other: name scopes that it has"
        raise InsufficientScope(msg, scope=lacking[0])
    if by.account is not None and by.account.tenant.suspended:
        msg = f"tenant {by.account.tenant.name!r} is suspended: ask an admin to lift it"
        raise NotAllowed(msg, tenant=by.account.tenant.name)


def _refuse_decisions(by: Actor, wanted: Reach) -> None:
    if not wanted.decides:
        return
    wrong = {
        "contradicts-tenant": (wanted.tenant, "a token bound to a tenant decides nothing for others"),
        "contradicts-read-only": (wanted.read_only, "a read-only token decides nothing"),
    }
    refuse(
        FieldError("spec.decides", code, f"{words}: leave one of the two out")
        for code, (found, words) in wrong.items()
        if found
    )
    if not policy.may_decide(by):
        raise NotAllowed("your role has no decisions over others: leave spec.decides out, or ask an admin")


def _refuse_overlap(seconds: int) -> None:
    if not 0 <= seconds <= OVERLAP_MAX:
        detail = f"{seconds} seconds: give at most {OVERLAP_MAX // 3600}h"
        raise Invalid(detail, errors=(FieldError("overlap", "out-of-range", detail),))


def _refuse_rotated(token: ApiToken, now: datetime) -> None:
    if token.successor_id is not None:
        msg = f"it was rotated already: rotate what came of it, {token.successor_id}, or revoke this one"
        raise Conflict(msg)
    if token.expires_at is not None and token.expires_at <= now:
        msg = "it has ended: make a new one"
        raise Conflict(msg)


def _told(reach: Reach) -> dict[str, object]:
    return {
        "scopes": reach.scopes,
        "read_only": reach.read_only,
        "expires": reach.expires_at,
        "decides": reach.decides,
    }


def _note(by: Actor, action: str, token: ApiToken, **facts: object) -> None:
    tenant = token.tenant.name if token.tenant else ""
    facts |= {"uid": token.uid, "owner": token.user.username}
    audit.note(actor=by.name, action=action, tenant=tenant, target=f"token/{token.prefix}", **facts)
