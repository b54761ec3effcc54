"""One request as often as it takes: timeouts, retries with backoff, answers and problems read."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx

from atoll_client.errors import Unreachable, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
"""An object of the API as JSON has it."""
CONNECT_SECONDS: Final = 5.0
FIRST_PAUSE: Final = 0.25
"""Seconds; each further pause is twice as long, up to the longest, and a part of it at random."""
LONGEST_PAUSE: Final = 8.0
_LATER: Final = frozenset({429, 502, 503, 504})
_RUNNING: Final = "idempotency-key-in-use"
_NOT_READY: Final = "not-ready"
"""A 503 that is the answer to a question, not a refusal of it."""
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """JSON, read; None where there was none."""
    text: str
    resent: bool = False
    """An earlier sending of the same request broke off, and may have had its effect."""

    @property
    def object(self) -> Object:
        """The body of an answer that is an object."""
        return dict(self.body)

    @property
    def etag(self) -> str:
        """Of the spec alone; empty where the resource has none."""
        return self.headers.get("ETag", "")

    @property
    def replayed(self) -> bool:
        """The answer to an earlier sending: what is shown once is not in it."""
        return self.headers.get("Idempotency-Replayed") == "true"

    @property
    def retry_after(self) -> float | None:
        """Seconds until a look is worth it."""
        return seconds(self.headers.get("Retry-After"))


@dataclass(frozen=True)
class Sending:
    """How requests are sent."""

    http: httpx.Client

    def send(self, request: httpx.Request, *, again: bool, patience: float) -> Answer:
        """The answer; raises ``Problem`` for a refusal and ``Unreachable`` for none.

        With ``again`` it is sent anew for ``patience`` seconds, where the
        connection breaks or the answer is "later": it must be safe to send twice.
        """
        until, pause, broken = time.monotonic() + patience, FIRST_PAUSE, False
        while True:
            answer, fault = self._once(request, resent=broken)
            if answer is not None and not _later(answer):
                return _good(answer)
            asked = answer.retry_after if answer else None
            rest = max(asked or 0.0, pause * random.uniform(0.5, 1))  # noqa: S311 - only spreads the load
            harmless = again or isinstance(fault, _NOT_SENT)
            if not harmless or _in_vain(fault) or time.monotonic() + rest > until:
                if answer is not None:
                    return _good(answer)
                raise unreachable(request, fault) from fault
            broken = broken or (fault is not None and not isinstance(fault, _NOT_SENT))
            pause = min(pause * 2, LONGEST_PAUSE)
            time.sleep(rest)

    def _once(
        self, request: httpx.Request, *, resent: bool
    ) -> tuple[Answer | None, httpx.RequestError | None]:
        try:
            return _read(self.http.send(request), resent=resent), None
        except httpx.RequestError as error:
            return None, error


def seconds(header: str | None) -> float | None:
    """``Retry-After`` in seconds, given so or as a date; None for what cannot be read."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _read(response: httpx.Response, *, resent: bool) -> Answer:
    body = None
    if "json" in response.headers.get("Content-Type", "").partition(";")[0]:
        try:
            body = json.loads(response.content)
        except ValueError:
            body = None
    return Answer(response.status_code, response.headers, body, response.text, resent)


def _later(answer: Answer) -> bool:
    code = answer.body.get("code") if isinstance(answer.body, dict) else None
    return code == _RUNNING or (answer.status in _LATER and code != _NOT_READY)


def _good(answer: Answer) -> Answer:
    if httpx.codes.is_success(answer.status):
        return answer
    document = answer.body if isinstance(answer.body, dict) else _foreign(answer)
    refused = problem(answer.status, document, answer.retry_after)
    refused.resent = answer.resent
    raise refused


def _foreign(answer: Answer) -> Object:
    """Not Atoll's words: a proxy's, or another server's."""
    detail = f"HTTP status {answer.status} without a problem document: is this address Atoll's, or is a proxy between?"
    return {"code": "not-atoll", "detail": detail}


def _in_vain(fault: httpx.RequestError | None) -> bool:
    """A certificate that is not trusted now will not be in a second."""
    return fault is not None and "CERTIFICATE_VERIFY_FAILED" in str(fault)


def answered(response: httpx.Response) -> Answer:
    """What came back; raises ``Problem`` for a refusal."""
    return _good(_read(response, resent=False))


def unreachable(request: httpx.Request, fault: httpx.RequestError | None) -> Unreachable:
    """Says who did not answer, and why."""
    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    why = "no answer in time" if isinstance(fault, httpx.TimeoutException) else str(fault) or repr(fault)
    return Unreachable(f"{where} does not answer ({why}): see that it runs and that this is its address")
