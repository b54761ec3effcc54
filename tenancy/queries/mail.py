"""What is to be told by mail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from tenancy.models import Notice

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True)
class Letter:
    """A notice that its reader has not been sent yet."""

    uid: UUID
    to: str
    subject: str
    body: str


def unsent(uid: UUID) -> Letter | None:
    """``None`` when it is sent, nobody has an address for it, or this Atoll sends no mail."""
    if not settings.EMAIL_HOST:
        return None
    row = Notice.objects.select_related("user").filter(uid=uid, sent_at=None).first()
    if row is None or not row.user.email or not row.user.is_active:
        return None
    link = f"\n\n{settings.PUBLIC_URL}{row.link}" if row.link else ""
    # A subject is one line; whoever wrote the words behind it.
    return Letter(row.uid, row.user.email, " ".join(row.subject.split()), f"{row.body}{link}\n")
