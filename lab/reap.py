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
    return [record for record in found if remove(record)]


def remove(record: Record) -> bool:
    """Stop a lab and remove all it made on this machine; its home stays. False: somebody started it anew."""
    registry.stop(record)  # takes seconds: others are not to wait for that
    with registry.locked():
        if registry.alive(record.id):
            return False
        traces(record.lab)
    if not record.abandoned:
        record.lab.kubeconfig.unlink(missing_ok=True)
        Journal(record.lab.progress, lambda _: None).write(State.STOPPED, "stopped")
    return True


def traces(lab: Instance) -> None:
    """End what still runs of a lab, then remove what it made. Twice does no harm."""
    cgroups.kill(lab.cgroup, spare=[os.getpid()])
    network.disconnect(lab)
    cgroups.remove(lab.cgroup)
    shutil.rmtree(lab.run, ignore_errors=True)
