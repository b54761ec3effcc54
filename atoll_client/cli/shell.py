"""What every command stands on: whom it speaks with, and how it ends. No trace ever reaches a person."""

from __future__ import annotations

import enum
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import typer

from atoll_client import contexts
from atoll_client.atoll import Atoll
from atoll_client.cli.output import clean
from atoll_client.errors import (
    AtollError,
    Conflict,
    Misconfigured,
    NotFound,
    NotSignedIn,
    Problem,
    TimedOut,
    Unavailable,
    Unreachable,
)
from atoll_client.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from atoll_client.contexts import Context

PATIENCE: Final = 15.0
"""Seconds: somebody sits before it."""
DEBUG: Final = "ATOLL_DEBUG"


class Status(enum.IntEnum):
    """How the command ends; scripts rely on it."""

    OK = 0
    REFUSED = 1
    """Atoll said no: the request is wrong, or not allowed."""
    USAGE = 2
    """The command line, a file or a setting cannot be used; nothing was sent."""
    NOT_FOUND = 3
    CONFLICT = 4
    """The object's state forbids it, a precondition does not hold, or waiting is in vain."""
    UNAVAILABLE = 5
    """No answer, not now, or a wait that ended too early: the same again may do."""
    NOT_SIGNED_IN = 6
    INTERRUPTED = 130


_STATUSES: Final[tuple[tuple[type[AtollError], Status], ...]] = (
    (Misconfigured, Status.USAGE),
    (NotFound, Status.NOT_FOUND),
    (Conflict, Status.CONFLICT),
    (NotSignedIn, Status.NOT_SIGNED_IN),
    (Unavailable, Status.UNAVAILABLE),
    (Unreachable, Status.UNAVAILABLE),
    (TimedOut, Status.UNAVAILABLE),
)
_NEXT: Final = {
    401: "sign in again: atoll login {url}",
    403: "ask an owner of the team or an admin; 'atoll whoami' tells how far this token reaches",
    404: "see what there is with the verb 'list'; 'atoll whoami' tells whose objects this token reaches",
    412: "it changed since you read it: get it again, then decide",
    429: "wait a little, then say the same again",
    503: "say the same again in a while",
    500: "tell the operators of Atoll the request id",
}


@dataclass
class Shell:
    """One run of the command; ``transport`` replaces the network in tests."""

    program: list[str]
    """How this program is started again, as kubeconfigs need to know."""
    transport: httpx.BaseTransport | None = None
    context: Context | None = None
    """The one that was spoken with."""
    resume: str = ""
    """How a person goes on after Ctrl-C, beside saying the same again."""

    @contextmanager
    def connect(self, name: str = "", patience: float | None = None) -> Iterator[Atoll]:
        """The Atoll of a context, or of the environment."""
        self.context = contexts.find(name)
        with Atoll(
            self.context.url,
            self.context.token,
            patience=PATIENCE if patience is None else patience,
            transport=self.transport,
            agent=f"atoll-cli/{VERSION}",
        ) as atoll:
            yield atoll

    def guarded(self, command: Callable[..., Any]) -> Callable[..., Any]:
        """The same command; whatever happens, it ends with a status and words."""

        @wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - any command's
            with self.ending():
                command(*args, **kwargs)

        return run

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Errors become words and a status."""
        try:
            yield
        except AtollError as error:
            for line in self._told(error):
                complain(line)
            raise typer.Exit(status(error)) from error
        except KeyboardInterrupt:
            complain(f"interrupted; {self.resume or 'what was asked for before goes on'}")
            raise typer.Exit(Status.INTERRUPTED) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:  # the last resort: words instead of a trace
            if os.environ.get(DEBUG) or type(error).__module__.startswith("typer"):
                raise
            complain(f"this is a fault of atoll itself ({error!r}); {DEBUG}=1 shows where: report it")
            raise typer.Exit(Status.REFUSED) from error

    def _told(self, error: AtollError) -> Iterator[str]:
        if not isinstance(error, Problem):
            yield str(error)
            return
        yield f"{error.detail} ({error.status} {error.code})"
        for fault in error.errors:
            if f"{fault.path}: {fault.detail}" not in error.detail:
                yield f"  {fault.path}: {fault.detail}"
        if error.request_id:
            yield f"  request id: {error.request_id}"
        if hint := _NEXT.get(error.status):
            yield f"  next: {hint.format(url=self.context.url if self.context else 'URL')}"


def status(error: AtollError) -> Status:
    """The exit status of an error."""
    return next((found for kind, found in _STATUSES if isinstance(error, kind)), Status.REFUSED)


def complain(text: str) -> None:
    """One line on standard error."""
    lead = "" if text.startswith("  ") else "atoll: "
    sys.stderr.write(f"{lead}{clean(text)}\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """Words for people beside the result, on standard error."""
    sys.stderr.write(f"{clean(text)}\n")
    sys.stderr.flush()
