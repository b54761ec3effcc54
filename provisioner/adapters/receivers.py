"""Sends to receivers of webhooks: to an address that was judged, within a deadline, and reads only the status.

No redirect is followed, no proxy of the environment is used, and what a receiver answers is not read.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

import httpcore

from tenancy.queries.lookup import look_up
from tenancy.rules import addresses
from tenancy.rules.addresses import Refused
from tenancy.rules.webhooks import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tenancy.rules.addresses import Address, Admitted

CONNECT: Final = 4.0
"""Seconds for each address of a name."""
DEADLINE: Final = 10.0
"""Seconds for all of it, from the name to the status."""


@cache
def _authorities() -> ssl.SSLContext:
    """The system's, read once."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class Receivers:
    """How receivers are reached."""

    admitted: Admitted
    look_up: Callable[[str], Iterable[Address]] = look_up
    tls: ssl.SSLContext = field(default_factory=_authorities)
    """Whom to trust. Reading the system's authorities takes a while, so no thread that sends does it."""
    deadline: float = DEADLINE

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What came of one attempt; never raises for what a receiver or a network does."""
        began = time.monotonic()
        try:
            status, again = self._post(url, headers, body, began + self.deadline)
        except Refused as error:
            return Answer(None, f"refused: {error}", _since(began))
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            return Answer(None, _words(error), _since(began))
        return Answer(status, "", _since(began), again)

    def _post(
        self, url: str, headers: Mapping[str, str], body: bytes, until: float
    ) -> tuple[int, float | None]:
        receiver = addresses.read(url, self.admitted)
        judged = _Judged(receiver.address, self.admitted, self.look_up, until)
        where = httpcore.URL(
            scheme=receiver.scheme.encode(),
            host=receiver.host.encode(),
            port=receiver.port,
            target=receiver.target.encode(),
        )
        sent = {"Host": receiver.authority, "Content-Length": str(len(body)), **headers}
        left = dict.fromkeys(("connect", "read", "write", "pool"), self.deadline)
        with (
            httpcore.ConnectionPool(ssl_context=self.tls, network_backend=judged) as pool,
            pool.stream(
                "POST", where, headers=list(sent.items()), content=body, extensions={"timeout": left}
            ) as got,
        ):
            return got.status, _retry_after(got.headers)


class _Judged(httpcore.NetworkBackend):
    """Connects to what a name was found to stand for, once that was judged: nothing is looked up twice."""

    def __init__(
        self,
        literal: Address | None,
        admitted: Admitted,
        look_up: Callable[[str], Iterable[Address]],
        until: float,
    ) -> None:
        self._literal = literal
        self._admitted = admitted
        self._look_up = look_up
        self._until = until
        self._system = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - ours is the whole attempt's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """To the first address that answers; all of them must be good."""
        found = self._look_up(host) if self._literal is None else (self._literal,)
        judged = addresses.judge(found, self._admitted)
        last: Exception = httpcore.ConnectTimeout("no time was left")
        for address in judged[:4]:
            try:
                stream = self._system.connect_tcp(
                    str(address), port, min(CONNECT, _left(self._until)), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _Hurried(stream, self._until)
        raise last

    def connect_unix_socket(self, *_: object, **__: object) -> httpcore.NetworkStream:
        """Nothing of this machine is a receiver."""
        raise Refused("a socket of this machine is no receiver")


class _Hurried(httpcore.NetworkStream):
    """A stream whose every step shares one deadline: a receiver that sends a byte a second gains nothing."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline's
        """As the inner stream."""
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """As the inner stream."""
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        """As the inner stream."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """For the name in the URL, whatever address it is at."""
        inner = self._stream.start_tls(ssl_context, server_hostname, _left(self._until))
        return _Hurried(inner, self._until)

    def get_extra_info(self, info: str) -> object:
        """As the inner stream."""
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("no time was left")
    return left


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Seconds, where the receiver names them; a date is not worth its trouble."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            with suppress(ValueError):
                return float(value)
    return None


def _words(error: Exception) -> str:
    """For people, and of a closed set: nothing of what a receiver sent."""
    kinds: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (httpcore.ConnectTimeout, "it did not take the connection in time"),
        (httpcore.TimeoutException, "it did not answer in time"),
        (httpcore.ProtocolError, "it does not speak HTTP"),
    )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not one that this Atoll trusts for that name"
    if "SSL" in str(error):
        return "no TLS connection came about"
    return next((words for kind, words in kinds if isinstance(error, kind)), "it could not be connected to")
