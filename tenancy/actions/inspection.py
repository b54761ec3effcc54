"""What the audit log's keeper does: signs its head, and notes what a look at the chain found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tenancy.actions import audit, audit_rows
from tenancy.actions.unit import atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenancy.rules.chain import Fault, Head

KEEPER: Final = "relay"
TARGET: Final = "audit"
TOLD: Final = 5
"""Faults in one audit row."""


def sign() -> str:
    """The newest signed head; made now if the chain has grown since. Empty before the first row."""
    return audit_rows.sign()


def record(faults: Sequence[Fault], checked: Head | None = None) -> None:
    """Keeps what was found, ``checked`` with how far a whole walk went; that it began to be amiss is audited.

    In two transactions: a row put in behind the head keeps every other from being written.
    """
    before = audit_rows.record(faults, checked)
    if faults and not before:
        told = [{"kind": f.kind, "row": f.sequence, "detail": f.detail} for f in faults[:TOLD]]
        _note("audit.broken", faults=told)
    if before and not faults and checked:
        _note("audit.mended", row=checked.sequence)


@atomic
def _note(action: str, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    audit.note(actor=KEEPER, action=action, target=TARGET, **facts)
