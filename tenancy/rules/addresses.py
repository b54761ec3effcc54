"""Where Atoll may send what somebody asks it to send: a URL is read as it would be connected to, and judged so.

Whoever names a receiver must not reach through us what only we can reach: our own machine, its network,
a cloud's metadata. Two questions, asked when a URL is saved and again at each connection: what the URL means
(``read``), and whether an address that its name stands for may be connected to (``refusal``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import idna

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LONGEST: Final = 2000
"""Characters of a URL."""
_PORTS: Final = {"https": 443, "http": 80}
_LOWEST_FREE: Final = 1024
"""Ports below belong to services that are no receivers of webhooks: SSH, mail, DNS."""
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_INSIDE: Final = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "svc")
"""Names that no public DNS has."""
_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, at a public address
            "192.0.0.0/24",  # of the IETF; clouds keep metadata in it
            "192.88.99.0/24",  # relays of 6to4
            "3fff::/20",  # documentation
            "5f00::/16",  # segment routing
            "fec0::/10",  # site-local
        ),
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


@dataclass(frozen=True)
class Admitted:
    """What admins allow beyond the rule."""

    ranges: tuple[Network, ...] = ()
    http: bool = False


@dataclass(frozen=True)
class Receiver:
    """Where a URL leads."""

    scheme: str
    host: str
    """A name in ASCII without a dot at its end, or the text of ``address``."""
    port: int
    target: str
    """Path and query."""
    address: Address | None
    """Where the URL names one; in whichever spelling."""

    @property
    def authority(self) -> str:
        """What goes into the ``Host`` header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Refused(Exception):
    """A URL or an address that nothing is sent to; the text says why and what to do."""


def read(url: str, admitted: Admitted) -> Receiver:
    """What a URL means; raises ``Refused``. An address in it is judged, a name has to be looked up first."""
    parts = _split(url, admitted)
    host, address = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    receiver = Receiver(parts.scheme, host, _port(parts), _target(parts), address)
    if address is not None:
        judge([address], admitted)
    elif not admitted.ranges:
        _refuse_inside(host)
    return receiver


def judge(found: Iterable[Address], admitted: Admitted) -> tuple[Address, ...]:
    """All addresses of a name, each of which must be good; raises ``Refused``."""
    addresses = tuple(found)
    if not addresses:
        raise Refused("its name has no address: check its spelling")
    for address in addresses:
        why = refusal(address, admitted)
        if why:
            raise Refused(f"it leads to {address}, {why}: give a receiver on the public Internet")
    return addresses


def refusal(address: Address, admitted: Admitted) -> str:
    """Why nothing is sent to an address; empty where it may be."""
    for meant in _meant(address):
        if not any(meant in allowed for allowed in admitted.ranges if allowed.version == meant.version):
            why = _nature(meant)
            if why:
                return why
    return ""


def ranges(text: str) -> tuple[Network, ...]:
    """``10.0.0.0/8, fd00::/8``; raises ``ValueError`` that names the one that cannot be read."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def _split(url: str, admitted: Admitted) -> SplitResult:
    if len(url) > LONGEST:
        raise Refused(f"it has more than {LONGEST} characters: shorten it")
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise Refused("it holds spaces, backslashes or control characters: percent-encode them")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reads it
    except ValueError as error:
        raise Refused(f"it is no URL ({error}): give one such as https://example.com/hook") from error
    if parts.scheme not in (_PORTS if admitted.http else ("https",)):
        plain = (
            " or http" if admitted.http else ", for what is sent is read by everybody on the way otherwise"
        )
        raise Refused(f"its scheme is {parts.scheme or 'missing'!r}: use https{plain}")
    if "@" in parts.netloc:
        raise Refused("it holds a user name: leave it out, and check the signature instead")
    if "#" in url:
        raise Refused("it holds a fragment, which is never sent: leave it out")
    return parts


def _port(parts: SplitResult) -> int:
    usual = _PORTS[parts.scheme]
    port = usual if parts.port is None else parts.port
    if port != usual and port < _LOWEST_FREE:
        raise Refused(f"port {port} belongs to another service: use {usual}, or one from {_LOWEST_FREE} on")
    return port


def _target(parts: SplitResult) -> str:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii():
        raise Refused("its path holds characters beyond ASCII: percent-encode them")
    return target


def _host(written: str, *, bracketed: bool) -> tuple[str, Address | None]:
    if "%" in written:
        raise Refused("its host holds a percent sign: write the name itself, and no zone")
    if bracketed:
        try:
            address = IPv6Address(written)
        except ValueError as error:
            raise Refused(f"its host is no IPv6 address ({error})") from error
        return str(address), address
    host = _ascii(written)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        four = _four(labels)
        return str(four), four
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - of DNS
        raise Refused(f"{host[:80]!r} is no host name: give one such as example.com")
    return host, None


def _ascii(written: str) -> str:
    """The name that would be looked up: full-width digits, other dots and the like are what they stand for."""
    host = unicodedata.normalize("NFKC", written).replace("\u3002", ".").lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True, std3_rules=True).decode().lower()
        except (idna.IDNAError, UnicodeError) as error:
            raise Refused(f"its host cannot be written in DNS ({error})") from error
    return host.removesuffix(".")


def _four(labels: list[str]) -> IPv4Address:
    """As a browser and the C library read numbers: 0x7f.1, 017700000001 and 2130706433 are all 127.0.0.1."""
    try:
        *first, last = [_number(label) for label in labels]
        value = last if last < 256 ** (4 - len(first)) else -1
        for place, byte in enumerate(first):
            value = value + byte * 256 ** (3 - place) if byte < 256 and value >= 0 else -1  # noqa: PLR2004
        return IPv4Address(value)
    except (ValueError, OverflowError) as error:
        raise Refused("its host ends in a number and is no IPv4 address") from error


def _number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8) if len(label) > 1 and label.startswith("0") else int(label)


def _refuse_inside(host: str) -> None:
    if "." not in host or any(host == name or host.endswith(f".{name}") for name in _INSIDE):
        raise Refused(f"{host!r} is a name of an inner network: give a receiver on the public Internet")


def _meant(address: Address) -> Iterator[Address]:
    """The address itself, or those in it to which a packet would find its way."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = list(_inner(address))
    yield from inner
    if not inner or not (address in _NAT64 or address.ipv4_mapped or address.sixtofour):
        yield address


def _inner(address: IPv6Address) -> Iterator[IPv4Address]:
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if address in _NAT64 or isatap or (address in _COMPATIBLE and int(address) > 1):
        yield last


def _nature(address: Address) -> str:
    """In words; empty for a global address of one machine."""
    named = {
        "this machine's own address": address.is_loopback or address.is_unspecified,
        "a link-local address, where clouds keep their metadata": address.is_link_local,
        "a multicast address": address.is_multicast,
        "a reserved address": any(address in one for one in _NEVER if one.version == address.version),
        "an address of an inner network": not address.is_global
        or (isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST),
    }
    return next((words for words, true in named.items() if true), "")


def parse(text: str) -> Address:
    """An address as a resolver gives it; a zone is cut off, and link-local ones are refused all the same."""
    return ip_address(text.partition("%")[0])
