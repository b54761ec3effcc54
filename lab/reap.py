"""Removing what a lab left on this machine: processes, cgroups, link, routes, filters, its folder under /run."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from lab import cgroups, network, registry
from lab.progress import Journal, State

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.registry import Record


def leftovers() -> list[Record]:
    """Remove every lab that is not alive or whose home is gone; give what was removed."""
    with registry.locked():
        found = [record for record in registry.records() if record.abandoned or not registry.alive(record.id)]
        for record in found:
            remove(record)
    return found


def remove(record: Record) -> None:
    """Stop a lab and remove all it made on this machine; its home stays. Call it under the lock."""
    registry.stop(record)
    traces(record.lab)
    if not record.abandoned:
        Journal(record.lab.progress, lambda _: None).write(State.STOPPED, "stopped")


def traces(lab: Instance) -> None:
    """End what still runs of a lab, then remove what it made. Twice does no harm."""
    cgroups.kill(lab.cgroup, spare=[os.getpid()])
    network.disconnect(lab)
    cgroups.remove(lab.cgroup)
    shutil.rmtree(lab.run, ignore_errors=True)
