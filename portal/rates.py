"""How often a token, and a tenant, may ask: counted here, before a request costs a thread or a query.

Each process of the portal counts for itself: nothing is shared, and nothing is written anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from portal.limits import Application, Message, Receive, Send

INSIDE: Final = "atoll.inside"
"""Where in the scope a view notes that the actor belongs to the tenant in the address."""
REMEMBERED: Final = 300.0
"""Seconds for which whoever was let in counts as the tenant's."""
KEYS_MAX: Final = 50_000
_TENANT: Final = re.compile(r"/api/v1/tenants/([^/]+)/.")


@dataclass(frozen=True)
class Quota:
    """So many requests a minute; a fifth of them may come at once."""

    name: str
    a_minute: int

    @property
    def burst(self) -> int:
        """Requests that may come in one moment."""
        return max(1, self.a_minute // 5)

    @property
    def interval(self) -> float:
        """Seconds in which one more is earned."""
        return 60 / self.a_minute

    @property
    def policy(self) -> str:
        """As an item of the header ``RateLimit-Policy``."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst * self.interval)}'


@dataclass(frozen=True)
class Verdict:
    """What is left of a quota after one request, or why it is refused."""

    quota: Quota
    left: int
    """Requests that may still come at once; -1 says that this one is refused."""
    wait: float
    """Seconds until the next may come, for one who is refused; else until all may."""

    @property
    def refused(self) -> bool:
        """Whether it must not pass."""
        return self.left < 0

    @property
    def item(self) -> str:
        """As an item of the header ``RateLimit``."""
        return f'"{self.quota.name}";r={max(0, self.left)};t={math.ceil(self.wait)}'


class Meter:
    """The quota of each key as one moment in time: when all of it will have been earned again."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> Verdict:
        """One request of ``key``; a refused one costs nothing of the quota."""
        quota = self.quota
        with self._lock:
            now = self._clock()
            full_at = max(self._full_at.get(key, now), now) + quota.interval
            over = full_at - now - quota.burst * quota.interval
            if over > quota.interval / 1000:  # not what rounding makes
                return Verdict(quota, -1, over)
            if len(self._full_at) >= KEYS_MAX:
                self._full_at = {k: at for k, at in self._full_at.items() if at > now}
            self._full_at[key] = full_at
            return Verdict(quota, round(quota.burst - (full_at - now) / quota.interval), full_at - now)


class RateLimit:
    """An ASGI application that answers 429 to whoever asks too often; 0 requests a minute mean no limit."""

    def __init__(self, application: Application, *, a_token: int, a_tenant: int) -> None:
        self.application = application
        self._tokens = Meter(Quota("token", a_token)) if a_token else None
        self._tenants = Meter(Quota("tenant", a_tenant)) if a_tenant else None
        self._inside: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Counts, refuses or hands on."""
        token = _token(scope) if scope["type"] == "http" else ""
        if not token:
            await self.application(scope, receive, send)
            return
        verdicts = list(self._asked(token, _tenant(scope)))
        refused = next((verdict for verdict in verdicts if verdict.refused), None)
        headers = _headers(verdicts)
        if refused:
            await _refuse(refused, headers, send)
            return
        await self.application(scope, receive, _with(headers, send))
        if scope.get(INSIDE):
            self._remember(token, _tenant(scope))

    def _asked(self, token: str, tenant: str) -> Iterator[Verdict]:
        """A tenant's quota is for those who were seen to belong to it: no stranger can use it up, or feel it."""
        if self._tokens:
            verdict = self._tokens.take(token)
            yield verdict
            if verdict.refused:
                return
        if self._tenants and tenant and self._inside.get((token, tenant), 0) > time.monotonic():
            yield self._tenants.take(tenant)

    def _remember(self, token: str, tenant: str) -> None:
        now = time.monotonic()
        if len(self._inside) >= KEYS_MAX:
            self._inside = {key: until for key, until in self._inside.items() if until > now}
        self._inside[token, tenant] = now + REMEMBERED


def _token(scope: dict[str, Any]) -> str:
    """What identifies the token of a request, known or not; empty where there is none."""
    sent: bytes = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")[2].strip()
    return hashlib.sha256(sent).hexdigest() if sent else ""


def _with(headers: list[tuple[bytes, bytes]], send: Send) -> Send:
    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *headers]}
        await send(message)

    return told


def _tenant(scope: dict[str, Any]) -> str:
    found = _TENANT.match(scope["path"])
    return found[1] if found else ""


def _headers(verdicts: list[Verdict]) -> list[tuple[bytes, bytes]]:
    """As draft-ietf-httpapi-ratelimit-headers names them."""
    if not verdicts:
        return []
    return [
        (b"ratelimit-policy", ", ".join(verdict.quota.policy for verdict in verdicts).encode()),
        (b"ratelimit", ", ".join(verdict.item for verdict in verdicts).encode()),
    ]


async def _refuse(verdict: Verdict, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    seconds = math.ceil(verdict.wait)
    quota = verdict.quota
    problem = {
        "type": "urn:atoll:problem:too-many-requests",
        "title": HTTPStatus.TOO_MANY_REQUESTS.phrase,
        "status": int(HTTPStatus.TOO_MANY_REQUESTS),
        "detail": f"more than {quota.a_minute} requests a minute for this {quota.name}: go on in {seconds} s",
        "code": "too-many-requests",
    }
    told = [
        (b"content-type", b"application/problem+json"),
        (b"retry-after", str(seconds).encode()),
        (b"cache-control", b"no-store"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": problem["status"], "headers": told})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
