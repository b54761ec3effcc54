"""Which cluster carries the virtual clusters: the lab, or one of the person's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from command.home import LAB_HOST, OWN_HOST
from command.terminal import CommandError


@dataclass(frozen=True)
class HostChoice:
    """The host's name in Atoll and, for an own cluster, the admin's kubeconfig."""

    name: str
    kubeconfig: Path | None
    exposure: str


def choose(exposure: str) -> HostChoice:
    """As ATOLL_KUBECONFIG says. Raises CommandError where it names no readable file."""
    given = os.environ.get("ATOLL_KUBECONFIG")
    if not given:
        return HostChoice(LAB_HOST, None, "clusterIP")
    return HostChoice(OWN_HOST, readable(Path(given), "ATOLL_KUBECONFIG"), exposure)


def readable(path: Path, name: str) -> Path:
    """The path, made absolute."""
    found = path.expanduser().resolve()
    if not found.is_file() or not os.access(found, os.R_OK):
        raise CommandError(f"{name}: there is no file {found} that can be read: name a kubeconfig", 2)
    return found
