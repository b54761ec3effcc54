"""The audit log as a bundle that is verified offline: docs/audit.md has its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tenancy.errors import FieldError, Invalid, Unavailable
from tenancy.queries import audit, reports
from tenancy.rules import attestation, chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenancy.rules.chain import Head, Row

FORMAT: Final = "atoll.audit-bundle/v1"


def lines(first: int = 1) -> Iterator[str]:
    """JSON, one object a line: what the bundle is, then each row from ``first`` to the signed head.

    What is younger than the signature, seconds as a rule, comes with the next bundle.
    """
    signed, end = _signed()
    if not 1 <= first <= end.sequence:
        detail = f"give a row from 1 to {end.sequence}, the last one that is signed"
        raise Invalid(f"query.from: {detail}", errors=(FieldError("query.from", "out-of-range", detail),))
    head = {"format": FORMAT, "from": first, "to": end.sequence, "head": signed, "keys": reports.keys()}
    return _written(head, first, end.sequence)


def _signed() -> tuple[str, Head]:
    envelope = audit.head().signed
    head = audit.read_head(envelope)
    if head is None:
        msg = "no head of the audit log is signed yet: the relay does so within 10 seconds, try again"
        raise Unavailable(msg)
    return envelope, head


def _written(head: dict[str, Any], first: int, last: int) -> Iterator[str]:
    yield attestation.canonical(head) + "\n"
    after = first - 1
    while batch := audit.rows(after, last=last):
        yield "".join(attestation.canonical(_row(row)) + "\n" for row in batch)
        after = batch[-1].sequence


def _row(row: Row) -> dict[str, Any]:
    event = row.event
    return {
        "sequence": row.sequence,
        "at": chain.stamp(event.at),
        "actor": event.actor,
        "action": event.action,
        "tenant": event.tenant,
        "target": event.target,
        "facts": event.facts,
        "previous": row.previous,
        "digest": row.digest,
    }
