"""Compiles the lab's programs from Go modules, once, into the cache.

Each program has a folder named after a hash of all that goes into it (pins,
checksums, our own sources, flags, Go's version), so only what is missing is
compiled, and never again in a fresh checkout. ``python -m lab.build`` does it
by hand.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.cache import HEARTBEAT_SECONDS, POLL_SECONDS, cache_root, digest, elapsed, locked, placing
from lab.errors import LabError
from lab.targets import DEBIAN_PACKAGES, TARGETS, Target
from lab.toolchain import Toolchain, find

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.cache import Report

__all__ = ["DEBIAN_PACKAGES", "TARGETS", "BuildError", "Target", "cache_root", "ensure"]

SOURCES: Final = Path(__file__).parent / "go"
TARGET_TIMEOUT: Final = 3600.0  # seconds for one program; the first compiles what all share
# Never empty: an empty one lets a person's own flags in.
GO_FLAGS: Final = "-mod=readonly -buildvcs=false"
# Where Go gets and keeps modules is the machine's matter.
GO_KEPT: Final = frozenset({"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GOTMPDIR"})
STOP_SECONDS: Final = 10.0
TAIL_LINES: Final = 30


class BuildError(LabError):
    """A program could not be compiled; the text has the compiler's last lines and the log's path."""


@dataclass(frozen=True, slots=True)
class Job:
    """A program to compile with a given toolchain."""

    target: Target
    toolchain: Toolchain

    @property
    def folder(self) -> Path:
        """Where the finished program lies; it exists only when complete."""
        return cache_root() / "programs" / f"{self.target.name}-{key(self.target, self.toolchain.version)}"

    @property
    def log(self) -> Path:
        """What the compiler said, the last time."""
        return cache_root() / "logs" / f"{self.folder.name}.log"


def ensure(targets: Sequence[str] | None, report: Report) -> Path:
    """The folder that holds these programs and their links, compiled where missing.

    None means all that a lab needs, so all but those on demand.

    ``report`` gets a sentence, how many programs are there, and of how many; during
    a long compilation at least every HEARTBEAT_SECONDS. Several callers may run at
    once, in several processes. Raises BuildError or ToolchainError.
    """
    wanted = select(targets)
    toolchain = find(lambda text: report(text, 0, len(wanted)))
    jobs = [Job(target, toolchain) for target in wanted]
    for _ in range(len(jobs)):
        missing = [job for job in jobs if not job.folder.is_dir()]
        if not missing:
            break
        _make(missing[0], _step(missing, len(jobs), report))
    return _collect(jobs)


def select(names: Sequence[str] | None) -> list[Target]:
    """The targets of these names, in the order they are compiled. A link's name means its program."""
    if names is None:
        return [target for target in TARGETS if not target.on_demand]
    wanted = set(names)
    chosen = [target for target in TARGETS if wanted & {target.name, *target.links}]
    unknown = wanted - {name for target in chosen for name in (target.name, *target.links)}
    if unknown:
        message = f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(target.name for target in TARGETS)}"
        raise BuildError(message)
    return chosen


def key(target: Target, go_version: str) -> str:
    """A hash of all that goes into a program."""
    made_of = {name: value for name, value in asdict(target).items() if name != "on_demand"}
    sources = _source_digest(SOURCES / target.module, target.package)
    return digest([go_version, os.uname().machine, repr(made_of), *sources])


def _source_digest(module: Path, package: str) -> list[str]:
    files = [module / "go.mod", module / "go.sum"]
    if package.startswith("."):
        files += sorted((module / package).rglob("*.go"))
    counted = [file for file in files if file.is_file() and not file.name.endswith("_test.go")]
    return [f"{file.name}:{digest([file.read_bytes()])}" for file in counted]


