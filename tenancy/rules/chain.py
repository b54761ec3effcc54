"""The audit log as a chain: each row's fingerprint covers its content, its number and the row before it.

Whoever edits, drops, moves or adds a row breaks the chain; whoever makes the chain anew from
there on, or cuts its end, contradicts a signed head that was kept elsewhere. docs/audit.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tenancy.enums import ChainFault
from tenancy.rules import attestation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

FORMAT: Final = "atoll.audit/v1"
"""In every hashed text: a fingerprint of anything else never passes for a row's."""
HEAD_FORMAT: Final = "atoll.audit-head/v1"
HEAD_TYPE: Final = "atoll-audit-head+jws"
"""The ``typ`` of a signed head."""


@dataclass(frozen=True)
class Event:
    """What a row tells."""

    at: datetime
    actor: str
    action: str
    tenant: str
    target: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Head:
    """The end of a chain: it stands for every row up to this one."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class Row:
    """An event in its place."""

    sequence: int
    event: Event
    previous: str
    digest: str

    @property
    def head(self) -> Head:
        """The chain's end when this was its last row."""
        return Head(self.sequence, self.digest)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and at which row."""

    kind: ChainFault
    sequence: int
    detail: str


START: Final = Head(0, "0" * 64)
"""Before the first row."""


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """A fact as every database gives it back: no fractions (they are kept as text), no NUL, keys are text."""
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case str():
            return _storable(value)
        case float() | Decimal() | UUID() | date():
            return str(value)
        case dict():
            return {_storable(str(key)): plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [
                plain(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)
            ]
        case _:
            msg = f"a fact of type {type(value).__name__} cannot be kept: give text, whole numbers, lists or dicts"
            raise TypeError(msg)


def digest(sequence: int, event: Event, previous: str) -> str:
    """SHA-256 over the canonical JSON of all that a row holds, in hexadecimal."""
    content = {
        "format": FORMAT,
        "sequence": sequence,
        "at": stamp(event.at),
        "actor": event.actor,
        "action": event.action,
        "tenant": event.tenant,
        "target": event.target,
        "facts": event.facts,
        "previous": previous,
    }
    return hashlib.sha256(attestation.canonical(content).encode()).hexdigest()


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, always to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def link(after: Head, events: Iterable[Event]) -> list[Row]:
    """The rows that follow a head."""
    rows = []
    for event in events:
        number = after.sequence + 1
        rows.append(Row(number, event, after.digest, digest(number, event, after.digest)))
        after = rows[-1].head
    return rows


def walk(after: Head, rows: Iterable[Row], heads: Mapping[int, str]) -> tuple[Head, list[Fault]]:
    """Goes along rows that should follow a head; where it came to, and what is wrong on the way.

    ``heads`` are fingerprints known from elsewhere, by row number.
    """
    faults = []
    for row in rows:
        faults += [Fault(kind, row.sequence, detail) for kind, detail in _wrong(after, row, heads)]
        after = row.head if row.sequence > after.sequence else after
    return after, faults


def ending(at: Head, heads: Mapping[int, str], *, end: int | None = None) -> list[Fault]:
    """The fault of a chain that ends here although kept heads know of later rows, or its own head of another end."""
    last = max([*heads, end or 0], default=0)
    if last > at.sequence:
        detail = f"rows {at.sequence + 1} to {last} are gone: a head that was kept knows of them"
        return [Fault(ChainFault.CUT, at.sequence + 1, detail)]
    if end is not None and end < at.sequence:
        detail = f"row {end + 1} lies behind the head, which only ever moves with the last row: it was put in"
        return [Fault(ChainFault.UNLINKED, end + 1, detail)]
    return []


def sign(keys: Sequence[str], head: Head, at: datetime) -> str:
    """A statement that the chain ended so at this time; JWS, compact."""
    said = {"format": HEAD_FORMAT, **asdict(head), "at": stamp(at)}
    return attestation.sign(keys, attestation.canonical(said), kind=HEAD_TYPE).envelope


def read_head(keys: Sequence[str], envelope: str) -> Head | None:
    """The head that one of our own keys signed; None for anything else."""
    text = attestation.opened(keys, envelope, kind=HEAD_TYPE)
    said = json.loads(text) if text else {}
    return Head(said["sequence"], said["digest"]) if said.get("format") == HEAD_FORMAT else None


def _wrong(after: Head, row: Row, heads: Mapping[int, str]) -> Iterable[tuple[ChainFault, str]]:
    number = row.sequence
    if number <= after.sequence:
        yield (
            ChainFault.OUT_OF_ORDER,
            f"row {number} comes behind row {after.sequence}: it was moved or doubled",
        )
    elif number > after.sequence + 1:
        missing = (
            f"row {number - 1}"
            if number == after.sequence + 2
            else f"rows {after.sequence + 1} to {number - 1}"
        )
        yield ChainFault.MISSING, f"{missing} before row {number}: deleted, or given another number"
    elif row.previous != after.digest:
        yield (
            ChainFault.UNLINKED,
            f"row {number} was not written after row {number - 1} as that is now: one was replaced",
        )
    if digest(number, row.event, row.previous) != row.digest:
        yield ChainFault.EDITED, f"row {number} was changed after it was written"
    if heads.get(number, row.digest) != row.digest:
        yield (
            ChainFault.REWRITTEN,
            f"row {number} is not the one that a kept head knows: the log up to it was made anew",
        )


def _storable(text: str) -> str:
    return str(text).encode(errors="replace").decode().replace("\0", "�")
