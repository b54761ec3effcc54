"""The cluster's keys and certificates: two authorities that stay, and leaves made anew on every start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import files
from lab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=365)
BACKDATE: Final = timedelta(minutes=5)  # for clocks that were set back a little


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its certificate, PEM."""

    key: bytes
    certificate: bytes

    def save(self, path: Path) -> None:
        """Write ``path``.key (private) and ``path``.crt."""
        files.write(path.with_suffix(".key"), self.key)
        files.write(path.with_suffix(".crt"), self.certificate, mode=0o644)


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The certificate others trust."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        groups: tuple[str, ...] = (),
        hosts: tuple[str | IPv4Address, ...] = (),
    ) -> Pair:
        """Make a certificate for ``name``: a server's where ``hosts`` are given, else a client's."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            _draft(_name(name, groups), self.certificate.subject, key, LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Pair(_key_pem(key), certificate.public_bytes(Encoding.PEM))


def authority(path: Path, name: str) -> Authority:
    """Give the authority kept at ``path``.key and .crt, made on the first call.

    Raises LabError when the files cannot be read.
    """
    if not path.with_suffix(".crt").exists():
        _found(name).save(path)
    try:
        key = load_pem_private_key(path.with_suffix(".key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(path.with_suffix(".crt").read_bytes())
    except (OSError, ValueError) as error:
        raise LabError(
            f"{path}.key or .crt cannot be read ({error}); `./atoll reset` starts afresh"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise LabError(f"{path}.key is of another kind than the lab makes; `./atoll reset` starts afresh")
    return Authority(key, certificate)


def signing_key(path: Path) -> None:
    """Make the key that signs service account tokens at ``path``.key and .pub, if it is not there."""
    if path.with_suffix(".key").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    files.write(path.with_suffix(".pub"), public, mode=0o644)
    files.write(path.with_suffix(".key"), _key_pem(key))


def _found(name: str) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name, ())
    certificate = (
        _draft(subject, subject, key, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(_key_pem(key), certificate.public_bytes(Encoding.PEM))


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    life: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
    )


def _name(name: str, groups: tuple[str, ...]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _names(hosts: tuple[str | IPv4Address, ...]) -> list[x509.GeneralName]:
    return [x509.IPAddress(host) if isinstance(host, IPv4Address) else x509.DNSName(host) for host in hosts]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
