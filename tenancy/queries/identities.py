"""Reads of identities: who is who at an OpenID provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission
from tenancy.errors import NotFound
from tenancy.models import Identity

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.models import User
    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[Identity]:
    """All of them, newest first; for admins and auditors."""
    policy.check(actor, Permission.IDENTITY_VIEW)
    return Identity.objects.select_related("user")


def get(actor: Actor, uid: UUID) -> Identity:
    """One of them."""
    found = visible_to(actor).filter(uid=uid).first()
    if found is None:
        raise NotFound(f"there is no identity {uid}: list them for those there are")
    return found


def is_linked(user: User, issuer: str) -> bool:
    """Whether this person can show who they are at this provider."""
    return Identity.objects.filter(user=user, issuer=issuer).exists()


def owner(issuer: str, subject: str) -> User | None:
    """Whose identity it is; for the door, where nobody is signed in yet."""
    row = Identity.objects.filter(issuer=issuer, subject=subject).select_related("user").first()
    return row.user if row else None
