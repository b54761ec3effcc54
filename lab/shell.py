"""The one place that runs short commands: argument lists, a deadline, errors that say what failed."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from lab.errors import LabError
from lab.packages import SEARCH_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE: Final = 30.0  # seconds
BRIEF: Final = 200  # characters of a command worth repeating


def environment(**extra: str) -> dict[str, str]:
    """Give a small environment with a known PATH, so that a person's own settings change nothing."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {"PATH": SEARCH_PATH, **kept, **extra}


def run(
    argv: Sequence[str],
    *,
    timeout: float = DEADLINE,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its end and give its standard output.

    ``timeout`` is in seconds. Raises LabError when it fails, is not there or takes longer.
    """
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=dict(env) if env is not None else environment(),
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]}: command not found") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{_brief(argv)}: no end after {timeout:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"{_brief(argv)}: exit status {done.returncode}: {said}")
    return done.stdout


def succeeds(argv: Sequence[str], *, timeout: float = DEADLINE) -> bool:
    """Tell whether a command ends well; for looking and for removing what may be gone already."""
    try:
        run(argv, timeout=timeout)
    except LabError:
        return False
    return True


def _brief(argv: Sequence[str]) -> str:
    words = " ".join(argv)
    return words if len(words) <= BRIEF else f"{words[:BRIEF]}…"
