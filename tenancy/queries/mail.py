"""What is to be told by mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils import timezone

from tenancy.models import Notice

if TYPE_CHECKING:
    from uuid import UUID


STALE: Final = timedelta(days=3)
"""After so long a mail that no server took is not tried again: it is in the inbox, and most that it tells of is over."""


@dataclass(frozen=True)
class Letter:
    """A notice that its reader has not been sent yet."""

    uid: UUID
    to: str
    subject: str
    body: str


def unsent(uid: UUID) -> Letter | None:
    """``None`` when it is sent or stale, nobody has an address for it, or this Atoll sends no mail."""
    if not settings.EMAIL_HOST:
        return None
    young = Notice.objects.select_related("user").filter(created_at__gt=timezone.now() - STALE)
    row = young.filter(uid=uid, sent_at=None).first()
    if row is None or not row.user.email or not row.user.is_active:
        return None
    link = f"\n\n{settings.PUBLIC_URL}{row.link}" if row.link else ""
    # A subject is one line; whoever wrote the words behind it.
    return Letter(row.uid, row.user.email, " ".join(row.subject.split()), f"{row.body}{link}\n")
