"""Reads of API tokens."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tenancy.models import ApiToken, Identity
from tenancy.policy import Actor
from tenancy.rules import scopes

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.models import ServiceAccount

USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""How exact "last used" is: a write for every request would cost more than it tells."""


def visible_to(actor: Actor) -> QuerySet[ApiToken]:
    """The actor's own tokens that still exist, newest first; a bound token sees its tenant's only."""
    mine = _kept().filter(user=actor.user)
    return mine.filter(tenant_id=actor.bound_to) if actor.bound_to else mine


def of_account(account: ServiceAccount) -> QuerySet[ApiToken]:
    """A service account's tokens that still exist, newest first."""
    return _kept().filter(user=account.user)


def _kept() -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(revoked_at__isnull=True).select_related("tenant", "user")


def digest(raw: str) -> str:
    """What is stored of a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate(raw: str) -> tuple[ApiToken, Actor] | None:
    """The token and who it speaks for; ``None`` when unknown, expired, revoked, of somebody suspended or lapsed.

    Read anew for each request, and kept nowhere: what is revoked is refused by every process at once.
    """
    found = ApiToken.objects.filter(valid(), digest=digest(raw))
    token = found.select_related("user__service_account__tenant").first()
    return (token, to_actor(token)) if token else None


def has_lapsed(raw: str) -> bool:
    """Whether it would be good, had its owner signed in at the provider lately; it is again once they do."""
    return ApiToken.objects.filter(_lives() & _lapsed(), digest=digest(raw)).exists()


def valid() -> Q:
    """Those that open anything now."""
    return _lives() & ~_lapsed()


def _lives() -> Q:
    young = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    alive = Q(user__is_active=True) | Q(user__service_account__isnull=False)
    return young & alive & Q(revoked_at__isnull=True)


def _lapsed() -> Q:
    """Of people whom a provider's sign-in made: nobody tells Atoll when their account there is closed."""
    days = settings.ATOLL_OIDC_TOKEN_DAYS
    if not days:
        return Q(pk__in=[])
    theirs = Identity.objects.filter(user=OuterRef("user"), managed=True)
    lately = theirs.filter(last_used_at__gt=timezone.now() - timedelta(days=days))
    return Q(Exists(theirs)) & ~Q(Exists(lately))


def patterns(token: ApiToken) -> tuple[str, ...]:
    """What it is for, with wildcards."""
    return scopes.EVERYTHING if token.scopes is None else tuple(token.scopes)


def to_actor(token: ApiToken) -> Actor:
    """Whoever it speaks for, as far as it reaches."""
    return Actor(
        user=token.user,
        bound_to=token.tenant_id,
        read_only=token.read_only,
        decides=token.decides,
        scopes=patterns(token),
        expires_at=token.expires_at,
        token=token.uid,
        account=getattr(token.user, "service_account", None),
    )


def use_is_stale(token: ApiToken) -> bool:
    """Whether "last used" wants a new value."""
    return token.last_used_at is None or token.last_used_at < timezone.now() - USE_NOTED_EVERY
