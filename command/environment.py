"""The checkout's own virtual environment: made once, brought up to date when its lists change."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from command.terminal import CommandError, say, step

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = CHECKOUT / ".venv"
PYTHON: Final = FOLDER / "bin" / "python"
REQUIREMENTS: Final = CHECKOUT / "requirements"
MARKER: Final = FOLDER / "atoll.json"
TIMEOUT: Final = 900


def ensure(*, development: bool) -> None:
    """Makes the environment hold what base.txt lists, or dev.txt (which has all of base.txt too)."""
    with _alone():
        found = _found()
        development = development or "dev.txt" in found
        if (
            all(found.get(name) == _digest(name) for name in _lists(development=development))
            and PYTHON.exists()
        ):
            return
        if not PYTHON.exists():
            with step("making the virtual environment"):
                _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        _install("dev.txt" if development else "base.txt")
        written = {name: _digest(name) for name in _lists(development=development)}
        MARKER.write_text(json.dumps(written) + "\n")


def _install(name: str) -> None:
    if _found().get("uv.txt") != _digest("uv.txt") or not (FOLDER / "bin" / "uv").exists():
        with step("installing uv"):
            _run(
                [
                    str(PYTHON),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--require-hashes",
                    "-r",
                    str(REQUIREMENTS / "uv.txt"),
                ]
            )
    MARKER.unlink(missing_ok=True)  # half an installation must not pass for a whole one
    with step(f"installing the Python packages of requirements/{name}"):
        sync = [
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",  # else every process compiles Django anew where no bytecode is written
            "--python",
            str(PYTHON),
            str(REQUIREMENTS / name),
        ]
        _run([str(FOLDER / "bin" / "uv"), *sync])


def _lists(*, development: bool) -> tuple[str, ...]:
    return ("uv.txt", "base.txt", "dev.txt") if development else ("uv.txt", "base.txt")


def _found() -> dict[str, str]:
    """List → digest at its last installation."""
    try:
        return dict(json.loads(MARKER.read_text()))
    except (OSError, ValueError):
        return {}


def _digest(name: str) -> str:
    return sha256((REQUIREMENTS / name).read_bytes()).hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """Two commands at once must not install into each other."""
    folder = os.open(REQUIREMENTS, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another ./atoll is installing; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own argument lists
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{' '.join(command)}: no end after {TIMEOUT} s") from None
    if done.returncode:
        raise CommandError(
            f"{' '.join(command)} failed (exit status {done.returncode}); is a Python package index reachable?\n"
            f"{(done.stderr or done.stdout)[-2000:]}"
        )
