"""Sign-in by OpenID Connect: authorization code, PKCE, nonce and state, all bound to the browser's session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.http import urlencode

from portal.identity import fetch, jwts, providers
from portal.identity.fetch import Unreachable
from portal.identity.jwts import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.contrib.sessions.backends.base import SessionBase

    from portal.identity.config import Oidc
    from portal.identity.providers import Provider

log = logging.getLogger(__name__)

CALLBACK: Final = "/sign-in/oidc/callback"
PATIENCE: Final = 600
"""Seconds that somebody may take at the provider."""
_KEY: Final = "oidc"
_MOST: Final = 3
"""Sign-ins begun at once in one browser; the oldest is forgotten first."""


class SignInFailed(Exception):
    """Nobody is signed in; the words, for the person, say what to do."""


@dataclass(frozen=True)
class Begun:
    """What must come back with the person."""

    nonce: str
    verifier: str
    then: str
    """Where they wanted to go."""
    step_up: str
    """The form that waits for them (``portal.web.step_up``); empty for a sign-in."""
    at: float


@dataclass(frozen=True)
class Proven:
    """Who the provider says they are."""

    issuer: str
    subject: str
    username: str
    groups: frozenset[str]
    authenticated_at: datetime | None
    """When they last showed it to the provider; ``None`` where it does not tell."""
    begun: Begun


def begin(session: SessionBase, *, then: str, step_up: str = "", max_age: int | None = None) -> str:
    """The provider's address to send the person to; raises ``SignInFailed``."""
    oidc, found = _provider()
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    begun = Begun(secrets.token_urlsafe(24), verifier, then, step_up, time.time())
    kept = {**session.get(_KEY, {}), state: list(vars(begun).values())}
    session[_KEY] = dict(list(kept.items())[-_MOST:])
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query: dict[str, str | int] = {
        "response_type": "code",
        "client_id": oidc.client_id,
        "redirect_uri": settings.PUBLIC_URL + CALLBACK,
        "scope": oidc.scopes,
        "state": state,
        "nonce": begun.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **({"max_age": max_age} if max_age is not None else {}),
    }
    joint = "&" if "?" in found.authorization else "?"
    return f"{found.authorization}{joint}{urlencode(query)}"


def finish(session: SessionBase, answer: Mapping[str, str]) -> Proven:
    """Who came back; raises ``SignInFailed``. Each ``state`` works once, in the session it was made for."""
    begun = _begun(session, answer.get("state", ""))
    oidc, found = _provider()
    if answer.get("iss", oidc.issuer) != oidc.issuer:
        raise SignInFailed(
            "The answer came from another provider than the one that was asked. Sign in again."
        )
    if "error" in answer:
        log.warning("%s refused a sign-in: %r", oidc.issuer, answer["error"][:80])
        raise SignInFailed(
            f"{oidc.name} did not sign you in. Try again, or ask its admins whether you may use Atoll."
        )
    try:
        claims = _claims(oidc, found, begun, answer.get("code", ""))
    except Refused as error:
        log.warning("an ID token of %s was refused: %s", oidc.issuer, error)
        raise SignInFailed(
            f"What {oidc.name} answered was refused: {error}. Sign in again; tell an admin if it stays."
        ) from error
    except Unreachable as error:
        raise _away(oidc, error) from error
    return Proven(
        oidc.issuer,
        claims["sub"],
        _text(claims.get(oidc.username_claim)),
        _groups(claims.get(oidc.groups_claim)),
        _moment(claims.get("auth_time")),
        begun,
    )


def _provider() -> tuple[Oidc, Provider]:
    oidc: Oidc | None = settings.ATOLL_OIDC
    if oidc is None:
        raise SignInFailed("Sign-in by another provider is not set up here. Use your user name and password.")
    try:
        found = providers.provider(oidc.issuer, loopback=oidc.loopback)
    except Unreachable as error:
        raise _away(oidc, error) from error
    if not found.authorization or not found.token:
        raise _away(oidc, Unreachable(f"{oidc.issuer} names no usable endpoints"))
    return oidc, found


def _away(oidc: Oidc, error: Unreachable) -> SignInFailed:
    log.warning("sign-in by %s is not possible: %s", oidc.issuer, error)
    return SignInFailed(f"{oidc.name} does not answer. Try again in a minute; tell an admin if it stays.")


def _begun(session: SessionBase, state: str) -> Begun:
    kept = dict(session.get(_KEY, {}))
    found = kept.pop(state, None)
    session[_KEY] = kept
    begun = Begun(*found) if found else None
    if begun is None or time.time() - begun.at > PATIENCE:
        raise SignInFailed(
            "This sign-in was not begun in this browser, or too long ago. Sign in again from here."
        )
    return begun


def _claims(oidc: Oidc, found: Provider, begun: Begun, code: str) -> dict[str, Any]:
    """Of the ID token, and of the userinfo endpoint what that lacks."""
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.PUBLIC_URL + CALLBACK,
        "code_verifier": begun.verifier,
        "client_id": oidc.client_id,
    }
    basic = (_quoted(oidc.client_id), _quoted(oidc.client_secret)) if found.basic else None
    if basic is None:
        fields["client_secret"] = oidc.client_secret
    status, told = fetch.post(found.token, fields, basic=basic)
    raw = told.get("id_token")
    if status != 200 or not isinstance(raw, str):  # noqa: PLR2004
        raise Refused(f"it gave no token ({status}, {_text(told.get('error')) or 'no error named'})")
    claims = jwts.verified(raw, issuer=oidc.issuer, audience=oidc.client_id, loopback=oidc.loopback)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), begun.nonce.encode()):
        raise Refused("it was made for another sign-in (nonce)")
    if claims.get("azp", oidc.client_id) != oidc.client_id:
        raise Refused("it was made for another client (azp)")
    return _completed(oidc, found, claims, told.get("access_token"))


def _completed(oidc: Oidc, found: Provider, claims: dict[str, Any], access: object) -> dict[str, Any]:
    if {oidc.username_claim, oidc.groups_claim} <= claims.keys() or not found.userinfo:
        return claims
    if not isinstance(access, str):
        return claims
    more = fetch.get(found.userinfo, token=access)
    if more.get("sub") != claims["sub"]:
        raise Refused("its userinfo speaks of somebody else (sub)")
    return {**more, **claims}


def _quoted(text: str) -> str:
    """RFC 6749, 2.3.1: both halves are form-encoded before they are joined."""
    return urlencode({"": text})[1:]


def _text(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""


def _groups(value: object) -> frozenset[str]:
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(word for word in words if isinstance(word, str))


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A provider's clock may be ahead; nobody has shown anything in the future.
    return datetime.fromtimestamp(min(max(value, 0), time.time()), UTC)
