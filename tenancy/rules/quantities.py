"""Kubernetes quantities: read ("500m", "8Gi"), compare, add and write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_SUFFIXES: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(1000),
    "M": Decimal(1000) ** 2,
    "G": Decimal(1000) ** 3,
    "T": Decimal(1000) ** 4,
    "P": Decimal(1000) ** 5,
    "Ki": Decimal(1024),
    "Mi": Decimal(1024) ** 2,
    "Gi": Decimal(1024) ** 3,
    "Ti": Decimal(1024) ** 4,
    "Pi": Decimal(1024) ** 5,
}
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(n|u|m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi|)")


def parse(text: str) -> Decimal:
    """The value in base units (cores, bytes); ``ValueError`` for anything else or below zero."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        msg = f"{text!r} is not a quantity such as '500m', '4' or '8Gi'"
        raise ValueError(msg)
    number, suffix = match.groups()
    return Decimal(number) * _SUFFIXES[suffix]


def millis(value: Decimal) -> str:
    """CPU for Kubernetes, in thousandths of a core, rounded up."""
    return f"{_ceil(value * 1000)}m"


def cores(value: Decimal) -> str:
    """CPU as short as Kubernetes writes it."""
    return str(int(value)) if value == int(value) else millis(value)


def mebibytes(value: Decimal) -> str:
    """Memory or storage for Kubernetes, in MiB, rounded up."""
    return f"{_ceil(value / _SUFFIXES['Mi'])}Mi"


def _ceil(value: Decimal) -> int:
    return int(value.to_integral_value(rounding="ROUND_CEILING"))
