"""Faults to plant into the ledger and the workflow: each breaks one rule of gpu-quotas.md, and random lives must find it."""

from __future__ import annotations

from dataclasses import replace

from tenancy.actions import admission, allocations, balances, grants, request_rows
from tenancy.actions import requests as asking
from tenancy.grant_enums import RequestState, RequestVerb, Rung
from tenancy.queries import accelerators, weighing
from tenancy.queries import grants as known
from tenancy.rules import accelerators as stock
from tenancy.rules import ledger, requests


def set_(owner, name, value):
    """Something else in its place."""
    return lambda patch: patch.setattr(owner, name, value)


def wrap(owner, name, make):
    """Something around it."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def nothing(*_, **__):
    return None


def _frees_too_early(real):
    def write(books, account, share, ways):
        changed = real(books, account, share, ways)
        row = books.open.get((share.cluster, account.accelerator))
        if row is not None and row.target and row.held > row.target:
            row.held = row.target
            row.save(update_fields=["held"])
        return changed

    return write


def _first_rung_is_the_last(real):
    return lambda lease, uid, share, _, *seen: real(lease, uid, share, Rung.CONFIRM, *seen)


def _without_held(real):
    return lambda books, account: [replace(want, held=want.target) for want in real(books, account)]


def _extension_unweighed(real):
    def asked(request):
        terms = real(request)
        return replace(terms, amount=0) if request.extends is not None else terms

    return asked


def _no_second_agreement(real):
    return lambda request: replace(real(request), endorsed_by="")


def _reason_alone(real):
    """Four eyes for whoever made the wish, and not for whoever changed it."""
    return lambda request: replace(real(request), asked_by=frozenset({request.requested_by}))


def _pool_freed_at_the_end(real):
    def promise(grant, today):
        made = real(grant, today)
        return made if made.ends_on is not None else replace(made, ends_on=grant.ends_on)

    return promise


def _twice(patch):
    again = {**requests.TRANSITIONS, (RequestState.APPROVED, RequestVerb.APPROVE): RequestState.APPROVED}
    patch.setattr(requests, "TRANSITIONS", again)


def _takes_less(real):
    """A second yes that the first one did not see."""
    return lambda amount, two_from: real(amount - 1, two_from)


FAULTS = {
    "one more than there is": wrap(ledger.Room, "free", lambda real: lambda *a: real(*a) + 1),
    "one less than there is": wrap(ledger.Room, "free", lambda real: lambda *a: max(0, real(*a) - 1)),
    "cordoned nodes count": set_(stock, "healthy", lambda _: True),
    "what is over is free at once": wrap(weighing, "promise", _pool_freed_at_the_end),
    "a grant is never closed": set_(grants, "close", nothing),
    "a grant is closed before its devices are back": lambda patch: patch.setattr(
        grants, "sum", lambda _: 0, raising=False
    ),
    "a grant outlives its last day": set_(grants, "_expire", nothing),
    "a grant begins before its devices are back": set_(grants, "_free", lambda *_: True),
    "a grant that begins is given to nobody": set_(grants, "begun_all", nothing),
    "what is over is decided all the same": set_(admission, "refuse_stale", nothing),
    "nothing lapses": set_(request_rows, "lapsed", lambda *_: False),
    "four eyes skipped": set_(requests, "refuse_own", nothing),
    "one admin agrees twice": wrap(request_rows, "standing", _no_second_agreement),
    "who changed a wish decides it": wrap(request_rows, "standing", _reason_alone),
    "one admin is enough": set_(requests, "needs_two", lambda *_: False),
    "two admins from one device more": wrap(requests, "needs_two", _takes_less),
    "policy lets everything pass": set_(ledger, "modest", lambda *_: True),
    "the tenant's limit is ignored": set_(accelerators, "limits_of", lambda *_: {}),
    "a deficit freezes nothing": set_(ledger.Room, "deficit", lambda *_: 0),
    "more days are not weighed": wrap(known, "asked", _extension_unweighed),
    "a decided request is approved again": _twice,
    "a second open request": set_(asking, "_refuse_second", nothing),
    "the kept sum is not kept": set_(balances, "promised", nothing),
    "what a cluster still holds is given to another": wrap(allocations, "_wants", _without_held),
    "a resize down frees too early": wrap(allocations, "_write", _frees_too_early),
    "the first rung gives back": wrap(allocations, "stepped", _first_rung_is_the_last),
    "findings hold nothing back": set_(allocations, "_frozen", lambda _: False),
    "decisions are not written down": set_(request_rows, "_note", nothing),
}
"""What is broken → how."""
