"""HTTP to identity providers: short, bounded, without redirects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = httpx.Timeout(5.0)
"""Seconds for each of connecting, sending and reading."""
LARGEST: Final = 512 * 1024
"""Bytes of an answer; key sets of large providers have a few thousand."""


class Unreachable(Exception):
    """The provider gave no usable answer: worth another try later."""


def get(url: str, *, token: str = "") -> dict[str, Any]:
    """The JSON object at ``url``; raises ``Unreachable``."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    status, found = _send(httpx.Request("GET", url, headers={"Accept": "application/json", **headers}))
    if status != httpx.codes.OK:
        raise Unreachable(f"{url} answered {status}")
    return found


def post(url: str, fields: Mapping[str, str], *, basic: tuple[str, str] | None) -> tuple[int, dict[str, Any]]:
    """Sends a form; the status and the JSON object of the answer; raises ``Unreachable``."""
    request = httpx.Request("POST", url, data=dict(fields), headers={"Accept": "application/json"})
    if basic:
        request = next(httpx.BasicAuth(*basic).auth_flow(request))
    return _send(request)


def _send(request: httpx.Request) -> tuple[int, dict[str, Any]]:
    try:
        # trust_env stays on: a platform's proxy settings are how it reaches other networks.
        with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client:
            response = client.send(request, stream=True)
            try:
                body = _bounded(response)
            finally:
                response.close()
        found = json.loads(body)
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise Unreachable(f"{request.url} gave no usable answer: {error}") from error
    if not isinstance(found, dict):
        raise Unreachable(f"{request.url} answered something else than a JSON object")
    return response.status_code, found


def _bounded(response: httpx.Response) -> bytes:
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > LARGEST:
            raise Unreachable(f"{response.url} answers more than {LARGEST} bytes")
    return body
