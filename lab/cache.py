"""Files made once and kept outside the checkout: where they lie, how they are placed.

A cached thing is a folder named after a hash of all that goes into it. It is
made under a temporary name and renamed into place when complete, so that a
folder that exists is whole, whoever was killed meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Report = Callable[[str, int, int], None]
"""Told of progress: a sentence, how many steps are done, and of how many."""

HEARTBEAT_SECONDS = 20.0
POLL_SECONDS = 0.2


def cache_root() -> Path:
    """The folder everything is cached in: $ATOLL_CACHE, else the user's cache folder.

    It is made if absent. Safe to delete while nothing runs; the next start then
    compiles everything anew (tens of minutes).
    """
    chosen = os.environ.get("ATOLL_CACHE")
    if chosen:
        root = Path(chosen).expanduser()
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atoll"
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def digest(parts: Iterable[bytes | str]) -> str:
    """Sixteen hex digits that differ when any part, or where parts are cut, differs."""
    total = sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()[:16]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    total = sha256()
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def kept_digest(path: Path) -> str:
    """``file_digest`` of a cached file, remembered: such a file never changes in place."""
    status = path.stat()
    folder = cache_root() / "digests"
    note = folder / f"{status.st_dev:x}-{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"
    try:
        kept = note.read_text()
    except FileNotFoundError:
        kept = ""
    if len(kept) == sha256().digest_size * 2:
        return kept
    found = file_digest(path)
    folder.mkdir(exist_ok=True)
    note.write_text(found)
    return found


@contextmanager
def locked(name: str, waiting: Callable[[float], None]) -> Iterator[None]:
    """Hold the machine-wide lock called ``name``; the kernel frees it if we die.

    ``waiting`` is told, at once and then every heartbeat, for how many seconds
    another process has held it. Not reentrant.
    """
    folder = cache_root() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("a") as handle:
        _acquire(handle.fileno(), waiting)
        yield


def _acquire(handle: int, waiting: Callable[[float], None]) -> None:
    start = time.monotonic()
    told = start - HEARTBEAT_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now - told >= HEARTBEAT_SECONDS:
                told = now
                waiting(now - start)
            time.sleep(POLL_SECONDS)
        else:
            return


@contextmanager
def placing(final: Path) -> Iterator[Path]:
    """Give an empty folder to fill; when the block ends well it becomes ``final``.

    If ``final`` came into being meanwhile, that one stays and ours is dropped.
    On an exception nothing is left behind.
    """
    scratch = cache_root() / "tmp"
    scratch.mkdir(exist_ok=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{final.name}.", dir=scratch))
    try:
        yield draft
        draft.chmod(0o755)
        _rename(draft, final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _rename(draft: Path, final: Path) -> None:
    try:
        draft.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def elapsed(seconds: float) -> str:
    """A duration for people: ``45 s`` or ``3 min 05 s``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
