"""Refused writes are written down: who tried what, where, and why it was refused."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError

from tenancy.actions import audit
from tenancy.actions.unit import is_read_only

if TYPE_CHECKING:
    from tenancy.errors import NotAllowed

log = logging.getLogger(__name__)

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def note(error: NotAllowed, *, actor: str, method: str, attempted: str, path: str) -> None:
    """Keeps the refusal of a write, once its transaction was rolled back; a refused look is no decision.

    The answer stays the refusal, whatever becomes of the row.
    """
    if method in READS:
        return
    try:
        audit.denied(actor=actor, action=attempted, target=path, tenant=error.tenant, reason=error.detail)
    except DatabaseError as fault:
        if is_read_only(fault):
            return
        log.exception("the refusal of %s to %s could not be written down", attempted, actor)
