"""API tokens: made, shown once, revoked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission
from tenancy.errors import FieldError, Invalid, NotAllowed, NotFound
from tenancy.models import ApiToken
from tenancy.queries import tenants, tokens

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenancy.policy import Actor

PREFIX: Final = "atoll_"
_SHOWN: Final = len(PREFIX) + 6


@atomic
def create(
    *,
    by: Actor,
    name: str,
    tenant: str | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A token that speaks for ``by``, and its text, which is nowhere kept."""
    _refuse_widening(by, tenant, read_only=read_only)
    if expires_at is not None and expires_at <= timezone.now():
        fault = FieldError(
            "spec.expiresAt", "in-the-past", "give a time that is still to come, or leave it out"
        )
        raise Invalid(fault.detail, errors=(fault,))
    bound = tenants.get(by, tenant) if tenant else None
    raw = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=by.user,
        tenant=bound,
        name=name,
        prefix=raw[:_SHOWN],
        digest=tokens.digest(raw),
        read_only=read_only,
        expires_at=expires_at,
    )
    _note(by, "token.create", token, name=name, read_only=read_only, expires=expires_at)
    return token, raw


@atomic
def revoke(*, by: Actor, uid: UUID) -> None:
    """Ends a token at once: the next request with it is refused."""
    if by.read_only:
        msg = "this token is read-only: use one that may write"
        raise NotAllowed(msg)
    token = tokens.visible_to(by).filter(uid=uid).first()
    if token is None:
        msg = f"there is no token {uid} of yours"
        raise NotFound(msg)
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    _note(by, "token.revoke", token, name=token.name)


def note_use(token: ApiToken) -> None:
    """Keeps "last used" exact to a minute."""
    if tokens.use_is_stale(token):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())


def _refuse_widening(by: Actor, tenant: str | None, *, read_only: bool) -> None:
    """A token may not make one that reaches further than itself."""
    if by.read_only and not read_only:
        msg = "a read-only token can only make read-only tokens"
        raise NotAllowed(msg)
    if by.bound_to is not None and tenant is None:
        msg = "a token bound to a tenant can only make tokens for that tenant: name it"
        raise NotAllowed(msg)
    if tenant is not None:
        policy.check(by, Permission.TENANT_VIEW, tenants.get(by, tenant))


def _note(by: Actor, action: str, token: ApiToken, **facts: object) -> None:
    tenant = token.tenant.name if token.tenant else ""
    facts |= {"uid": token.uid, "owner": token.user.username}
    audit.note(actor=by.name, action=action, tenant=tenant, target=f"token/{token.prefix}", **facts)
