"""What a provider says of itself and its keys: fetched when needed, kept for a while, asked for seldom."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from portal.identity import fetch
from portal.identity.config import fetchable
from portal.identity.fetch import Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

KEPT: Final = 600.0
"""Seconds after which keys are fetched anew: as long as a withdrawn one may still count."""
STALE: Final = 6 * 3600.0
"""Seconds for which old keys still serve while the provider does not answer."""
PAUSE: Final = 30.0
"""Seconds between two fetches at the least, also when tokens name keys that nobody knows."""
WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Provider:
    """An OpenID provider or CI system as it describes itself."""

    issuer: str
    authorization: str
    token: str
    userinfo: str
    keys_at: str
    basic: bool
    """Whether it takes the client's secret in the header; else in the form."""
    keys: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """``kid`` → JWK; ``""`` → the key, where there is only one and it has no name."""


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    found: Provider | None = None
    fetched: float = float("-inf")
    tried: float = float("-inf")


_entries: Final[dict[str, _Entry]] = {}
# Only issuers of the settings come here, so it does not grow.


def provider(issuer: str, *, loopback: bool, kid: str | None = None) -> Provider:
    """The provider, with keys that are recent; looks anew for a ``kid`` that it does not have.

    Raises ``Unreachable`` when nothing usable is known.
    """
    entry = _entries.setdefault(issuer, _Entry())
    with entry.lock:
        now = time.monotonic()
        wanted = entry.found is None or now - entry.fetched > KEPT
        unknown = kid is not None and entry.found is not None and kid not in entry.found.keys
        if (wanted or unknown) and now - entry.tried > PAUSE:
            _renew(entry, issuer, now, loopback=loopback)
        if entry.found is None or now - entry.fetched > STALE:
            raise Unreachable(f"{issuer} does not answer as an OpenID provider does")
        return entry.found


def forget() -> None:
    """As after a start."""
    _entries.clear()


def _renew(entry: _Entry, issuer: str, now: float, *, loopback: bool) -> None:
    entry.tried = now
    try:
        entry.found = _fetched(issuer, loopback=loopback)
    except Unreachable as error:
        log.warning("identity provider: %s", error)
    else:
        entry.fetched = now


def _fetched(issuer: str, *, loopback: bool) -> Provider:
    told = fetch.get(issuer.rstrip("/") + WELL_KNOWN)
    if told.get("issuer") != issuer:
        raise Unreachable(
            f"{issuer} calls itself {told.get('issuer')!r}: write it in the settings as it does"
        )
    places = {
        name: _place(told, name, loopback=loopback)
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    }
    if not places["jwks_uri"]:
        raise Unreachable(f"{issuer} names no usable jwks_uri")
    methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer,
        authorization=places["authorization_endpoint"],
        token=places["token_endpoint"],
        userinfo=places["userinfo_endpoint"],
        keys_at=places["jwks_uri"],
        basic="client_secret_basic" in methods,
        keys=_keys(fetch.get(places["jwks_uri"])),
    )


def _place(told: Mapping[str, Any], name: str, *, loopback: bool) -> str:
    """An address that may be fetched, or nothing."""
    url = told.get(name)
    try:
        return url if isinstance(url, str) and fetchable(url, loopback=loopback) else ""
    except ValueError:
        return ""


def _keys(told: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Keys for signatures; a symmetric one published for all to see is none."""
    rows = told.get("keys")
    good = [
        row
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and row.get("kty") in {"RSA", "EC", "OKP"} and row.get("use", "sig") == "sig"
    ]
    found: dict[str, Mapping[str, Any]] = {row["kid"]: row for row in good if isinstance(row.get("kid"), str)}
    return found | ({"": good[0]} if len(good) == 1 and "kid" not in good[0] else {})
