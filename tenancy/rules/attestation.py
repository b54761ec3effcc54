"""Isolation reports: what a claim is, and the statement made of claims.

The format is JWS (RFC 7515), compact, EdDSA over Ed25519 (RFC 8037); docs/attestation.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenancy.enums import ClaimResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

TYPE: Final = "atoll-isolation-report+jws"
"""The header's ``typ`` of a report: what else these keys sign has another."""
ALGORITHM: Final = "EdDSA"
FORMAT: Final = "atoll.isolation-report/v1"


@dataclass(frozen=True)
class Claim:
    """One thing that was looked at, and what was seen."""

    id: str
    title: str
    control: str
    """What on the host is to be mended when it fails."""
    probe: str
    """How it was looked at."""
    source: str
    """``host``: read from the host alone. ``tenant``: told through the tenant's API."""
    at: datetime
    result: ClaimResult
    evidence: str


@dataclass(frozen=True)
class Subject:
    """Whom a report is about."""

    tenant: str
    cluster: str
    uid: str
    generation: int
    namespace: str
    host: str


@dataclass(frozen=True)
class Signed:
    """A statement and its signature."""

    statement: str
    envelope: str
    key_id: str


def verdict(claims: Sequence[Claim]) -> bool:
    """Whether every claim passed; without claims nothing was shown."""
    return bool(claims) and all(claim.result is ClaimResult.PASSED for claim in claims)


def failures(claims: Iterable[Claim]) -> str:
    """The claims that did not pass, each with its control, for people; empty when all did."""
    bad = [c for c in claims if c.result is not ClaimResult.PASSED]
    return "; ".join(f"{c.id} ({c.control}): {c.evidence}" for c in bad)


def statement(
    subject: Subject,
    claims: Sequence[Claim],
    *,
    report: str,
    policies: str,
    issued: datetime,
    expires: datetime,
) -> str:
    """Canonical JSON: sorted keys, no white space, so that equal reports are equal bytes."""
    return canonical(
        {
            "format": FORMAT,
            "report": report,
            "subject": {
                "tenant": subject.tenant,
                "cluster": subject.cluster,
                "uid": subject.uid,
                "generation": subject.generation,
                "namespace": subject.namespace,
                "host": subject.host,
            },
            "policies": policies,
            "issuedAt": stamp(issued),
            "expiresAt": stamp(expires),
            "verdict": verdict(claims),
            "claims": [_claim(claim) for claim in claims],
        }
    )


def sign(keys: Sequence[str], text: str, *, kind: str = TYPE) -> Signed:
    """Signs with the newest key (the first); ``kind`` is the header's ``typ``."""
    key = private(keys[0])
    kid = key_id(key)
    header = canonical({"alg": ALGORITHM, "kid": kid, "typ": kind})
    signed = f"{encode(header.encode())}.{encode(text.encode())}"
    return Signed(text, f"{signed}.{encode(key.sign(signed.encode()))}", kid)


def opened(keys: Sequence[str], envelope: str, *, kind: str) -> str | None:
    """The text that one of these keys signed as this kind; None for anything else."""
    header, _, rest = envelope.strip().partition(".")
    body, _, signature = rest.partition(".")
    for key in map(private, keys):
        if header != encode(canonical({"alg": ALGORITHM, "kid": key_id(key), "typ": kind}).encode()):
            continue
        with contextlib.suppress(InvalidSignature, ValueError):
            key.public_key().verify(decode(signature), f"{header}.{body}".encode())
            return decode(body).decode()
    return None


def published(keys: Sequence[str]) -> list[dict[str, str]]:
    """The public halves as JWK (RFC 7517), newest first."""
    return [
        {**_thumbprinted(found), "kid": key_id(found), "use": "sig", "alg": ALGORITHM}
        for found in map(private, keys)
    ]


def new_key() -> str:
    """A fresh private key as settings hold it."""
    return encode(Ed25519PrivateKey.generate().private_bytes_raw())


def private(text: str) -> Ed25519PrivateKey:
    """Of settings: 32 bytes in base64url; raises ``ValueError`` for anything else."""
    return Ed25519PrivateKey.from_private_bytes(decode(text.strip()))


def key_id(key: Ed25519PrivateKey) -> str:
    """The thumbprint of RFC 7638: whoever has the public key can compute it."""
    return encode(hashlib.sha256(canonical(_thumbprinted(key)).encode()).digest())


def canonical(value: object) -> str:
    """One spelling of each value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(raw: bytes) -> str:
    """base64url without padding, as JOSE writes it."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of ``encode``."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _thumbprinted(key: Ed25519PrivateKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": encode(key.public_key().public_bytes_raw())}


def _claim(claim: Claim) -> Mapping[str, Any]:
    return {
        "id": claim.id,
        "title": claim.title,
        "control": claim.control,
        "probe": claim.probe,
        "source": claim.source,
        "at": stamp(claim.at),
        "result": claim.result.value,
        "evidence": claim.evidence,
    }
