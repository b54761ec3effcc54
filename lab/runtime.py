"""Bringing container images into the nodes' containerd."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Final

from lab import files
from lab.errors import LabError
from lab.shell import run, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.instance import Node

IMPORT_SECONDS: Final = 300.0


def is_up(node: Node, programs: Path) -> bool:
    """Tell whether a node's containerd answers."""
    return node.containerd.exists() and succeeds([*_ctr(node, programs), "version"], timeout=5)


def bring(node: Node, programs: Path, archives: Iterable[Path]) -> None:
    """Import the archives a node does not have yet; it keeps what it has across starts."""
    memory = node.data / "images.json"
    known = files.read_json(memory)
    for archive in archives:
        told = archive.stat()
        mark = f"{told.st_size}:{told.st_mtime_ns}"
        if known.get(str(archive)) != mark:
            load(node, programs, archive)
            known[str(archive)] = mark
            files.write_json(memory, known)


def load(node: Node, programs: Path, archive: Path) -> None:
    """Import one archive (docker save or OCI layout, as a tar) into a node.

    Raises LabError when containerd refuses it.
    """
    command = [*_ctr(node, programs), "images", "import", "--all-platforms=false", str(archive)]
    run(command, timeout=IMPORT_SECONDS)


def check(archive: Path) -> None:
    """Refuse what is no image archive, before any node is asked.

    Raises LabError saying what is wrong with the file.
    """
    advice = "make one with `docker save IMAGE -o FILE.tar`"
    try:
        with tarfile.open(archive) as tar:
            names = {member.name.removeprefix("./") for member in tar}
    except FileNotFoundError as error:
        raise LabError(f"{archive}: no such file") from error
    except (OSError, tarfile.TarError) as error:
        raise LabError(f"{archive} is no tar archive; {advice}") from error
    if not names & {"manifest.json", "index.json"}:
        raise LabError(f"{archive} is a tar archive but holds no image; {advice}")


def _ctr(node: Node, programs: Path) -> list[str]:
    return [f"{programs}/ctr", f"--address={node.containerd}", "--namespace=k8s.io"]
