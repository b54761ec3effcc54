"""How often a token, a tenant and an address may ask: counted before a request costs a thread or a query."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import math
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from portal.quotas import KEYS_MAX, Counts, Quota, Verdict, Way
from portal.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from portal.limits import Application, Receive
    from portal.refusals import Message, Send

INSIDE: Final = "atoll.inside"
"""Where in the scope a view notes that the actor belongs to the tenant in the address."""
KNOWN: Final = "atoll.known"
"""Where in the scope a view notes that the token is good."""
REMEMBERED: Final = 300
"""Seconds for which whoever was let in counts as the tenant's."""
KNOWN_FOR: Final = 24 * 3600
"""Seconds for which a token that was good is none of those that are guessed."""
PAUSE: Final = 0.25
"""Seconds that a refusal takes: who goes on asking does so at this pace, at the expense of nobody."""
REFUSED: Final = range(400, 500)
HELD_MAX: Final = 1000
"""Refusals that wait at the same time, in one process; more are told at once."""
API: Final = "/api/"
OPEN: Final = frozenset({"/api/v1/attestation/keys", "/api/v1/openapi.json", "/api/v1/token-exchange"})
"""What answers without a token, and looks at none. A test holds it to the OpenAPI document."""
_TENANT: Final = re.compile(r"/api/v1/tenants/([^/]+)/.")
_V6_SITE: Final = 64


class RateLimit:
    """An ASGI application that answers 429 to whoever asks too often; 0 requests a minute mean no limit."""

    def __init__(
        self,
        application: Application,
        counts: Counts,
        *,
        a_token: int,
        a_tenant: int,
        an_address: int = 0,
        pause: float = PAUSE,
    ) -> None:
        self.application = application
        self._counts = counts
        self._tokens = Quota("token", a_token) if a_token else None
        self._tenants = Quota("tenant", a_tenant) if a_tenant else None
        self._guesses = Quota("address", an_address) if an_address else None
        self._inside = _Seen(REMEMBERED)
        self._known = _Seen(KNOWN_FOR)
        self._pause = pause
        self._held = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Counts, refuses or hands on."""
        token = _token(scope) if scope["type"] == "http" else ""
        if not token and not (scope["type"] == "http" and scope["path"].startswith(API)):
            await self.application(scope, receive, send)
            return
        verdicts = await self._asked(token, scope)
        headers = _headers(verdicts)
        if verdicts and verdicts[-1].refused:
            await self._hold()
            await _refuse(verdicts[-1], headers, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._learn(token, scope, message["status"])
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self.application(scope, receive, told)

    async def _asked(self, token: str, scope: dict[str, Any]) -> list[Verdict]:
        """What each quota says, until one refuses.

        A tenant's quota is for those who were seen to belong to it: no stranger can use it up, or feel it.
        """
        guess = await self._guessed_too_often(token, scope)
        if guess:
            return [guess]
        verdicts = []
        if self._tokens and token:
            verdicts.append(await self._counts.ask(self._tokens, token))
            if verdicts[-1].refused:
                return verdicts
        tenant = _tenant(scope)
        if self._tenants and (token, tenant) in self._inside:
            verdicts.append(await self._counts.ask(self._tenants, tenant))
        return verdicts

    async def _guessed_too_often(self, token: str, scope: dict[str, Any]) -> Verdict | None:
        """The refusal of a token that nobody has seen to be good, or of none, from where many such came."""
        if not self._guesses or token in self._known:
            return None
        verdict = await self._counts.ask(self._guesses, _whence(token, scope), Way.LOOK)
        good = verdict.refused and token and await self._counts.remembers(_good(token))
        return verdict if verdict.refused and not good else None

    async def _hold(self) -> None:
        """Lets a refusal wait. ``Retry-After`` is a second at least, so nobody who heeds it comes later for that."""
        if self._held < HELD_MAX:
            self._held += 1
            try:
                await asyncio.sleep(self._pause)
            finally:
                self._held -= 1

    async def _learn(self, token: str, scope: dict[str, Any], status: int) -> None:
        if scope.get(INSIDE):
            self._inside.add((token, _tenant(scope)))
        if scope.get(KNOWN):
            if token not in self._known:
                self._known.add(token)
                await self._counts.remember(_good(token), KNOWN_FOR)
        elif self._guesses and (
            status == HTTPStatus.UNAUTHORIZED or (status in REFUSED and token not in self._known)
        ):
            if token in self._known:
                self._known.discard(token)
                await self._counts.remember(_good(token), 0)
            await self._counts.ask(self._guesses, _whence(token, scope), Way.CHARGE)


class _Seen:
    """What this process saw within so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[Hashable, float] = {}

    def __contains__(self, key: Hashable) -> bool:
        return self._until.get(key, 0) > time.monotonic()

    def add(self, key: Hashable) -> None:
        now = time.monotonic()
        if len(self._until) >= KEYS_MAX:
            self._until = {old: until for old, until in self._until.items() if until > now}
        self._until[key] = now + self._seconds

    def discard(self, key: Hashable) -> None:
        self._until.pop(key, None)


def _good(token: str) -> str:
    return f"good:{token}"


def _is_open(scope: dict[str, Any]) -> bool:
    return scope["path"].rstrip("/") in OPEN


def _token(scope: dict[str, Any]) -> str:
    """What identifies the token of a request, known or not; empty where there is none, and where none is looked at."""
    if _is_open(scope):
        return ""
    sent: bytes = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")[2].strip()
    return hashlib.sha256(sent).hexdigest() if sent else ""


def _tenant(scope: dict[str, Any]) -> str:
    found = _TENANT.match(scope["path"])
    return found[1] if found else ""


def _whence(token: str, scope: dict[str, Any]) -> str:
    """Whom a refused request is charged to: where it comes from.

    No token, and each address that is open to all, are counted by themselves: who asks so must not
    keep out a token that is good and was not seen yet.
    """
    if _is_open(scope):
        return f"{_address(scope)} {scope['path'].rstrip('/')}"
    return _address(scope) if token else f"{_address(scope)} without"


def _address(scope: dict[str, Any]) -> str:
    """Where it comes from; of IPv6 the network, for whoever has one address there has all of them."""
    text = str((scope.get("client") or ("",))[0])
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return hashlib.sha256(text.encode()).hexdigest()
    if found.version == 4:  # noqa: PLR2004 - IPv4
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found.packed, _V6_SITE), strict=False))


def _headers(verdicts: list[Verdict]) -> list[tuple[bytes, bytes]]:
    """As draft-ietf-httpapi-ratelimit-headers names them."""
    if not verdicts:
        return []
    return [
        (b"ratelimit-policy", ", ".join(verdict.quota.policy for verdict in verdicts).encode()),
        (b"ratelimit", ", ".join(verdict.item for verdict in verdicts).encode()),
    ]


def _words(quota: Quota, seconds: int) -> str:
    if quota.name == "address":
        return (
            f"more than {quota.a_minute} requests a minute from your address had no good token: check yours, "
            f"and try again in {seconds} s"
        )
    return f"more than {quota.a_minute} requests a minute for this {quota.name}: go on in {seconds} s"


async def _refuse(verdict: Verdict, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    seconds = math.ceil(verdict.wait)
    told = [(b"retry-after", str(seconds).encode()), *headers]
    status, words = HTTPStatus.TOO_MANY_REQUESTS, _words(verdict.quota, seconds)
    await refuse(send, status, "too-many-requests", words, told)
