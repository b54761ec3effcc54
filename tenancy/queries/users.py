"""Reads of people, for the command line of the machine itself."""

from __future__ import annotations

from tenancy.enums import PlatformRole
from tenancy.models import User


def find(username: str) -> User | None:
    """The user of this name."""
    return User.objects.filter(username=username).first()


def first_admin() -> User | None:
    """The platform admin who was made first and may still sign in."""
    admins = User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True)
    return admins.order_by("pk").first()