def _step(missing: list[Job], total: int, report: Report) -> Callable[[str], None]:
    """What tells people how far the work on ``missing[0]`` is."""
    names = [job.target.name for job in missing]
    sentence = f"building {', '.join(names[:3])}{'…' if len(names) > 3 else ''}"  # noqa: PLR2004
    return lambda more: report(f"{sentence}{more}", total - len(missing), total)


def _make(job: Job, tell: Callable[[str], None]) -> None:
    def waiting(seconds: float) -> None:
        tell(f" (another builder is at it, {elapsed(seconds)})")

    with locked(job.folder.name, waiting):
        if job.folder.is_dir():
            return
        tell("")
        with placing(job.folder) as draft:
            _compile(job, draft / job.target.name, tell)
            for link in job.target.links:
                (draft / link).hardlink_to(draft / job.target.name)


def _compile(job: Job, output: Path, tell: Callable[[str], None]) -> None:
    job.log.parent.mkdir(exist_ok=True)
    with job.log.open("w") as log:
        process = subprocess.Popen(
            command(job, output),
            cwd=SOURCES / job.target.module,
            env=environment(job.target),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = _watch(process, job, tell)
        finally:
            _end(process)
    if status:
        tail = "\n".join(job.log.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        message = (
            f"compiling {job.target.name} failed (exit status {status}; all of it in {job.log}):\n{tail}"
        )
        raise BuildError(message)


def command(job: Job, output: Path) -> list[str]:
    """The compiler's command line."""
    flags = " ".join(["-s", "-w", *(f"-X {define}" for define in job.target.defines)])
    line = [
        str(job.toolchain.go),
        "build",
        "-trimpath",
        "-ldflags",
        flags,
    ]
    if job.target.tags:
        line += ["-tags", ",".join(job.target.tags)]
    return [*line, "-o", str(output), job.target.package]


def environment(target: Target) -> dict[str, str]:
    """The compiler's environment: a person's own Go settings must not change what comes out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GO") or name in GO_KEPT}
    ours = {
        "CGO_ENABLED": "1" if target.cgo else "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": GO_FLAGS,
    }
    return {"HOME": str(Path.home()), **kept, **ours}


def _watch(process: subprocess.Popen[bytes], job: Job, tell: Callable[[str], None]) -> int:
    start = time.monotonic()
    told = start
    while process.poll() is None:
        now = time.monotonic()
        if now - start > TARGET_TIMEOUT:
            message = f"compiling {job.target.name} took longer than {elapsed(TARGET_TIMEOUT)}; see {job.log}"
            raise BuildError(message)
        if now - told >= HEARTBEAT_SECONDS:
            told = now
            tell(f" ({elapsed(now - start)} so far)")
        time.sleep(POLL_SECONDS)
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the compiler and its children, if they still run."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def set_folder(jobs: Sequence[Job]) -> Path:
    """Where the programs of these jobs lie together, in its ``bin``."""
    return cache_root() / "sets" / digest(job.folder.name for job in jobs)


def _collect(jobs: list[Job]) -> Path:
    """One folder with all the programs, as hard links.

    Not symbolic ones: containerd looks for its shims beside its own real file.
    """
    folder = set_folder(jobs)
    if not folder.is_dir():
        with placing(folder) as draft:
            (draft / "bin").mkdir()
            for file in (file for job in jobs for file in sorted(job.folder.iterdir())):
                (draft / "bin" / file.name).hardlink_to(file)
    return folder / "bin"


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m lab.build [program…]``: compile what is missing and print the folder."""
    parser = argparse.ArgumentParser(prog="python -m lab.build", description="Compile the lab's programs.")
    parser.add_argument(
        "program", nargs="*", help=f"default all: {', '.join(target.name for target in TARGETS)}"
    )
    names = parser.parse_args(arguments).program
    start = time.monotonic()

    def report(text: str, done: int, total: int) -> None:
        print(f"[{elapsed(time.monotonic() - start)}] {done}/{total} {text}", file=sys.stderr, flush=True)

    try:
        print(ensure(names or None, report))
    except LabError as error:
        print(f"lab.build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
