"""From a home folder to a running supervisor: clean up, choose ranges, build, run."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import build, files, images, instance, network, packages, reap, registry
from lab.errors import LabError, StoppedError
from lab.instance import Instance, Options
from lab.progress import Journal, State
from lab.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable


def supervise(home: Path, options: Options, say: Callable[[str], None]) -> None:
    """Run the lab of ``home`` in this process until SIGTERM or SIGINT.

    Raises LabError when it cannot be started or is running already; then and at
    the end nothing of it is left on the machine but its data.
    """
    packages.check()
    reap.leftovers()
    lab, lock = _claim(home, options)
    journal = Journal(lab.progress, say)
    ending = (State.STOPPED, "stopped")
    try:
        with contextlib.suppress(StoppedError):
            _run(lab, journal)
    except Exception as error:
        ending = (State.FAILED, str(error))
        raise
    finally:
        # Under the lock: with its folder the claim goes, and whoever is next starts in the same places.
        with registry.locked():
            reap.traces(lab)
            lab.kubeconfig.unlink(missing_ok=True)
            journal.write(*ending)
        os.close(lock)


def remembered(home: Path) -> dict[str, Any]:
    """Give slot and options of the last start; empty where there was none."""
    return files.read_json(home.resolve() / "lab" / "instance.json")


def choose_options(home: Path, workers: int | None, gpus: int | None, fake_nodes: int | None) -> Options:
    """Give the options asked for; None means as at the last start.

    Raises LabError for numbers the lab cannot do.
    """
    last, default = remembered(home), asdict(Options())
    asked = {"workers": workers, "gpus": gpus, "fake_nodes": fake_nodes}
    chosen = {
        name: int(last.get(name, default[name])) if value is None else value for name, value in asked.items()
    }
    limits = {"workers": (1, instance.MAX_WORKERS), "gpus": (0, 64), "fake_nodes": (0, 1000)}
    for name, (least, most) in limits.items():
        if not least <= chosen[name] <= most:
            raise LabError(f"{name} must be from {least} to {most}, not {chosen[name]}")
    return Options(**chosen)


def _claim(home: Path, options: Options) -> tuple[Instance, int]:
    with registry.locked():
        lab = Instance(home.resolve(), _slot(home), options)
        lab.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = registry.claim(lab)
        # Known before anything runs, so that nobody takes an old kubeconfig for a living API server.
        lab.kubeconfig.unlink(missing_ok=True)
        files.write_json(lab.settings, {"slot": lab.slot, **asdict(options), **_programs(home)})
    return lab, lock


def _slot(home: Path) -> int:
    """Choose address ranges nobody uses; a lab with data must keep its own, they are in its database."""
    busy = {record.slot for record in registry.records() if record.id != instance.identify(home)}
    routes = network.routes()
    kept = remembered(home).get("slot")
    if kept is not None:
        if kept in busy or not network.is_free(kept, routes):
            block = instance.Ranges(kept).block
            raise LabError(
                f"this lab's addresses, {block}, are in use by another lab or route of this machine; "
                f"stop that one (`ip route` shows it), or `./atoll reset` this lab to get others"
            )
        return int(kept)
    first = int(instance.identify(home), 16) % instance.SLOTS
    for step in range(instance.SLOTS):
        slot = (first + step) % instance.SLOTS
        if slot not in busy and network.is_free(slot, routes):
            return slot
    raise LabError("every address range the lab may use (10.160.0.0 to 10.223.255.255) has a route already")


def _programs(home: Path) -> dict[str, Any]:
    last = remembered(home)
    return {"programs": last["programs"]} if "programs" in last else {}


def _run(lab: Instance, journal: Journal) -> None:
    stop = threading.Event()
    building = True

    def end(_number: int, _frame: object) -> None:
        stop.set()
        if building:
            raise StoppedError  # a compiler is not to be waited for

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    journal.building("looking for the lab's programs", 0, 0)
    programs = build.ensure(None, journal.building)
    archives = images.ensure(programs, journal.building)
    files.write_json(lab.settings, {"slot": lab.slot, **asdict(lab.options), "programs": str(programs)})
    building = False
    Supervisor(lab, journal, stop).run(programs, archives)


def main(arguments: list[str]) -> int:
    """``python -m lab.start HOME WORKERS GPUS FAKE_NODES``: what ``up`` puts into the background."""
    home, *numbers = arguments
    workers, gpus, fakes = (int(number) for number in numbers)
    try:
        supervise(Path(home), Options(workers, gpus, fakes), lambda text: print(text, flush=True))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
