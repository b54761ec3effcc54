"""Files of signed heads: one a day, one head a line; of days gone by one head an hour stays for ever."""

from __future__ import annotations

import json
import logging
import os
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

EVERY: Final = 60
"""Of so many kept heads a walk compares one: a chain made anew contradicts all of them from there on."""
HOURS: Final = 24


class HeadFiles:
    """A folder that ought to lie elsewhere than the database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = False

    def append(self, envelope: str) -> None:
        """Writes a head down for good; a folder that cannot be written is told of once and tried again."""
        path = self._folder / f"{datetime.now(UTC):%Y-%m-%d}.jws"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            anew = not path.exists()
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
                file.write(envelope + "\n")
                file.flush()
                os.fsync(file.fileno())
            if anew:
                self._thin(path)
            self._told = False
        except OSError as error:
            self._tell(error)

    def newest(self) -> list[str]:
        """The lines of the last file."""
        files = self._files()
        return self._lines(files[-1]) if files else []

    def sample(self) -> list[str]:
        """Heads from all of the time, oldest first."""
        return [line for path in self._files() for line in self._lines(path)][::EVERY]

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("????-??-??.jws"))

    def _thin(self, today: Path) -> None:
        """Append-only folders refuse this, and keep everything."""
        for path in self._files():
            lines = self._lines(path)
            if path == today or len(lines) <= HOURS:
                continue
            draft = path.with_suffix(".draft")
            draft.touch(mode=0o600)
            draft.write_text("".join(f"{line}\n" for line in {_hour(line): line for line in lines}.values()))
            draft.replace(path)

    def _lines(self, path: Path) -> list[str]:
        try:
            return path.read_text(errors="replace").split()
        except OSError as error:
            self._tell(error)
            return []

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            said = (
                "signed heads of the audit log cannot be kept in %s (%s): let the relay read and write there"
            )
            log.warning(said, self._folder, error)


def _hour(envelope: str) -> str:
    """When it was signed, to the hour; what cannot be read has an hour of its own."""
    try:
        body = envelope.split(".")[1]
        return str(json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))["at"][: len("2026-11-21T13")])
    except (LookupError, TypeError, ValueError):
        return envelope
