"""Files that nobody else may read, written whole or not at all, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atoll_client.errors import Misconfigured, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS: Final = 0o077
_LOOK_SECONDS: Final = 0.05


def folder(variable: str, fallback: str) -> Path:
    """Atoll's folder below a base folder of the XDG specification; need not exist."""
    given = os.environ.get(variable, "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / fallback) / "atoll"


def write(path: Path, text: str) -> None:
    """Puts ``text`` at ``path`` in one step with mode 0600; a link stays one."""
    target = path.resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def read_private(path: Path) -> str:
    """What is there; empty where nothing is. Raises ``Misconfigured`` where others may read it."""
    try:
        if path.stat().st_mode & _OTHERS:
            msg = f"{path} holds tokens and is open to others: chmod 600 {path}"
            raise Misconfigured(msg)
        return path.read_text()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}): mend or remove it") from error


@contextmanager
def alone(path: Path, seconds: float = 120.0) -> Iterator[None]:
    """One process at a time for ``path``; the kernel lets go when one dies. Raises ``TimedOut``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + seconds
    try:
        while not _locked(handle):
            if time.monotonic() > until:
                raise TimedOut(f"another process has held {path}.lock for {seconds:.0f} s: see what it does")
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
