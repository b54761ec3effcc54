"""A notice by mail to whom it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.adapters import mail
from provisioner.outcomes import Done
from tenancy.actions import notices
from tenancy.queries import mail as letters

if TYPE_CHECKING:
    from provisioner.outcomes import Outcome
    from provisioner.reconcile.holding import Holding
    from tenancy.actions.work import Lease


def run(lease: Lease, held: Holding) -> Outcome:
    """Hands one mail to the mail server."""
    letter = letters.unsent(lease.object_id)
    if letter is None:
        return Done()
    held.check()
    mail.send(letter.to, letter.subject, letter.body)
    # A worker that dies in between sends it twice: better than never.
    notices.sent(letter.uid)
    return Done()
