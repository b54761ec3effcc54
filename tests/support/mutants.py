"""Faults to plant into the ledger and the workflow: each breaks one rule of gpu-quotas.md, and random lives must find it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tenancy.actions import admission, allocations, balances, grants, request_rows
from tenancy.actions import requests as asking
from tenancy.grant_enums import RequestState, RequestVerb, Rung
from tenancy.queries import accelerators, weighing
from tenancy.queries import grants as known
from tenancy.rules import accelerators as stock
from tenancy.rules import ledger, requests

if TYPE_CHECKING:
    from collections.abc import Callable


class Planted:
    """A fault in Atoll's code, for a while; whether anybody came by it."""

    def __init__(self, patch):
        self._patch, self.ran = patch, 0

    def put(self, owner, name, value, **how):
        """A function in the place of another one, or where there was none."""

        def counted(*args, **kwargs):
            self.ran += 1
            return value(*args, **kwargs)

        self._patch.setattr(owner, name, counted, **how)

    def table(self, owner, name, key, value):
        """One row of a table that is asked for by ``get``."""
        self._patch.setattr(owner, name, _Table(self, key, {**getattr(owner, name), key: value}))


class _Table(dict[Any, Any]):
    def __init__(self, planted, key, rows):
        super().__init__(rows)
        self._planted, self._key = planted, key

    def get(self, key, default=None):
        self._planted.ran += key == self._key
        return super().get(key, default)


@dataclass(frozen=True)
class Fault:
    """What is broken, and all that needs to happen for it to show."""

    plant: Callable[[Planted], None]
    rules: tuple[str, ...]
    """Of a ``Life``; others do not happen."""


def set_(owner, name, value, *rules, **how):
    """Something else in its place."""
    return Fault(lambda planted: planted.put(owner, name, value, **how), rules)


def wrap(owner, name, make, *rules):
    """Something around it."""
    return Fault(lambda planted: planted.put(owner, name, make(getattr(owner, name))), rules)


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


def _twice(planted):
    key = (RequestState.APPROVED, RequestVerb.APPROVE)
    planted.table(requests, "TRANSITIONS", key, RequestState.APPROVED)


def _takes_less(real):
    """A second yes that the first one did not see."""
    return lambda amount, two_from: real(amount - 1, two_from)


FAULTS = {
    "one more than there is": wrap(
        ledger.Room, "free", lambda real: lambda *a: real(*a) + 1, "exact_fit", "days_pass"
    ),
    "one less than there is": wrap(
        ledger.Room, "free", lambda real: lambda *a: max(0, real(*a) - 1), "exact_fit", "days_pass"
    ),
    "cordoned nodes count": set_(stock, "healthy", lambda _: True, "node", "exact_fit"),
    "what is over is free at once": wrap(
        weighing, "promise", _pool_freed_at_the_end, "exact_fit", "days_pass"
    ),
    "a grant is never closed": set_(grants, "close", nothing, "days_pass", "provisioner_follows"),
    "a grant is closed before its devices are back": set_(
        grants, "sum", lambda _: 0, "days_pass", "pods_start", raising=False
    ),
    "a grant outlives its last day": set_(grants, "_expire", nothing, "days_pass"),
    "a grant begins before its devices are back": set_(
        grants, "_free", lambda *_: True, "next_in_line", "days_pass"
    ),
    "a grant that begins is given to nobody": set_(grants, "begun_all", nothing, "put", "approve"),
    "what is over is decided all the same": set_(
        admission, "refuse_stale", nothing, "submit", "days_pass", "suspend", "approve"
    ),
    "nothing lapses": set_(request_rows, "lapsed", lambda *_: False, "submit", "days_pass"),
    "four eyes skipped": set_(requests, "refuse_own", nothing, "submit", "approve"),
    "one admin agrees twice": wrap(request_rows, "standing", _no_second_agreement, "exact_fit"),
    "who changed a wish decides it": wrap(request_rows, "standing", _reason_alone, "put", "approve"),
    "one admin is enough": set_(requests, "needs_two", lambda *_: False, "exact_fit"),
    "two admins from one device more": wrap(requests, "needs_two", _takes_less, "exact_fit"),
    "policy lets everything pass": set_(ledger, "modest", lambda *_: True, "submit"),
    "the tenant's limit is ignored": set_(accelerators, "limits_of", lambda *_: {}, "limit", "exact_fit"),
    "a deficit freezes nothing": set_(ledger.Room, "deficit", lambda *_: 0, "node", "exact_fit"),
    "more days are not weighed": wrap(known, "asked", _extension_unweighed, "next_in_line", "extend"),
    "a decided request is approved again": Fault(_twice, ("submit", "approve")),
    "a second open request": set_(asking, "_refuse_second", nothing, "submit"),
    "the kept sum is not kept": set_(balances, "promised", nothing, "exact_fit"),
    "what a cluster still holds is given to another": wrap(allocations, "_wants", _without_held, "put"),
    "a resize down frees too early": wrap(
        allocations, "_write", _frees_too_early, "put", "pods_start", "provisioner_follows"
    ),
    "the first rung gives back": wrap(
        allocations, "stepped", _first_rung_is_the_last, "put", "pods_start", "provisioner_follows"
    ),
    "findings hold nothing back": set_(allocations, "_frozen", lambda _: False, "reality", "put", "approve"),
    "decisions are not written down": set_(request_rows, "_note", nothing, "submit"),
}
"""What is broken → how, and by what it shows."""
