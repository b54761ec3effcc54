"""The database before a start: its tables brought up to date, with a copy made first."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from command import programs
from command.environment import CHECKOUT
from command.terminal import CommandError, elapsed, say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from command.home import Home

TIMEOUT: Final = 600
KEPT: Final = 10
REFUSAL: Final = "CommandError: "
MANAGE: Final = (sys.executable, str(CHECKOUT / "manage.py"))


def manage(environment: Mapping[str, str], *arguments: str, stdin: str = "", timeout: float = 120) -> str:
    """Runs one of Django's commands and gives what it printed; its refusals become ours."""
    try:
        return programs.run([*MANAGE, *arguments], environment=environment, timeout=timeout, stdin=stdin)
    except programs.ProgramError as error:
        _, found, refusal = error.said.rpartition(REFUSAL)
        if found:
            raise CommandError(refusal) from error
        raise


def migrate(home: Home, environment: Mapping[str, str]) -> None:
    """Backs SQLite up where its tables are about to change, then changes them."""
    began = time.monotonic()
    on_sqlite = not environment.get("ATOLL_DATABASE_URL")
    existed = on_sqlite and home.database.exists()
    if existed and _stamp(home.database) == _code_stamp():
        say("database: up to date")
        return
    plan = [line for line in manage(environment, "migrate", "--plan").splitlines() if line.startswith("    ")]
    if existed and plan:
        say(f"database: copied to {backup(home)} before its tables change")
    manage(environment, "migrate", "--noinput", timeout=TIMEOUT)
    if on_sqlite:
        _write_stamp(home.database, _code_stamp())
    say(f"database: brought up to date ({elapsed(time.monotonic() - began)})")


def _code_stamp() -> int:
    """Differs whenever the migrations of this checkout, or of what it stands on, do.

    Kept in the database itself, so that it travels with copies; asking Django takes seconds.
    """
    files = [CHECKOUT / "requirements" / "base.txt", *sorted(CHECKOUT.glob("migrations/*/*.py"))]
    digest = sha256(b"".join(sha256(file.name.encode() + file.read_bytes()).digest() for file in files))
    return int.from_bytes(digest.digest()[:4], "big") & 0x7FFFFFFF


def _stamp(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def _write_stamp(path: Path, stamp: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {stamp:d}")


def backup(home: Home) -> Path:
    """A consistent copy, also while others write; the oldest beyond KEPT go."""
    target = home.backups / f"atoll-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite3"
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(home.database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    for old in sorted(home.backups.glob("atoll-*.sqlite3"))[:-KEPT]:
        old.unlink()
    return target
