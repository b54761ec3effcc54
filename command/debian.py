"""The Debian packages that a command needs: named, and installed where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command.terminal import CommandError, say, step
from lab import packages, targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TIMEOUT: Final = 900
FOR_TESTS: Final = {"chromium": "chromium", "curl": "curl", "jq": "jq"}
VENV: Final = "python3-venv"


def for_lab() -> dict[str, str]:
    """What the lab needs to be built and to run: package → a file or command that shows it is there."""
    return {**packages.DEBIAN_PACKAGES, **targets.DEBIAN_PACKAGES}


def ensure(wanted: Mapping[str, str]) -> None:
    """Installs what is missing. Raises CommandError that names it where that cannot be done."""
    lacking = sorted(name for name, proof in wanted.items() if not _present(proof))
    if find_spec("ensurepip") is None:
        lacking.append(VENV)
    if not lacking:
        return
    say(f"Debian packages that are missing: {', '.join(lacking)}")
    command = f"apt-get install {' '.join(lacking)}"
    if shutil.which("apt-get") is None:
        raise CommandError(f"this is no Debian: install by hand what brings these: {', '.join(lacking)}")
    if os.geteuid() != 0:
        raise CommandError(f"they can be installed by root only; run: sudo {command}")
    with step("installing them"):
        _install(lacking)


def _present(proof: str) -> bool:
    if proof.startswith("/"):
        return Path(proof).exists()
    return shutil.which(proof, path=packages.SEARCH_PATH) is not None


def _install(names: Iterable[str]) -> None:
    install = ["install", "-y", "--no-install-recommends", *names]
    # A machine's lists may be empty or too old to find anything: then they are fetched once.
    if not _apt(install)[0]:
        return
    _apt(["update"])
    status, said = _apt(install)
    if status:
        raise CommandError(f"apt-get {' '.join(install)} failed (exit status {status}):\n{said[-2000:]}")


def _apt(arguments: list[str]) -> tuple[int, str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own argument list
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end after {TIMEOUT} s"
    return done.returncode, done.stdout + done.stderr
