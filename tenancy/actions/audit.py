"""The audit row that every change writes in its own transaction."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from tenancy.models import AuditEvent


def note(*, actor: str, action: str, target: str, tenant: str = "", **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    """Adds a row; refuses to run outside a transaction, or the change could land without it."""
    if not transaction.get_connection().in_atomic_block:
        msg = f"audit of {action} outside the change's transaction"
        raise RuntimeError(msg)
    AuditEvent.objects.create(actor=actor, action=action, target=target, tenant=tenant, facts=facts)
