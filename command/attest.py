"""``./atoll attest verify FILE --keys keys.json``: a signed statement checked offline, by this file alone.

An isolation report, or the receipt of accelerators that came back. It shares no code with the one who signs: what it knows of the format is docs/attestation.md.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from command.terminal import CommandError, say

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

TYPE: Final = "atoll-isolation-report+jws"
FORMAT: Final = "atoll.isolation-report/v1"
RECEIPT: Final = "atoll-reclaim-receipt+jws"
FORMATS: Final = {TYPE: FORMAT, RECEIPT: "atoll.reclaim-receipt/v1"}
"""The header's ``typ`` → the statement's ``format``."""
_MEMBERS: Final = {
    TYPE: {"subject", "policies", "issuedAt", "expiresAt", "verdict", "claims"},
    RECEIPT: {"grant", "tenant", "class", "pool", "amount", "cause", "by", "endedAt", "closedAt", "evidence"},
}
LONGEST: Final = 1_000_000
"""Bytes of a file that is read at all."""
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+")
_MARKS: Final = {"passed": "✓", "failed": "✗", "not-run": "?"}
_CLAIM: Final = ("id", "title", "control", "probe", "source", "at", "result", "evidence")


class Rejected(CommandError):
    """The report proves nothing; says why."""


@dataclass(frozen=True)
class Report:
    """A statement whose signature held."""

    key_id: str
    statement: dict[str, Any]
    kind: str = TYPE


def run(asked: argparse.Namespace) -> int:
    """0 for a true, valid, good report; 1 otherwise."""
    report = verify(_read(asked.file), _read(asked.keys))
    said = report.statement
    if report.kind == RECEIPT:
        for line in describe_receipt(report):
            say(line)
        say("the receipt is genuine: these devices were seen back on the host")
        return 0
    for line in describe(report):
        say(line)
    check_time(said, datetime.now(UTC))
    if not good(said):
        raise Rejected("the signature is genuine, and the verdict is FAILED: see the claims above")
    say("the report is genuine and valid, and every claim passed")
    return 0


def verify(envelope: str, key_set: str) -> Report:
    """The statement; raises ``Rejected`` unless a known key signed exactly this."""
    parts = envelope.strip().split(".")
    if len(parts) != len(("header", "payload", "signature")) or not all(map(_SEGMENT.fullmatch, parts)):
        raise Rejected("this is no report: a JWS has three parts in base64url with dots between")
    header = _object(_decode(parts[0]), "the header")
    if header.keys() != {"alg", "kid", "typ"} or header["alg"] != "EdDSA" or header["typ"] not in FORMATS:
        raise Rejected(
            f"the header is not that of an isolation report or receipt signed with EdDSA: {header}"
        )
    try:
        _key(key_set, header["kid"]).verify(_decode(parts[2]), f"{parts[0]}.{parts[1]}".encode("ascii"))
    except InvalidSignature:
        raise Rejected(
            "the signature does not hold: the report was changed, or another key signed it"
        ) from None
    said = _checked(_object(_decode(parts[1]), "the statement"), header["typ"])
    return Report(header["kid"], said, header["typ"])


def check_time(statement: dict[str, Any], now: datetime) -> None:
    """Raises ``Rejected`` for a report that has expired, or is from the future."""
    issued, expires = (datetime.fromisoformat(statement[key]) for key in ("issuedAt", "expiresAt"))
    if now >= expires:
        raise Rejected(f"the report expired at {statement['expiresAt']}: ask for a new one")
    if now < issued.replace(microsecond=0) and (issued - now).total_seconds() > 300:  # noqa: PLR2004 - clocks differ
        raise Rejected(
            f"the report was issued in the future ({statement['issuedAt']}): look at this machine's clock"
        )


def good(statement: dict[str, Any]) -> bool:
    """Whether the verdict is good and the claims bear it out."""
    claims = statement["claims"]
    return statement["verdict"] is True and bool(claims) and all(c["result"] == "passed" for c in claims)


def describe(report: Report) -> list[str]:
    """The report for people."""
    said, about = report.statement, report.statement["subject"]
    whose = f"{about['tenant']}/{about['cluster']} ({about['uid']}, generation {about['generation']})"
    when = f"issued {said['issuedAt']}, expires {said['expiresAt']}, host policies {said['policies']}"
    head = [
        f"isolation of {whose} on host {about['host']}, namespace {about['namespace']}",
        f"{when}, key {report.key_id}",
    ]
    return [*map(_plain, head), *(_line(claim) for claim in said["claims"])]


def describe_receipt(report: Report) -> list[str]:
    """The receipt for people: what came back, and each step that was seen on the host."""
    said = report.statement
    head = (
        f"{said['amount']} {said['class']} of {said['tenant']} in pool {said['pool']}, grant {said['grant']}"
    )
    when = f"{said['cause']} by {said['by']}: ended {said['endedAt']}, back {said['closedAt']}, key {report.key_id}"
    steps = [
        f"cluster {one['cluster']}: {rung} at {seen['at']}: {json.dumps(seen, sort_keys=True)}"
        for one in said["evidence"]
        for rung, seen in one["rungs"].items()
    ]
    return [_plain(line) for line in (head, when, *(steps or ["no cluster had to give any back"]))]


def _line(claim: dict[str, Any]) -> str:
    words = f"{_MARKS.get(claim['result'], '?')} {claim['id']} {claim['result']} ({claim['source']}): {claim['title']}"
    if claim["result"] != "passed":
        words += f" — control: {claim['control']}; seen: {claim['evidence']}"
    return _plain(words)


def _plain(text: object) -> str:
    """Without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def _key(key_set: str, kid: object) -> Ed25519PublicKey:
    keys = _object(key_set.encode(), "the key set").get("keys")
    for key in keys if isinstance(keys, list) else []:
        if isinstance(key, dict) and key.get("kid") == kid:
            return _public(key)
    raise Rejected(f"the key {_plain(kid)} is not among the given ones: fetch /api/v1/attestation/keys anew")


def _public(key: dict[str, Any]) -> Ed25519PublicKey:
    raw = _decode(str(key.get("x", "")))
    if key.get("kty") != "OKP" or key.get("crv") != "Ed25519" or len(raw) != 32:  # noqa: PLR2004 - Ed25519
        raise Rejected(f"the key {_plain(key.get('kid'))} is no Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(raw)


def _checked(statement: dict[str, Any], kind: str) -> dict[str, Any]:
    """A signed statement of another format must not pass for a report, nor one that lacks parts."""
    if statement.get("format") != FORMATS[kind]:
        raise Rejected(
            f"the statement's format is {_plain(statement.get('format'))}, not {FORMATS[kind]}: use a newer atoll"
        )
    lacking = _MEMBERS[kind] - statement.keys()
    if lacking or any(set(_CLAIM) - claim.keys() for claim in statement.get("claims", ())):
        raise Rejected(f"the statement is not whole: {', '.join(sorted(lacking)) or 'a claim'} lacks")
    return statement


def _decode(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Rejected("this is no report: a part of it is not base64url") from None


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Rejected(f"{what} is no JSON object")
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LONGEST + 1)
    except OSError as error:
        raise Rejected(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > LONGEST:
        raise Rejected(f"{path} is larger than any report")
    try:
        return raw.decode("ascii") if path.suffix == ".jws" else raw.decode()
    except UnicodeDecodeError as error:
        raise Rejected(f"{path} holds no text") from error
