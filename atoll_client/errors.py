"""What can go wrong, as exceptions; the message of each says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class AtollError(Exception):
    """Every error of this package."""


class Misconfigured(AtollError):
    """What this side was given cannot be used: a setting, a file, an option."""


class Unreachable(AtollError):
    """No answer: refused, cut, or not in time."""


class TimedOut(AtollError):
    """A wait ended before what was waited for came; that goes on all the same."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field, and what to do about it."""

    path: str
    """As in ``spec.resources.cpu``, ``query.limit`` or ``header.If-Match``."""
    code: str
    detail: str


class Problem(AtollError):
    """Atoll refused, with a problem after RFC 9457; ``code`` is stable, ``detail`` is for people."""

    def __init__(self, status: int, document: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(document.get("code", "unknown"))
        self.detail = str(document.get("detail") or document.get("title") or f"HTTP status {status}")
        self.errors = tuple(_fault(one) for one in document.get("errors") or ())
        self.phase: str | None = document.get("phase")
        """Of a cluster that is not ready."""
        self.request_id: str | None = document.get("requestId")
        self.retry_after = retry_after
        """Seconds after which it may be tried again; None where nothing was said."""
        self.resent = False
        """An earlier sending of the request broke off, and may have had its effect."""
        super().__init__(self.detail)


class NotSignedIn(Problem):
    """The token is missing, unknown, expired or revoked (401)."""


class NotAllowed(Problem):
    """Your role or token does not reach as far (403)."""


class NotFound(Problem):
    """It does not exist, or not for you (404)."""


class Conflict(Problem):
    """The object is in a state in which this cannot be done, or is another than you read (409, 412)."""


class WillNotBeReady(Conflict):
    """Waiting is in vain: the cluster failed, sleeps or is being deleted."""


class Unavailable(Problem):
    """Not now: too many requests, or something that Atoll stands on is away (429, 503)."""


_BY_STATUS: dict[int, type[Problem]] = {
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def problem(status: int, document: Mapping[str, Any], retry_after: float | None = None) -> Problem:
    """The exception that fits an answer."""
    kind = _BY_STATUS.get(status, Problem)
    if document.get("code") == "will-not-be-ready":
        kind = WillNotBeReady
    return kind(status, document, retry_after)


def _fault(found: Mapping[str, Any]) -> Fault:
    return Fault(str(found.get("path", "")), str(found.get("code", "")), str(found.get("detail", "")))
