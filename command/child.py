"""Becomes a service that ends with its supervisor: ``python -m command.child PARENT -- PROGRAM…``.

A step between fork and exec rather than a hook in the parent, which has threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Asks the kernel for SIGTERM at the parent's death, then becomes the program."""
    parent, program = int(argv[0]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew of our wish
        raise SystemExit(143)
    os.execvp(program[0], program)  # noqa: S606 - an argument list of the supervisor


if __name__ == "__main__":
    main(sys.argv[1:])
