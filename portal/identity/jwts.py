"""Signed tokens of providers: read only once signature, issuer, audience and times hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jwt

from portal.identity.providers import provider

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Asymmetric ones only: ``none`` proves nothing, and HS256 would take a published key for a secret."""
SKEW: Final = 60
"""Seconds by which clocks may differ."""
LONGEST: Final = 16 * 1024
_NEEDED: Final = ["iss", "sub", "aud", "exp", "iat"]
_WORDS: Final[Mapping[type[Exception], str]] = {
    jwt.ExpiredSignatureError: "it has expired: get a new one",
    jwt.ImmatureSignatureError: "it is not valid yet: compare the clocks of the two sides",
    jwt.InvalidAudienceError: "it was made for somebody else (aud)",
    jwt.InvalidSignatureError: "its signature does not hold",
}

_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)
"""What reading strangers' text ends with: its faults, and those of keys that cannot be used."""
SUBJECT_MAX: Final = 255


class Refused(Exception):
    """The token proves nothing; the words say why."""


def issuer_of(raw: str) -> str:
    """Who the token claims to be from, to be compared with who is allowed; nothing else is believed yet."""
    _header(raw)
    try:
        claims = jwt.decode(raw, options={"verify_signature": False})
    except _BROKEN as error:
        raise Refused("it is no signed token (JWT)") from error
    issuer = claims.get("iss")
    return issuer if isinstance(issuer, str) else ""


def verified(raw: str, *, issuer: str, audience: str | None, loopback: bool) -> dict[str, Any]:
    """The claims; raises ``Refused``, or ``Unreachable`` when the provider's keys cannot be had.

    Without an ``audience`` that claim is the caller's to check.
    """
    header = _header(raw)
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if algorithm not in ALGORITHMS:
        raise Refused(
            f"its algorithm {algorithm!r} is not taken: sign with one of {', '.join(sorted(ALGORITHMS))}"
        )
    if "crit" in header:
        raise Refused("it asks for extensions (crit) that are not known here")
    found = provider(issuer, loopback=loopback, kid=kid).keys.get(kid)
    if found is None:
        raise Refused("it names a key (kid) that its issuer does not publish")
    if found.get("alg", algorithm) != algorithm:
        raise Refused("its key is for another algorithm")
    claims = _decoded(raw, found, algorithm, issuer, audience)
    subject = claims["sub"]
    if not subject or len(subject) > SUBJECT_MAX or not subject.isprintable():
        raise Refused(f"its subject (sub) is no text of at most {SUBJECT_MAX} characters")
    return claims


def _decoded(
    raw: str, key: Mapping[str, Any], algorithm: str, issuer: str, audience: str | None
) -> dict[str, Any]:
    try:
        return jwt.decode(
            raw,
            jwt.PyJWK(dict(key), algorithm=algorithm),
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            leeway=SKEW,
            options={
                "require": _NEEDED,
                "verify_aud": audience is not None,
                "enforce_minimum_key_length": True,
            },
        )
    except _BROKEN as error:
        raise Refused(_WORDS.get(type(error), f"it does not hold: {error}")) from error


def _header(raw: str) -> dict[str, Any]:
    if len(raw) > LONGEST:
        raise Refused(f"it is longer than {LONGEST} characters")
    try:
        header: dict[str, Any] = jwt.get_unverified_header(raw)
    except _BROKEN as error:
        raise Refused("it is no signed token (JWT)") from error
    if not isinstance(header.get("kid", ""), str):
        raise Refused("its key's name (kid) is no text")
    return header
