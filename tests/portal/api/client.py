"""A client of the API as scripts use it: JSON in, JSON out, a bearer token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.test import Client

from tests import factories

if TYPE_CHECKING:
    from tenancy.policy import Actor

ROOT = "/api/v1"


class Api:
    """Speaks for ``actor``; for nobody without one."""

    def __init__(self, actor: Actor | None = None, **token: Any) -> None:
        self.token = factories.token(actor, **token) if actor else ""
        self._client = Client(raise_request_exception=True)

    def send(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: Any):
        """``If_Match="…"`` becomes the header ``If-Match``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        kind = sent.pop("Content-Type", "application/json" if content else "")
        path = path if path.startswith(("/api", "/livez", "/readyz", "/metrics")) else ROOT + path
        return self._client.generic(method, path, content, content_type=kind, headers=sent)

    def get(self, path: str, **headers: Any):
        return self.send("GET", path, **headers)

    def put(self, path: str, body: Any, **headers: Any):
        return self.send("PUT", path, body, **headers)

    def post(self, path: str, body: Any = None, **headers: Any):
        return self.send("POST", path, body, **headers)

    def delete(self, path: str, **headers: Any):
        return self.send("DELETE", path, **headers)


def assert_problem(response, status: int, code: str) -> dict[str, Any]:
    """The body of a problem with this status and code; its members agree with each other."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    assert body["type"] == f"urn:atoll:problem:{code}"
    assert body["title"]
    assert body["detail"]
    if code == "invalid":
        assert body["errors"], body
    assert all(fault["path"] and fault["code"] and fault["detail"] for fault in body.get("errors", ())), body
    return body
