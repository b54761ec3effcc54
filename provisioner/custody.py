"""The audit log's keeper: signs its head, keeps signed heads outside the database, walks along all of it.

Whoever owns the database can make the chain anew or cut its end; what they cannot do is
make it agree with the heads that were written down here before. docs/audit.md.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError

from provisioner.headfiles import HeadFiles
from tenancy.actions import inspection
from tenancy.enums import ChainFault
from tenancy.queries import audit
from tenancy.rules import chain
from tenancy.rules.chain import Fault, Head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

SLICE: Final = 1000
"""Rows looked at in one step, which takes the relay some 50 ms."""
REST: Final = 3600.0
"""Seconds between two walks along the whole chain, and between two lines in the service's log."""
TOLD: Final = 20
"""Faults that are kept of one walk; the first ones say where it began."""


class Custody:
    """Two duties of the relay: ``keep`` every few seconds, ``inspect`` every second."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = HeadFiles(folder)
        self._clock = clock
        self._kept: Head | None = None
        self._logged_at = self._alarmed_at = -REST
        self._walk: _Walk | None = None
        self._rested_until = clock()

    def keep(self) -> None:
        """Signs a head that moved and writes it down; one that contradicts the last kept is not signed."""
        last = self._last()
        wrong = _contradiction(last) if last else []
        if wrong:
            self._record(wrong)
            return
        envelope = inspection.sign()
        head = audit.read_head(envelope)
        if head is None:
            return
        if head != last:
            self._files.append(envelope)
            self._kept = head
        if self._clock() - self._logged_at >= REST:
            self._logged_at = self._clock()
            log.info("audit log: row %d, signed head %s", head.sequence, envelope)

    def inspect(self) -> None:
        """A step along the chain; a new walk begins an hour after the last one's end."""
        if self._walk is None:
            if self._clock() < self._rested_until:
                return
            self._walk = _Walk(self._heads())
        if not self._walk.step():
            return
        walk, self._walk, self._rested_until = self._walk, None, self._clock() + REST
        self._record(walk.faults, checked=walk.at)

    def _last(self) -> Head | None:
        """The newest head that was kept, by this process or one before it."""
        if self._kept is None:
            kept = (audit.read_head(line) for line in reversed(self._files.newest()))
            self._kept = next((head for head in kept if head), None)
        return self._kept

    def _heads(self) -> dict[int, str]:
        """What kept heads know, newest last; a line that we did not sign says nothing."""
        found = [head for line in self._files.sample() if (head := audit.read_head(line))]
        last = self._last()
        return {head.sequence: head.digest for head in (*found, *([last] if last else []))}

    def _record(self, faults: list[Fault], checked: Head | None = None) -> None:
        if faults:
            self._alarm(faults)
        try:
            inspection.record(faults, checked)
        except IntegrityError:
            log.exception("the audit log takes no rows: one was put in where the next would go")

    def _alarm(self, faults: list[Fault]) -> None:
        if self._clock() - self._alarmed_at >= REST:
            self._alarmed_at = self._clock()
            told = "; ".join(fault.detail for fault in faults[:3])
            log.error("ALARM: the audit log is not as it was written: %s. Do as docs/audit.md says", told)


class _Walk:
    """One look at all of the chain, in steps."""

    def __init__(self, known: dict[int, str]) -> None:
        end = audit.head()
        self._known = {**({end.sequence: end.digest} if end.sequence else {}), **known}
        self._after: int | None = None
        self.at = chain.START
        self.faults: list[Fault] = []

    def step(self) -> bool:
        """Whether that was the last one."""
        rows = audit.rows(self._after, SLICE)
        self.at, wrong = chain.walk(self.at, rows, self._known)
        if rows:
            self._after = rows[-1].sequence
        else:
            wrong = self._ending()
        self.faults = [*self.faults, *wrong][:TOLD]
        return not rows

    def _ending(self) -> list[Fault]:
        """The head is read after the rows: those behind it did not come with it."""
        end = audit.head().sequence
        return chain.ending(self.at, self._known, end=end if end < self.at.sequence else None)


def _contradiction(kept: Head) -> list[Fault]:
    """What is wrong with the row that a kept head is about."""
    found = audit.digest_at(kept.sequence)
    if found == kept.digest:
        return []
    kind = ChainFault.REWRITTEN if found else ChainFault.CUT
    what = (
        "is another one now: the log up to it was made anew" if found else "is gone, and all that followed it"
    )
    return [Fault(kind, kept.sequence, f"row {kept.sequence}, which a signed head was kept of, {what}")]
