"""People."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, PlatformRole
from tenancy.errors import AlreadyExists, Conflict, FieldError, Invalid, NotFound
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


@atomic
def suspend(*, by: Actor, username: str) -> User:
    """Nobody acts as this person from now on: their sessions and tokens are refused at the next request.

    Nothing of theirs is deleted, and ``resume`` gives all of it back.
    """
    user = _other(by, username)
    if user.is_active:
        _switch(by, user, active=False)
    return user


@atomic
def resume(*, by: Actor, username: str) -> User:
    """Ends a suspension; sessions that have not ended, and tokens, are good again."""
    user = _other(by, username)
    if not user.is_active:
        _switch(by, user, active=True)
    return user


def _other(by: Actor, username: str) -> User:
    policy.check(by, Permission.IDENTITY_MANAGE)
    rows = User.objects.select_for_update(of=("self",))  # not the account that an outer join looks for
    user = rows.filter(username=username, service_account=None).first()
    if user is None:
        msg = f"there is no user {username!r}: look at the page Users for those there are"
        raise NotFound(msg)
    if user.pk == by.user.pk:
        msg = "nobody suspends themselves: ask another admin"
        raise Conflict(msg)
    return user


def _switch(by: Actor, user: User, *, active: bool) -> None:
    user.is_active = active
    user.save(update_fields=["is_active"])
    _note(by, "user.resume" if active else "user.suspend", user)


def _note(by: Actor | None, action: str, user: User, **facts: str) -> None:
    actor = by.name if by else "command-line"
    audit.note(actor=actor, action=action, target=f"user/{user.username}", **facts)
