"""Which labs exist on this machine: one folder each under /run/atoll-lab, locked while its lab is alive.

A lock on the folder itself, held by the supervisor, tells more surely than a
process id whether a lab lives: the kernel drops it with the process, kill -9
included. Every look and every change is made under the lock of the parent
folder, so two commands never clean or start the same lab.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import files, instance
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD: Final = "record.json"
STOP_SECONDS: Final = 45.0


@dataclass(frozen=True, slots=True)
class Record:
    """What must be known to remove a lab whose home is gone."""

    id: str
    home: str
    slot: int
    pid: int  # of the supervisor
    started: int  # its start time in clock ticks since boot: ids are used again, the pair is not

    @property
    def lab(self) -> instance.Instance:
        """The lab's names and ranges; its options are not needed to remove it."""
        return instance.Instance(Path(self.home), self.slot)

    @property
    def abandoned(self) -> bool:
        """Tell whether the home (a checkout, say) has vanished under the lab."""
        return not self.lab.data.is_dir()


def start_time(pid: int) -> int:
    """Give the start time of a process in clock ticks since boot; 0 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The command name may hold spaces and brackets: count fields after the last one.
    return int(stat.rpartition(")")[2].split()[19])


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the machine-wide lock; short work only."""
    while True:
        instance.RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = os.open(instance.RUN, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if not _is_current(folder):
                continue
            yield
            return
        finally:
            with contextlib.suppress(OSError):
                instance.RUN.rmdir()  # the last lab takes the folder with it
            os.close(folder)


def records() -> list[Record]:
    """Give every lab known on this machine, alive or not; call it under the lock."""
    folders = sorted(path for path in instance.RUN.iterdir() if path.is_dir())
    return [record for folder in folders if (record := read(folder)) is not None]


def read(folder: Path) -> Record | None:
    """Give the record in ``folder``, or None where there is none to be read."""
    try:
        return Record(**files.read_json(folder / RECORD))
    except TypeError:
        return None


def alive(lab_id: str) -> bool:
    """Tell whether a lab's supervisor lives; call it under the lock."""
    try:
        folder = os.open(instance.RUN / lab_id, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(folder)
    return False


def claim(lab: instance.Instance) -> int:
    """Take a lab for this process and give the descriptor that holds it; call it under the lock.

    Raises LabError when it is taken.
    """
    lab.run.mkdir(mode=0o711, exist_ok=True)
    folder = os.open(lab.run, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise LabError(f"the lab of {lab.home} is running already") from error
    pid = os.getpid()
    record = Record(lab.id, str(lab.home.resolve()), lab.slot, pid, start_time(pid))
    files.write_json(lab.run / RECORD, asdict(record))
    return folder


def stop(record: Record, *, seconds: float = STOP_SECONDS) -> None:
    """Ask a lab's supervisor to stop everything and wait; end it when it does not."""
    if start_time(record.pid) != record.started:
        return
    os.kill(record.pid, signal.SIGTERM)
    if not _gone(record, seconds):
        os.kill(record.pid, signal.SIGKILL)
        _gone(record, 5)


def _gone(record: Record, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if start_time(record.pid) != record.started or _is_zombie(record.pid):
            return True
        time.sleep(0.05)
    return False


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _is_current(folder: int) -> bool:
    try:
        return os.fstat(folder).st_ino == instance.RUN.stat().st_ino
    except FileNotFoundError:
        return False
