"""uvicorn's side of a connection, with an end to its patience: ``uvicorn --http portal.server:Protocol``.

By itself it waits without end for a request to begin, and for the rest of one that has begun.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from portal.refusals import written

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle


class Protocol(H11Protocol):
    """One connection."""

    patience: ClassVar[float] = 20.0
    """Seconds for the request line and all headers; bodies are ``portal.limits``' matter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self._begun = False
        self._end: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether the rest of a request is waited for."""
        return self._end is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """The time begins."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """It begins anew with each request on the connection, and ends with the last of its headers."""
        self._begun = True
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._wait()
        else:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so in the way of all refusals."""
        self._refuse(HTTPStatus.BAD_REQUEST, "invalid", f"{msg} Send HTTP/1.1, its headers in 16 KiB at most")

    def _wait(self) -> None:
        if self._end is None:
            self._end = self.loop.call_later(self.patience, self._give_up)

    def _stop(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _give_up(self) -> None:
        """Browsers open connections before they need them: one that nothing came on is closed without a word."""
        self._end = None
        if not self._begun:
            self.transport.close()
            return
        detail = (
            f"the headers were not complete after {self.patience:.0f} s: send the request anew, in one go"
        )
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request-timeout", detail)

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        if self._silent():
            self.transport.write(written(status, code, detail))
        self.transport.close()

    def _silent(self) -> bool:
        """Whether no answer is under way."""
        current: RequestResponseCycle | None = self.cycle  # uvicorn says that there always is one
        return current is None or current.response_complete or not current.response_started
