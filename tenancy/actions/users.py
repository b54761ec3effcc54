"""People."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, PlatformRole
from tenancy.errors import AlreadyExists, FieldError, Invalid
from tenancy.models import User
from tenancy.rules.names import ACCOUNT_PREFIX, PROCESSES

if TYPE_CHECKING:
    from tenancy.policy import Actor


@atomic
def create(
    *,
    username: str,
    password: str | None,
    platform_role: PlatformRole = PlatformRole.NONE,
    by: Actor | None = None,
) -> User:
    """A new user, who signs in by an identity where there is no password; ``by`` is ``None`` for the machine's own command."""
    if by is not None:
        policy.check(by, Permission.IDENTITY_MANAGE)
    if username in PROCESSES or username.startswith(ACCOUNT_PREFIX):
        msg = f"{username!r} is how the audit log calls a part of Atoll or a service account: choose another name"
        raise Invalid(msg, errors=(FieldError("metadata.name", "reserved", msg),))
    if User.objects.filter(username=username).exists():
        msg = f"user {username!r} exists already: choose another name"
        raise AlreadyExists(msg)
    user = User(username=username, platform_role=platform_role)
    user.set_password(password)
    user.save()
    _note(by, "user.create", user, platform_role=platform_role.value)
    return user


@atomic
def set_password(*, username: str, password: str, by: Actor | None = None) -> User:
    """Replaces a user's password."""
    if by is not None:
        policy.check(by, Permission.IDENTITY_MANAGE)
    user = User.objects.get(username=username, service_account=None)
    user.set_password(password)
    user.save(update_fields=["password"])
    _note(by, "user.set-password", user)
    return user


def _note(by: Actor | None, action: str, user: User, **facts: str) -> None:
    actor = by.name if by else "command-line"
    audit.note(actor=actor, action=action, target=f"user/{user.username}", **facts)
