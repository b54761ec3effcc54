"""Checks a bundle of Atoll's audit log offline: ``python3 audit_verify.py BUNDLE [--heads FILE …] [--keys FILE]``.

This file needs nothing but Python: copy it and the bundle to wherever you trust. It shares no code
with the one who wrote the log; what it knows of the format is docs/audit.md.

Exit status: 0 the log is as it was written; 1 it is not, the lines say which row and what was done;
2 a file cannot be read or is no such thing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLE = "atoll.audit-bundle/v1"
ROW = "atoll.audit/v1"
HEAD = "atoll.audit-head/v1"
TYPE = "atoll-audit-head+jws"
BEFORE = "0" * 64
"""The fingerprint before the first row."""
TEXTS = ("at", "actor", "action", "tenant", "target", "previous", "digest")
DIGEST = re.compile("[0-9a-f]{64}")
LONGEST = 10_000_000
"""Characters of one line."""
TOLD = 20
"""Faults that are told one by one."""
SOUND, BROKEN, UNREADABLE = 0, 1, 2
NEXT = """\
What it means: somebody who can write the database changed the log after it was written, or the file was
damaged on its way here. What next: export once more and compare; keep every file as it is; look with --heads
at heads that were kept elsewhere (the relay's folder "audit", its log, earlier bundles); see docs/audit.md."""
OWN_KEYS = """\
Note: the keys came with the bundle itself. Fetch /api/v1/attestation/keys once over a way you trust, and give --keys."""
NO_HEADS = """\
Note: without --heads nobody can tell whether the end was cut before the export, or all of it made anew by
somebody who has the signing key, too."""


class UnreadableError(Exception):
    """A file is not what it should be; says what to do."""


class Head:
    """The end of the log at some time, as Atoll signed it."""

    def __init__(self, envelope: str, name: str) -> None:
        parts = envelope.strip().split(".")
        header, said = (_json(_decoded(part), name) for part in parts[:2]) if len(parts) == 3 else ({}, {})  # noqa: PLR2004 - a JWS
        kind = {key: header.get(key) for key in ("alg", "typ")}
        if header.keys() != {"alg", "kid", "typ"} or kind != {"alg": "EdDSA", "typ": TYPE}:
            raise UnreadableError(
                f"{name} is no signed head: give heads whole, as Atoll wrote them, one a line"
            )
        number, self.digest = said.get("sequence"), str(said.get("digest"))
        if said.get("format") != HEAD or not _is_count(number) or not DIGEST.fullmatch(self.digest):
            raise UnreadableError(
                f"{name} is a head of another format, not {HEAD}: use a newer audit_verify.py"
            )
        self.sequence, self.at = int(str(number)), plain(said.get("at"))
        self.kid = str(header["kid"])
        self._signed, self._signature = f"{parts[0]}.{parts[1]}".encode(), _decoded(parts[2])

    def genuine(self, keys: dict[str, bytes]) -> bool:
        """Whether the key that it names is one of ours, and signed it."""
        return self.kid in keys and verified(keys[self.kid], self._signed, self._signature)


class Bundle:
    """A log under examination: where it came to, and what is wrong."""

    def __init__(self, lines: Iterator[str], kept: list[Head], keys: dict[str, bytes]) -> None:
        first = _json(next(lines, ""), "line 1")
        if first.get("format") != BUNDLE or not {"from", "to", "head", "keys"} <= first.keys():
            raise UnreadableError(
                f"this is no audit bundle: its first line says {plain(first.get('format'))}, not {BUNDLE}"
            )
        self.head = Head(str(first["head"]), "the bundle's head")
        self.begin: int = first["from"] if _is_count(first["from"]) else 1
        self.faults: list[str] = []
        self.count = 0
        self._lines, self._kept = lines, kept
        self._keys = keys or key_set(first)
        self._last, self._before = self.begin - 1, BEFORE if self.begin == 1 else ""

    def examine(self) -> list[str]:
        """Every fault, in the order of the rows."""
        if not self.head.genuine(self._keys):
            self.faults.append(
                f"the bundle's head is not signed by key {plain(self.head.kid)} of the given ones: it is forged, or fetch the keys anew"
            )
        heads: dict[int, list[Head]] = {}
        for head in [*self._kept, self.head]:
            heads.setdefault(head.sequence, []).append(head)
        self._compare(self._last, self._before, heads)
        for number, line in enumerate(self._lines, 2):
            row = _row(line, f"line {number}")
            self.faults += self._wrong(row)
            self._compare(row["sequence"], row["digest"], heads)
            if row["sequence"] > self._last:
                self._last, self._before = row["sequence"], row["digest"]
            self.count += 1
        self.faults += self._ending()
        return self.faults

    def _wrong(self, row: dict[str, Any]) -> Iterator[str]:
        number, what = row["sequence"], plain(f"{row['at']} {row['actor']} {row['action']} {row['target']}")
        if number <= self._last:
            yield f"row {number} comes behind row {self._last}: it was moved, or is there twice"
        elif number > self._last + 1:
            yield f"{_span(self._last + 1, number - 1)} missing before row {number}: deleted, or given another number"
        elif self._before and row["previous"] != self._before:
            yield f"row {number} was not written after row {number - 1} as that is now: one of the two was replaced or put in"
        if fingerprint(row) != row["digest"]:
            yield f"row {number} was changed after it was written; it now says: {what}"

    def _compare(self, number: int, digest: str, heads: dict[int, list[Head]]) -> None:
        """A row against each head that knows it; only one that is genuine may contradict it."""
        for head in heads.get(number, []):
            if not digest and head.genuine(self._keys):
                self._before = head.digest
            elif digest and head.digest != digest and head.genuine(self._keys):
                self.faults.append(
                    f"row {number} is not the one that the head signed at {head.at} knows: the log up to it was made anew"
                )
            elif head.digest != digest and not head.genuine(self._keys) and head is not self.head:
                self.faults.append(
                    f"the kept head of row {number} is not signed by a given key: it is forged, or fetch the keys anew"
                )

    def _ending(self) -> Iterator[str]:
        end = self.head.sequence
        if self._last < end:
            yield f"{_span(self._last + 1, end)} missing at the end: the bundle's signed head knows of them"
        if self._last > end:
            yield f"row {end + 1} lies behind the signed head: it was put in"
        beyond = [head for head in self._kept if head.sequence > end]
        for head in beyond[-1:]:
            if head.genuine(self._keys):
                yield (
                    f"the head signed at {head.at} knows of rows up to {head.sequence}, the bundle ends with row {end}:"
                    " the log's end was cut and an older head put in its place, or the bundle is older than the head (then export anew)"
                )
            else:
                yield f"the kept head of row {head.sequence} is not signed by a given key: it is forged, or fetch the keys anew"


def main(argv: list[str] | None = None) -> int:
    """Tells what was found; gives the exit status."""
    parser = argparse.ArgumentParser(
        description=str(__doc__).partition("\n\n")[0],
        epilog="Exit status: 0 sound, 1 tampered with, 2 unreadable.",
    )
    options(parser)
    asked = parser.parse_args(argv)
    return run(asked.bundle, asked.heads, asked.keys)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be given."""
    parser.add_argument(
        "bundle", type=Path, help="as ./atoll audit export or GET /api/v1/audit/export gave it"
    )
    parser.add_argument(
        "--heads",
        type=Path,
        action="append",
        default=[],
        help="signed heads kept elsewhere: a file of them, an earlier bundle, or the relay's folder; may be repeated",
    )
    parser.add_argument(
        "--keys",
        type=Path,
        help="the published keys: GET /api/v1/attestation/keys, fetched over a way you trust",
    )


def run(bundle: Path, heads: list[Path], keys: Path | None) -> int:
    """As ``main``, with the arguments read."""
    try:
        trusted = key_set(_json("".join(_lines(keys)), str(keys))) if keys else {}
        found = Bundle(_lines(bundle), kept(heads), trusted)
        faults = found.examine()
    except UnreadableError as error:
        sys.stderr.write(f"audit: {error}\n")
        return UNREADABLE
    for line in report(found, faults, heads=bool(heads), keys=bool(keys)):
        sys.stdout.write(line + "\n")
    return BROKEN if faults else SOUND


def report(found: Bundle, faults: list[str], *, heads: bool, keys: bool) -> Iterator[str]:
    """What was found, for people."""
    head = found.head
    yield f"audit log, rows {found.begin} to {head.sequence}: {found.count} rows read, signed {head.at} by key {plain(head.kid)}"
    for fault in faults[:TOLD]:
        yield f"✗ {fault}"
    if len(faults) > TOLD:
        yield f"✗ and {len(faults) - TOLD} faults more"
    if faults:
        yield "BROKEN: the log is not as it was written."
        yield NEXT
        return
    yield f"✓ the log is as it was written: every row is there, unchanged and in its place, up to row {head.sequence}"
    yield from () if keys else (OWN_KEYS,)
    yield from () if heads else (NO_HEADS,)


def kept(places: list[Path]) -> list[Head]:
    """The heads in these files, the one of the lowest row first; in bundles, the bundle's own."""
    found = []
    for place in places:
        for path in sorted(place.glob("*.jws")) if place.is_dir() else [place]:
            for number, line in enumerate(_lines(path), 1):
                name = f"{path}, line {number},"
                if line.startswith("{"):
                    found.append(Head(str(_json(line, name).get("head")), name))
                    break
                if line.strip():
                    found.append(Head(line, name))
    return sorted(found, key=lambda head: head.sequence)


def fingerprint(row: dict[str, Any]) -> str:
    """SHA-256 over all that a row holds, under the format's name."""
    content = {**{key: value for key, value in row.items() if key != "digest"}, "format": ROW}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def key_set(published: dict[str, Any]) -> dict[str, bytes]:
    """Public keys by their thumbprints (RFC 7638), which are computed, not believed."""
    found = published.get("keys")
    keys = {}
    for key in found if isinstance(found, list) else []:
        raw = _decoded(str(key.get("x", ""))) if isinstance(key, dict) else b""
        if len(raw) == 32:  # noqa: PLR2004 - Ed25519
            text = f'{{"crv":"Ed25519","kty":"OKP","x":"{urlsafe_b64encode(raw).rstrip(b"=").decode()}"}}'
            keys[urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()] = raw
    if not keys:
        raise UnreadableError("there is no Ed25519 key among the given ones: fetch /api/v1/attestation/keys")
    return keys


def plain(text: object) -> str:
    """Without what would steer a terminal, and not endless."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:300]


def _row(line: str, name: str) -> dict[str, Any]:
    row = _json(line, name)
    whole = row.keys() == {*TEXTS, "sequence", "facts"} and all(isinstance(row[key], str) for key in TEXTS)
    if not whole or isinstance(row["sequence"], bool) or not isinstance(row["sequence"], int):
        raise UnreadableError(f"{name} is no row of an audit log: export again")
    return row


def _json(text: str | bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnreadableError(
            f"{name} is no JSON object, or has a key twice: the file is damaged, export again"
        )
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """What is told twice could be read in two ways."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            while line := file.readline(LONGEST):
                if len(line) == LONGEST:
                    raise UnreadableError(
                        f"{path} has a line that is longer than any of ours: it is no such file"
                    )
                yield line
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it holds no text'}"
        ) from error


def _span(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


# Ed25519 (RFC 8032, 5.1.7), plainly: no secret is handled here, so it need not be fast or even in time.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]  # x, y, z, and x·y/z


def verified(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this public key's owner signed the message."""
    place, point = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or place is None or point is None or scalar >= _L:  # noqa: PLR2004 - Ed25519
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    left, right = _times(scalar, _base()), _sum(point, _times(challenge, place))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % _P == 0


def _base() -> _Point:
    found = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert found is not None  # noqa: S101 - a constant of the curve
    return found


def _point(raw: bytes) -> _Point | None:
    number = int.from_bytes(raw, "little")
    odd, y = number >> 255, number & ((1 << 255) - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if len(raw) != 32 or y >= _P or (x * x - square) % _P or (x == 0 and odd):  # noqa: PLR2004 - Ed25519
        return None
    x = _P - x if x & 1 != odd else x
    return x, y, 1, x * y % _P


def _sum(one: _Point, other: _Point) -> _Point:
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % _P, (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(number: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while number:
        total = _sum(total, point) if number & 1 else total
        point, number = _sum(point, point), number >> 1
    return total


if __name__ == "__main__":
    raise SystemExit(main())
