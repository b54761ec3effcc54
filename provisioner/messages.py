"""Events on their way to webhooks: no pass over one object, but a sender at all of them (``reconcile/sending.py``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.adapters.receivers import Receivers
from provisioner.reconcile import sending
from tenancy.queries import webhooks

if TYPE_CHECKING:
    from uuid import UUID


def deliver(first: UUID) -> int:
    """Sends what waits for one webhook, and meanwhile for all others; how many messages it sent."""
    sender = sending.Sender(Receivers(webhooks.admitted()))
    sender.run(first)
    return sender.sent
