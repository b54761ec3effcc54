"""Passes that send something to the outside: a notice by mail, events to a webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.adapters import mail
from provisioner.adapters.receivers import Receivers
from provisioner.outcomes import Done
from provisioner.reconcile import sending
from tenancy.actions import notices
from tenancy.queries import mail as letters
from tenancy.queries import webhooks

if TYPE_CHECKING:
    from uuid import UUID

    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease


def notice(lease: Lease, held: Holding) -> Outcome:
    """Hands one mail to the mail server."""
    letter = letters.unsent(lease.object_id)
    if letter is None:
        return Done()
    held.check()
    mail.send(letter.to, letter.subject, letter.body)
    # A worker that dies in between sends it twice: better than never.
    notices.sent(letter.uid)
    return Done()


def deliver(first: UUID) -> int:
    """Sends what waits for one webhook, and meanwhile for all others; how many messages it sent."""
    sender = sending.Sender(Receivers(webhooks.admitted()))
    sender.run(first)
    return sender.sent
