"""Telling people: a row in their inbox, in the transaction of what it tells; mail follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from tenancy import policy
from tenancy.actions import work
from tenancy.actions.unit import atomic
from tenancy.enums import PlatformRole, Role, WorkKind
from tenancy.models import Notice, User
from tenancy.queries import notices as known
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from tenancy.models import Tenant
    from tenancy.policy import Actor

_ASK: tuple[Role, ...] = (Role.MEMBER, Role.OWNER)


def tell(users: Iterable[User], *, key: str, subject: str, body: str, link: str = "") -> None:
    """Once for each person and key; refuses to run outside the transaction of what it tells."""
    if not transaction.get_connection().in_atomic_block:
        msg = f"notice {key} outside the change's transaction"
        raise RuntimeError(msg)
    rows = [Notice(user=user, key=key, subject=subject[:200], body=body, link=link) for user in users]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    work.begin(WorkKind.NOTICE, [row.uid for row in rows if row.user.email])


def those_who_ask(tenant: Tenant) -> list[User]:
    """The people of a tenant who may ask for devices."""
    asking = [role.value for role in _ASK]
    rows = User.objects.filter(memberships__tenant=tenant, memberships__role__in=asking, is_active=True)
    return list(rows)


def approvers(*, but: Iterable[str] = (), only: str = "") -> list[User]:
    """The people who decide: without some of them, or one alone."""
    rows = User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True).exclude(username__in=but)
    return list(rows.filter(username=only) if only else rows)


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
