"""A CI system that signs who its jobs are, as GitHub Actions does for `permissions: id-token: write`."""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.oidc_provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_TOKEN = "the-runner-s-own"
REPOSITORY = "acme/shop"


class JobProvider(Provider):
    """Gives a job its signed token at ``/job``, for the audience it names."""

    @property
    def environment(self) -> dict[str, str]:
        """What the runner gives the steps of a job."""
        address = f"{self.issuer}/job?api-version=2.0"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": address, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN}

    def answer(self, method: str, url: str, body: str, authorization: str) -> tuple[int, Any]:
        parts = urlsplit(url)
        if parts.path != "/job":
            return super().answer(method, url, body, authorization)
        if authorization != f"Bearer {REQUEST_TOKEN}":
            return 401, {}
        [audience] = parse_qs(parts.query)["audience"]
        said = {"sub": f"repo:{REPOSITORY}:pull_request", "repository": REPOSITORY}
        claims = self.claims(aud=audience, jti=secrets.token_hex(8), event_name="pull_request", **said)
        return 200, {"value": self.key.sign(claims)}


@contextmanager
def signed() -> Iterator[JobProvider]:
    provider = JobProvider()
    threading.Thread(target=provider.serve, daemon=True).start()
    try:
        yield provider
    finally:
        provider.close()
