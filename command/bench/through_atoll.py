"""Create → Ready as a team sees it: PUT, then a look every half second."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from command.terminal import CommandError

if TYPE_CHECKING:
    from command.home import Home

LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 600
TENANT: Final = "demo"


@dataclass(frozen=True)
class Atoll:
    """The running portal, as member of the tenant ``demo``."""

    http: httpx.Client

    def create(self, name: str) -> float:
        """Seconds from the PUT to Ready, default settings."""
        began = time.monotonic()
        self._expect(self.http.put(self._path(name), json={"spec": {}}), httpx.codes.CREATED)
        while self._ready(name) is False:
            self._patience(began, f"{name} is not Ready")
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def delete(self, name: str) -> None:
        """Returns once nothing of it is left."""
        began = time.monotonic()
        self.http.delete(self._path(name))
        while self.http.get(self._path(name)).status_code != httpx.codes.NOT_FOUND:
            self._patience(began, f"{name} is not gone")
            time.sleep(LOOK_SECONDS)

    def uid(self, name: str) -> str:
        """Its identity, which is in the name of its namespace."""
        return str(self.http.get(self._path(name)).json()["metadata"]["uid"])

    def _ready(self, name: str) -> bool:
        answer = self.http.get(self._path(name) + "/ready")
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return False
        self._expect(answer, httpx.codes.OK)
        return True

    def _path(self, name: str) -> str:
        return f"/api/v1/tenants/{TENANT}/clusters/{name}"

    @staticmethod
    def _expect(answer: httpx.Response, status: int) -> None:
        if answer.status_code != status:
            raise CommandError(
                f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
            )

    @staticmethod
    def _patience(began: float, what: str) -> None:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise CommandError(f"{what} after {PATIENCE_SECONDS} s; ./atoll logs worker tells more")


def connect(home: Home, url: str) -> Atoll:
    """Raises CommandError where there is no demo tenant."""
    token = home.token(TENANT)
    if not token.exists():
        raise CommandError(f"{token} is missing: start ./atoll up without --no-demo")
    headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
    return Atoll(httpx.Client(base_url=url, headers=headers, timeout=30))
