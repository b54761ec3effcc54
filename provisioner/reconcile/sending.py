"""One pass over a webhook: sends what waits for it, oldest first, until something fails or its time is used up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from provisioner.outcomes import Done, LeaseLost, Wait
from tenancy.enums import Reason
from tenancy.queries import webhooks
from tenancy.rules import webhooks as rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from provisioner.outcomes import Outcome
    from provisioner.ports import Guard, Senders
    from tenancy.rules.webhooks import Answer

BUDGET: Final = 15.0
"""Seconds after which a worker turns to something else; the rest is sent in the next pass."""


def send(hook: UUID, receivers: Senders, tried: Callable[[UUID, Answer], bool], guard: Guard) -> Outcome:
    """At least once: a worker that dies between sending and writing sends it again, under the same id."""
    until = time.monotonic() + BUDGET
    while True:
        found = webhooks.next_message(hook)
        if found is None:
            return Done()
        if isinstance(found, float):
            return Wait(found, Reason.WAITING, "the receiver is tried again")
        if time.monotonic() > until:
            return Wait(0, Reason.WAITING, "more is on its way")
        guard.check()
        headers = rules.headers(found.identifier, timezone.now(), found.body, found.keys)
        answer = receivers.post(found.url, headers, found.body.encode())
        if not tried(found.delivery, answer):
            msg = f"what {found.identifier} came to was seen too late: the lease is lost"
            raise LeaseLost(msg)
