"""Reads of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.enums import Permission, PlatformRole
from tenancy.errors import NotFound
from tenancy.models import User

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[User]:
    """All people, by name; for admins and auditors."""
    policy.check(actor, Permission.IDENTITY_VIEW)
    return User.objects.filter(service_account=None).order_by("username")


def get(actor: Actor, username: str) -> User:
    """One of them."""
    found = visible_to(actor).filter(username=username).first()
    if found is None:
        raise NotFound(f"there is no user {username!r}: list them for those there are")
    return found


def find(username: str) -> User | None:
    """The user of this name; for the command line of the machine itself, which is no actor."""
    return User.objects.filter(username=username).first()


def first_admin() -> User | None:
    """The platform admin who was made first and may still sign in; for the command line, too."""
    admins = User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True)
    return admins.order_by("pk").first()
