"""Who asks: a bearer token, and nothing else (no cookies, so no CSRF)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from portal.rates import KNOWN
from tenancy.actions.tokens import note_use
from tenancy.queries import tokens

if TYPE_CHECKING:
    from rest_framework.request import Request

    from tenancy.models import User
    from tenancy.policy import Actor


BEARER: Final = "bearer"


def credentials(request: Request) -> tuple[str, str]:
    """Scheme, in lower case, and text of the ``Authorization`` header; empty without one."""
    scheme, _, raw = get_authorization_header(request).decode("latin-1").partition(" ")
    return scheme.lower(), raw.strip()


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer atoll_…``; afterwards ``request.auth`` is the actor."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        """The user and actor; ``None`` without the header, an error with a wrong one."""
        scheme, raw = credentials(request)
        if not scheme:
            return None
        found = tokens.authenticate(raw) if scheme == BEARER else None
        if found is None:
            raise AuthenticationFailed(_why_not(request, raw))
        token, actor = found
        tell_good(request)
        note_use(token)
        return actor.user, actor

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        """What a 401 says of the way in."""
        return 'Bearer realm="atoll"'


def _why_not(request: Request, raw: str) -> str:
    if not tokens.has_lapsed(raw):
        return "this token is unknown, expired or revoked: create a new one"
    tell_good(request)  # no guess, and no new token is needed
    days = settings.ATOLL_OIDC_TOKEN_DAYS
    return (
        f"its owner has not signed in at {settings.PUBLIC_URL} for {days} days: "
        "sign in there once, and this token is good again"
    )


def tell_good(request: Request) -> None:
    """Who guesses is slowed down, who knows is not: see ``portal.rates``."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        scope[KNOWN] = True
