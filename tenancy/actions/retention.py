"""What goes by itself, and when: one sweep for each table that would grow for ever. docs/retention.md lists all tables."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from django.conf import settings

from tenancy.actions import (
    deliveries,
    event_rows,
    exchange,
    findings,
    idempotency,
    notices,
    operations,
    services,
    tokens,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def sessions() -> None:
    """Drops browsers' sessions that have ended; Django keeps them until it is told."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


SWEEPS: Final[tuple[Callable[[], object], ...]] = (
    deliveries.sweep,
    event_rows.sweep,
    exchange.sweep,
    findings.sweep,
    idempotency.sweep,
    notices.sweep,
    operations.sweep,
    services.sweep,
    sessions,
    tokens.sweep,
    work.sweep,
)
"""In any order, each by itself; the relay does them every hour."""
