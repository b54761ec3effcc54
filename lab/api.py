"""The lab for programs: bring one up, take one down, load images, look at it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab import packages, progress, reap, registry, runtime, start, view
from lab.errors import LabError
from lab.instance import Instance, Options, identify
from lab.progress import Progress, State
from lab.shell import environment

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY: Final = 0.1  # seconds
CHECKOUT: Final = Path(__file__).resolve().parent.parent
TAIL: Final = 2000  # characters of a log worth showing

# Supervisors this process started; their ends have to be noted or they stay as zombies.
_children: set[int] = set()


@dataclass(frozen=True, slots=True)
class Lab:
    """A running lab, as others need it.

    ``client_cidr`` is where this machine's connections to ClusterIPs come from
    as NetworkPolicies see it; ``audit_log`` has older parts beside it.
    """

    home: Path
    kubeconfig: Path
    bin_dir: Path
    service_cidr: str
    client_cidr: str
    audit_log: Path
    on_nodes: NodePaths


@dataclass(frozen=True, slots=True)
class NodePaths:
    """Where things are on a node, as its own processes see it; ``$NODE`` is the node's name."""

    socket: str
    """containerd's."""
    kubelet: str
    logs: str
    volumes: str
    """Folders of the storage class."""


def up(
    home: Path,
    *,
    gpus: int | None = None,
    fake_nodes: int | None = None,
    workers: int | None = None,
    report: Callable[[str], None] = print,
) -> Lab:
    """Bring up the lab of a home folder in the background and return when it is ready.

    One that runs already is returned at once. None means as at the last start.
    ``report`` gets a line for each step. Raises LabError, also when the lab runs
    with other options than asked for.
    """
    packages.check()
    options = start.choose_options(home, workers, gpus, fake_nodes)
    reap.leftovers()
    if is_running(home):
        _insist(home, options)
        _follow(home, None, report)
    else:
        _follow(home, _launch(home, options), report)
    return describe(home)


def down(home: Path) -> None:
    """Stop the lab of a home folder and remove all it made on this machine; its data stays.

    Labs that died or whose home is gone are removed as well. Nothing running is fine.
    """
    packages.check()
    with registry.locked():
        record = next((one for one in registry.records() if one.id == identify(home)), None)
    if record is not None:
        reap.remove(record)
    reap.leftovers()
    for child in list(_children):
        _has_ended(child)


def is_running(home: Path) -> bool:
    """Tell whether the lab of a home folder has a living supervisor."""
    with registry.locked():
        return registry.alive(identify(home))


def describe(home: Path) -> Lab:
    """Give the particulars of a lab that was started; LabError where there is none."""
    lab, programs = instance_of(home)
    return Lab(
        home=home.resolve(),
        kubeconfig=lab.kubeconfig,
        bin_dir=programs,
        service_cidr=str(lab.ranges.services),
        client_cidr=f"{lab.ranges.client}/32",
        audit_log=lab.audit_log,
        on_nodes=NodePaths(
            socket=f"{lab.run}/$NODE/containerd.sock",
            kubelet=str(view.HOME / "kubelet"),
            logs=str(view.HOME / "log" / "pods"),
            volumes=str(view.HOME / "volumes"),
        ),
    )


def instance_of(home: Path) -> tuple[Instance, Path]:
    """Give the last start's instance and the folder of its programs; LabError where there was none."""
    kept = start.remembered(home)
    if "slot" not in kept or "programs" not in kept:
        raise LabError(f"no lab was started in {home} yet; `./atoll lab up` starts one")
    options = Options(**{name: int(kept.get(name, value)) for name, value in asdict(Options()).items()})
    return Instance(home.resolve(), int(kept["slot"]), options), Path(kept["programs"])


def load(home: Path, archive: Path, report: Callable[[str], None] = print) -> None:
    """Import an image archive into every node of a running lab; LabError where that cannot be."""
    runtime.check(archive)
    lab, programs = instance_of(home)
    if not is_running(home):
        raise LabError(f"the lab of {home} is not running; `./atoll lab up` starts it")
    for node in lab.nodes:
        runtime.load(node, programs, archive.resolve())
        report(f"{archive.name}: loaded into {node.name}")


def state(home: Path) -> Progress:
    """Give what a lab is doing; one whose supervisor is gone has stopped or failed."""
    found = progress.read(home.resolve() / "lab" / "progress.json")
    if found.state in {State.FAILED, State.STOPPED} or is_running(home):
        return found
    return Progress(
        State.FAILED, "its supervisor is gone; `./atoll lab up` starts it again", since=found.since
    )


def _launch(home: Path, options: Options) -> int:
    """Start a supervisor in a session of its own; give its process id."""
    logs = home.resolve() / "lab" / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home.resolve() / "lab" / "progress.json").unlink(missing_ok=True)
    words = [str(home.resolve()), str(options.workers), str(options.gpus), str(options.fake_nodes)]
    log = str(logs / "supervisor.log")
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess: the supervisor outlives this call, which Popen objects mind.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "lab.start", *words],
        _surroundings(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    _children.add(pid)
    return pid


def _has_ended(pid: int) -> bool:
    """Tell whether a supervisor of ours has ended, taking note of it for good."""
    if pid in _children:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                return False
        _children.discard(pid)
    return True


def _surroundings() -> dict[str, str]:
    # Building asks for more than the lab itself: a Go toolchain, caches, mirrors.

    path = f"{os.environ.get('PATH', '')}:{environment()['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


def _follow(home: Path, child: int | None, report: Callable[[str], None]) -> None:
    """Tell each step until the lab is ready; LabError when it fails."""
    began, told = time.monotonic(), Progress()
    file = home.resolve() / "lab" / "progress.json"
    while True:
        ended = child is not None and _has_ended(child)
        now = progress.read(file)
        if now != told and now.state is not State.STOPPED:
            told = now
            report(progress.line(now, time.monotonic() - began))
        if now.state is State.READY and not ended:
            return
        if ended and is_running(home):
            child, ended = None, False  # another command was quicker; its lab is as good
        if ended or (child is None and not is_running(home)):
            raise LabError(
                f"the lab did not start: {now.step or _tail(home)}; logs are in {file.parent}/logs"
            )
        time.sleep(LOOK_EVERY)


def _tail(home: Path) -> str:
    log = home.resolve() / "lab" / "logs" / "supervisor.log"
    return log.read_text(errors="replace")[-TAIL:].strip() if log.exists() else "no log was written"


def _insist(home: Path, options: Options) -> None:
    running = start.remembered(home)
    for name, value in asdict(options).items():
        if running.get(name) != value:
            raise LabError(
                f"the lab of {home} runs with {name}={running.get(name)}, not {value}; "
                f"`./atoll lab down` it first"
            )
