"""Network and mount namespaces that exist as long as somebody is in them or this process lives.

They have no name in the file system and no process that keeps them: the
supervisor holds descriptors. When it dies, so does everything that only they
held, links included; nothing is left that somebody would have to find.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from lab.errors import LabError
from lab.shell import DEADLINE, environment, run


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace, with a mount namespace of its own if ``mount`` is given."""

    net: int  # descriptors of this process
    mount: int | None = None

    @property
    def net_path(self) -> str:
        """A path other commands can open while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.net}"

    @property
    def prefix(self) -> list[str]:
        """What to put before a command to run it in here.

        Unlike ``ip netns exec`` this leaves /sys alone, where the cgroups are.
        """
        mount = [] if self.mount is None else [f"--mount=/proc/{os.getpid()}/fd/{self.mount}"]
        return ["nsenter", f"--net={self.net_path}", *mount, "--"]

    def run(self, *argv: str, timeout: float = DEADLINE) -> str:
        """Run a command in here to its end; see ``shell.run``."""
        return run([*self.prefix, *argv], timeout=timeout)

    def close(self) -> None:
        """Let go; the namespace ends with the last process in it."""
        os.close(self.net)
        if self.mount is not None:
            os.close(self.mount)


def create(*, mount: bool) -> Namespace:
    """Make a network namespace and, if asked, a mount namespace that tells nothing to the one outside."""
    flags = ["--net", *(["--mount", "--propagation", "private"] if mount else [])]
    # ``cat`` answering means that unshare has done its work; it leaves once the descriptors are ours.
    with subprocess.Popen(
        ["unshare", *flags, "--", "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as helper:
        try:
            return _hold(helper, mount=mount)
        except OSError as error:
            raise LabError(
                "this machine makes no namespaces (unshare failed); the lab needs real root"
            ) from error


def _hold(helper: subprocess.Popen[bytes], *, mount: bool) -> Namespace:
    answer = b""
    if helper.stdin is not None and helper.stdout is not None:
        helper.stdin.write(b"\n")
        helper.stdin.flush()
        answer = helper.stdout.readline()
    if not answer:
        raise OSError("unshare ended early")
    folder = f"/proc/{helper.pid}/ns"
    return Namespace(
        os.open(f"{folder}/net", os.O_RDONLY),
        os.open(f"{folder}/mnt", os.O_RDONLY) if mount else None,
    )
