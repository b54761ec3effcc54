"""HTTP to one API server: one kept connection, bounded in time and size, no redirects, no retries.

A tenant's API server may be hostile: it may redirect, never end, or send a byte a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import urllib3
from kubernetes.client import ApiException, Configuration
from kubernetes.client.rest import RESTClientObject

from provisioner.ports import Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.adapters.kubeconfig import Credentials
    from tenancy.enums import Reason

_CHUNK: Final = 64 * 1024
_NEVER: Final = urllib3.Retry(
    total=None,
    connect=0,
    read=0,
    redirect=0,
    status=0,
    other=0,
    raise_on_redirect=False,
    raise_on_status=False,
)


@dataclass(frozen=True)
class Peer:
    """Whom we speak with, and how far we trust it to behave."""

    name: str
    """For messages: "host 'lab'"."""
    reason: Reason
    """Of the condition when it does not answer."""
    advice: str
    """What to do when it does not answer."""
    rights: str = "an admin installs helm/host anew and renews the credential"
    """What to do when it refuses us."""
    connect: float = 3.0
    read: float = 30.0
    """Seconds between two bytes."""
    total: float = 40.0
    """Seconds for one request."""
    cap: int = 64 * 1024**2
    """Bytes of one answer."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - as JSON is
        """The body as JSON; ``ValueError`` when it is not."""
        return json.loads(self.body)


class Transport:
    """Not for several threads at once; made after fork, closed when its host is forgotten."""

    def __init__(self, peer: Peer, credentials: Credentials) -> None:
        self.peer = peer
        self._credentials = credentials
        self._pair = _memory_file(credentials.certificate + b"\n" + credentials.key)
        self._open: WeakSet[urllib3.connection.HTTPSConnection] = WeakSet()
        self._rest = RESTClientObject(self._configuration())
        self._rest.pool_manager.pool_classes_by_scheme = {"https": _pool_class(self._open)}

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        """One request; raises ``Unreachable`` when no whole answer came."""
        headers = {"Accept": accept, "User-Agent": "atoll", **self._authorization()}
        if body is not None:
            headers["Content-Type"] = kind
        patience = (self.peer.connect, self.peer.read)
        with self._bounded():
            try:
                url = self._credentials.server + path
                ask: Any = self._rest.request
                raw = ask(method, url, headers, body, _request_timeout=patience).response
                return Answer(raw.status, self._whole(raw))
            except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
                raise self.unreachable(_why(error)) from error

    def unreachable(self, why: str) -> Unreachable:
        """That the peer does not behave as an API server."""
        return Unreachable(f"{self.peer.name} does not answer ({why}): {self.peer.advice}", self.peer.reason)

    def close(self) -> None:
        """Ends connections and drops the key from memory."""
        self._rest.close()
        if self._pair is not None:
            os.close(self._pair)
            self._pair = None

    def _configuration(self) -> Configuration:
        configuration = Configuration(host=self._credentials.server, retries=_NEVER)
        configuration.verify_ssl = True
        configuration.ca_cert_data = self._credentials.authority.decode() or None
        if self._pair is not None and self._credentials.certificate:
            configuration.cert_file = configuration.key_file = f"/proc/self/fd/{self._pair}"
        configuration.tls_server_name = self._credentials.server_name or None
        # The environment's proxy is for the outer world, not for the way to our own clusters.
        configuration.proxy = None
        return configuration

    def _authorization(self) -> dict[str, str]:
        try:
            token = self._credentials.bearer()
        except OSError as error:
            raise self.unreachable(f"its token cannot be read: {error}") from error
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _whole(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        parts, size = [], 0
        for part in raw.stream(_CHUNK, decode_content=False):
            size += len(part)
            if size > self.peer.cap:
                raw.close()
                raise self.unreachable(f"its answer is larger than {self.peer.cap} bytes")
            parts.append(part)
        return b"".join(parts)

    @contextlib.contextmanager
    def _bounded(self) -> Iterator[None]:
        """Cuts the line when the whole exchange takes too long, whatever arrives meanwhile."""
        timer = threading.Timer(self.peer.total, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        for connection in list(self._open):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)


def _pool_class(opened: WeakSet[urllib3.connection.HTTPSConnection]) -> type[urllib3.HTTPSConnectionPool]:
    """A pool whose connections are known to their transport, so that it can cut them."""

    class Connection(urllib3.connection.HTTPSConnection):
        def connect(self) -> None:
            opened.add(self)
            super().connect()

    class Pool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _memory_file(data: bytes) -> int | None:
    """A file that exists in memory only: ``ssl`` reads keys from files and nowhere else."""
    if not data.strip():
        return None
    descriptor = os.memfd_create("atoll-key", os.MFD_CLOEXEC)
    os.write(descriptor, data)
    return descriptor


def _why(error: BaseException) -> str:
    """The innermost cause in a few words."""
    reason = getattr(error, "reason", None)
    while isinstance(reason, BaseException) and reason is not error:
        error, reason = reason, getattr(reason, "reason", None)
    words = " ".join(str(error).split()) or type(error).__name__
    return words.rpartition(": ")[2][:200] if "Failed to establish" in words else words[:200]
