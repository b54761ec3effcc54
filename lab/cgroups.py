"""The lab's cgroups: one folder in every hierarchy (version 1) or in the only one (version 2).

Every process of a lab, sandboxes and shims included, lives below it, so what
is below it is what has to be ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KILL_SECONDS: Final = 20.0
CONTROLLERS: Final = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")  # what a kubelet wants of version 2


def hierarchies(mounts: str | None = None) -> list[Path]:
    """Give the mount points a kubelet uses: all of version 1, else the one of version 2.

    ``mounts`` is the text of /proc/self/mountinfo, for tests.
    """
    text = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    found: dict[str, list[Path]] = {"cgroup": [], "cgroup2": []}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        if (kind := right.split()[0]) in found:
            found[kind].append(Path(left.split()[4]))
    if not any(found.values()):
        raise LabError("no cgroup hierarchy is mounted; mount one at /sys/fs/cgroup")
    return found["cgroup"] or found["cgroup2"][:1]


def is_version_2() -> bool:
    """Tell whether this machine has the unified hierarchy alone."""
    return (hierarchies()[0] / "cgroup.controllers").exists()


def create(path: str) -> None:
    """Make a cgroup in every hierarchy, with its parents, ready to take processes."""
    for top in hierarchies():
        folder = top
        for part in Path(path).parts:
            _enable(folder)
            folder /= part
            folder.mkdir(exist_ok=True)
            _fill_cpuset(folder)


def enter(path: str) -> None:
    """Move this process into a cgroup, in every hierarchy."""
    for top in hierarchies():
        (top / path / "cgroup.procs").write_text(str(os.getpid()))


def current() -> dict[Path, str]:
    """Tell where this process is: the cgroup.procs file of each hierarchy to its place in it."""
    tops = hierarchies()
    places = dict.fromkeys(tops, "/")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, place = line.split(":", 2)
        for top in tops:
            # Version 1 tells a hierarchy by its controllers, which also name its folder.
            controllers = set(names.removeprefix("name=").split(","))
            if (not names and is_version_2()) or controllers & set(top.name.split(",")):
                places[top] = place
    return places


def go_back(places: dict[Path, str]) -> None:
    """Move this process where ``current`` found it."""
    for top, place in places.items():
        with contextlib.suppress(OSError):
            (top / place.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))


def processes(path: str) -> set[int]:
    """Give the ids of all processes in a cgroup and below it."""
    found: set[int] = set()
    for top in hierarchies():
        for folder in _below(top / path):
            with contextlib.suppress(OSError):
                found.update(int(word) for word in (folder / "cgroup.procs").read_text().split())
    return found - {0}


def kill(path: str, *, spare: Iterable[int] = (), seconds: float = KILL_SECONDS) -> None:
    """End every process in a cgroup and below it, but those in ``spare``, and wait until they are gone.

    Raises LabError naming what still lives after ``seconds``.
    """
    kept = set(spare)
    end = time.monotonic() + seconds
    while left := processes(path) - kept:
        if time.monotonic() > end:
            raise LabError(f"processes of the lab cannot be ended: {sorted(left)}; look at them with ps")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def remove(path: str) -> None:
    """Remove a cgroup and what is below it from every hierarchy; what is gone already is fine.

    Raises LabError when something keeps it in use.
    """
    for top in hierarchies():
        for folder in reversed(list(_below(top / path))):
            _remove_folder(folder)


def _remove_folder(folder: Path) -> None:
    # The kernel lets go of a cgroup a moment after its last process.
    for _ in range(100):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise LabError(f"cgroup {folder} cannot be removed: it is in use")


def _below(folder: Path) -> Iterator[Path]:
    """Give a folder and those below it, parents first."""
    if not folder.is_dir():
        return
    yield folder
    with contextlib.suppress(FileNotFoundError):
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from _below(child)


def _fill_cpuset(folder: Path) -> None:
    """Give a new version 1 cpuset its parent's processors and memory; an empty one takes no process."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not is_version_2() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def _enable(folder: Path) -> None:
    """Hand the controllers of a version 2 cgroup down to its children."""
    switch = folder / "cgroup.subtree_control"
    if not switch.exists():
        return
    offered = (folder / "cgroup.controllers").read_text().split()
    for name in set(CONTROLLERS) & set(offered) - set(switch.read_text().split()):
        try:
            switch.write_text(f"+{name}")
        except OSError as error:
            raise LabError(
                f"the {name} controller cannot be handed down from {folder} ({error.strerror}); "
                "in a container, start it with its own init in a cgroup below the top"
            ) from error
