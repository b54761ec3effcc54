"""Telling people: a row in their inbox, in the transaction of what it tells; mail follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from tenancy import policy
from tenancy.actions import work
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole, Role, WorkKind
from tenancy.models import Membership, Notice, User
from tenancy.queries import notices as known
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from tenancy.models import Tenant
    from tenancy.policy import Actor

KEPT: Final = timedelta(days=90)
_ASK: tuple[Role, ...] = (Role.MEMBER, Role.OWNER)


@dataclass(frozen=True)
class Letter:
    """What some people are told."""

    users: Iterable[User]
    key: str
    subject: str
    body: str
    link: str = ""


def tell(users: Iterable[User], *, key: str, subject: str, body: str, link: str = "") -> None:
    """Once for each person and key; refuses to run outside the transaction of what it tells."""
    tell_all([Letter(users, key, subject, body, link)])


def tell_all(letters: Iterable[Letter]) -> None:
    """The same for several."""
    if not transaction.get_connection().in_atomic_block:
        msg = f"notices outside the change's transaction: {', '.join(letter.key for letter in letters)}"
        raise RuntimeError(msg)
    rows = [
        Notice(user=user, key=one.key, subject=one.subject[:200], body=one.body, link=one.link)
        for one in letters
        for user in one.users
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    work.begin(WorkKind.NOTICE, [row.uid for row in rows if row.user.email])


def those_who_ask(tenants: Iterable[Tenant]) -> dict[UUID, list[User]]:
    """Tenant → its people who may ask for devices."""
    found: dict[UUID, list[User]] = {tenant.pk: [] for tenant in tenants}
    asking = [role.value for role in _ASK]
    rows = Membership.objects.filter(tenant__in=list(found), role__in=asking, user__is_active=True)
    for row in rows.select_related("user"):
        found[row.tenant_id].append(row.user)
    return found


def approvers(*, but: Iterable[str] = ()) -> list[User]:
    """The people who decide, without some of them."""
    rows = User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True)
    return list(rows.exclude(username__in=but))


@atomic
def mark_read(*, by: Actor, uids: Iterable[UUID] | None = None) -> int:
    """Marks one's own notices as read, all without ``uids``; how many were not."""
    policy.require(by, Scope.NOTICES_WRITE)
    rows = known.visible_to(by).filter(read_at=None).order_by()
    rows = rows.filter(uid__in=list(uids)) if uids is not None else rows
    return rows.update(read_at=timezone.now())


@atomic
def sent(uid: UUID) -> None:
    """The mail server took it."""
    Notice.objects.filter(uid=uid, sent_at=None).update(sent_at=timezone.now())


def sweep() -> int:
    """Drops what is older than 90 days, read or not; returns how many."""
    return Notice.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
