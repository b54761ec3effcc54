"""Reads of API tokens."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.utils import timezone

from tenancy.models import ApiToken
from tenancy.policy import Actor

if TYPE_CHECKING:
    from django.db.models import QuerySet

USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""How exact "last used" is: a write for every request would cost more than it tells."""


def visible_to(actor: Actor) -> QuerySet[ApiToken]:
    """The actor's own tokens that still exist, newest first; a bound token sees its tenant's only."""
    mine = ApiToken.objects.filter(user=actor.user, revoked_at__isnull=True).select_related("tenant")
    return mine.filter(tenant_id=actor.bound_to) if actor.bound_to else mine


def digest(raw: str) -> str:
    """What is stored of a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate(raw: str) -> tuple[ApiToken, Actor] | None:
    """The token and who it speaks for; ``None`` when unknown, expired, revoked or of an inactive user."""
    valid = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    token = (
        ApiToken.objects.filter(valid, digest=digest(raw), revoked_at__isnull=True, user__is_active=True)
        .select_related("user")
        .first()
    )
    if token is None:
        return None
    return token, Actor(user=token.user, bound_to=token.tenant_id, read_only=token.read_only)


def use_is_stale(token: ApiToken) -> bool:
    """Whether "last used" wants a new value."""
    return token.last_used_at is None or token.last_used_at < timezone.now() - USE_NOTED_EVERY
