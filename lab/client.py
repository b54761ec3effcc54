"""A few lines of Kubernetes client: the supervisor needs no more, and so needs no library."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, Final

from lab import instance
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.instance import Instance

TIMEOUT: Final = 10.0  # seconds
_HTTP_ERRORS: Final = 400
_NOT_FOUND: Final = 404


class Client:
    """Talks with a lab's API server as its administrator."""

    def __init__(self, lab: Instance) -> None:
        """Use the administrator's certificate of ``lab``."""
        self._host = str(lab.ranges.machine)
        self._context = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))
        self._context.load_cert_chain(lab.pki / "admin.crt", lab.pki / "admin.key")

    def get(self, path: str) -> dict[str, Any] | None:
        """Give the object at ``path``, or None where there is none.

        Raises LabError on any other answer, and OSError where there is no answer.
        """
        return self._ask("GET", path, None, "")

    def apply(self, path: str, value: dict[str, Any]) -> None:
        """Make the object at ``path`` be as ``value`` says, taking over what others set."""
        where = f"{path}?fieldManager=atoll-lab&force=true"
        self._ask("PATCH", where, value, "application/apply-patch+yaml")

    def patch(self, path: str, value: list[dict[str, Any]] | dict[str, Any]) -> None:
        """Change parts of an object: a list is a JSON patch, an object a merge patch."""
        kind = "json-patch" if isinstance(value, list) else "merge-patch"
        self._ask("PATCH", path, value, f"application/{kind}+json")

    def delete(self, path: str) -> None:
        """Delete the object at ``path``, if it is there."""
        self._ask("DELETE", path, None, "")

    def is_up(self) -> bool:
        """Tell whether the API server answers and is ready."""
        try:
            self._send("GET", "/readyz", None, "")
        except (OSError, http.client.HTTPException, LabError):
            return False
        return True

    def _ask(self, method: str, path: str, value: object, kind: str) -> dict[str, Any] | None:
        try:
            answer = self._send(method, path, value, kind)
        except http.client.HTTPException as error:
            raise OSError(f"API server: {error!r}") from error
        if answer is None:
            return None
        found = json.loads(answer)
        return found if isinstance(found, dict) else {}

    def _send(self, method: str, path: str, value: object, kind: str) -> bytes | None:
        connection = http.client.HTTPSConnection(
            self._host, instance.API_PORT, timeout=TIMEOUT, context=self._context
        )
        try:
            body = None if value is None else json.dumps(value).encode()
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status == _NOT_FOUND:
            return None
        if response.status >= _HTTP_ERRORS:
            raise LabError(f"{method} {path}: {response.status}: {answer.decode(errors='replace')[:1000]}")
        return answer
