"""People who sign in at an OpenID provider: linked by issuer and subject, and by nothing else."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from tenancy import policy
from tenancy.actions import audit
from tenancy.actions.unit import atomic
from tenancy.enums import Permission, PlatformRole
from tenancy.errors import AlreadyExists, FieldError, Invalid, NotAllowed
from tenancy.models import Identity, Membership, Tenant, User
from tenancy.queries import identities
from tenancy.rules.names import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from tenancy.policy import Actor
    from tenancy.rules.group_roles import GroupRoles

DOOR: Final = "sign-in"
"""Who acts where a sign-in itself makes or changes something."""
USERNAME_MAX: Final = 150
_LONGEST: Final = 255


def sign_in(
    *,
    issuer: str,
    subject: str,
    username: str,
    groups: AbstractSet[str],
    mapping: GroupRoles,
    create: bool,
) -> User:
    """The user behind an identity that was proven, with the roles that their groups give.

    Whoever comes first gets a user of the proven name. Where that name is taken they are turned away
    (``NotAllowed``): an equal name or mail proves nothing about who somebody is.
    """
    once = partial(_sign_in, issuer, subject, username, groups, mapping, create=create)
    try:
        return once()
    except IntegrityError:
        # Somebody was made at the same moment: they themselves in a second window, or one of an equal name.
        return once()


@atomic
def _sign_in(
    issuer: str, subject: str, username: str, groups: AbstractSet[str], mapping: GroupRoles, *, create: bool
) -> User:
    row = Identity.objects.select_for_update().filter(issuer=issuer, subject=subject).first()
    if row is None:
        row = _first_time(issuer, subject, username, create=create)
    user = User.objects.select_for_update().get(pk=row.user_id)
    if not user.is_active:
        raise NotAllowed("this account is suspended: ask an admin to lift it")
    Identity.objects.filter(pk=row.pk).update(last_used_at=timezone.now())
    if row.managed:
        _give_platform_role(user, mapping.platform_role(groups))
    if mapping.tenants:
        _give_memberships(user, groups, mapping)
    return user


@atomic
def link(*, by: Actor, username: str, issuer: str, subject: str) -> Identity:
    """Says that whoever the provider calls ``subject`` is this user; they keep the roles they have here."""
    policy.check(by, Permission.IDENTITY_MANAGE)
    for path, text in (("spec.issuer", issuer), ("spec.subject", subject)):
        if not text or len(text) > _LONGEST or not text.isprintable():
            words = f"give 1 to {_LONGEST} printable characters, as the provider writes it"
            raise Invalid(f"{path}: {words}", errors=(FieldError(path, "malformed", words),))
    user = User.objects.filter(username=username).first()
    if user is None:
        words = f"there is no user {username!r}: make one first"
        raise Invalid(words, errors=(FieldError("spec.username", "unknown-user", words),))
    before = Identity.objects.filter(issuer=issuer, subject=subject).select_related("user").first()
    if before is not None:
        raise AlreadyExists(f"it is linked to {before.user.username!r} already: unlink it there first")
    row = Identity.objects.create(user=user, issuer=issuer, subject=subject, created_by=by.name)
    _note(by.name, "identity.link", row)
    return row


@atomic
def unlink(*, by: Actor, uid: UUID) -> None:
    """Ends what an identity opens; the user stays, and sessions that are open go on until they end."""
    policy.check(by, Permission.IDENTITY_MANAGE)
    row = identities.get(by, uid)
    Identity.objects.filter(pk=row.pk).delete()
    _note(by.name, "identity.unlink", row)


def _first_time(issuer: str, subject: str, username: str, *, create: bool) -> Identity:
    told = f"the provider calls you {subject!r}; ask an admin to link that to your user here"
    if not create:
        raise NotAllowed(f"nobody here is linked to this sign-in: {told}")
    try:
        UnicodeUsernameValidator()(username)
        fits = len(username) <= USERNAME_MAX
    except ValidationError:
        fits = False
    if not fits or username in PROCESSES:
        raise NotAllowed(f"the provider gives no name that could be yours here ({username[:40]!r}): {told}")
    if User.objects.filter(username__iexact=username).exists():
        raise NotAllowed(f"there is a user {username!r} here, who may be somebody else: {told}")
    user = User(username=username)
    user.set_unusable_password()
    user.save()
    audit.note(actor=DOOR, action="user.create", target=f"user/{username}", platform_role="")
    row = Identity.objects.create(user=user, issuer=issuer, subject=subject, managed=True, created_by=DOOR)
    _note(DOOR, "identity.link", row)
    return row


def _give_platform_role(user: User, role: PlatformRole | None) -> None:
    if role is None or user.platform_role == role:
        return
    before, user.platform_role = user.platform_role, role
    user.save(update_fields=["platform_role"])
    facts = audit.changes({"platform_role": before}, {"platform_role": role.value})
    audit.note(actor=DOOR, action="user.platform-role", target=f"user/{user.username}", **facts)


def _give_memberships(user: User, groups: AbstractSet[str], mapping: GroupRoles) -> None:
    """What groups give comes and goes with them; what people gave stays as it is."""
    wanted = mapping.memberships(groups)
    rows = {m.tenant.name: m for m in Membership.objects.filter(user=user).select_related("tenant")}
    for name, row in rows.items():
        if row.by_group and name not in wanted:
            row.delete()
            _note_member("member.remove", name, user, role=row.role)
    known = {tenant.name: tenant for tenant in Tenant.objects.filter(name__in=wanted)}
    for name, tenant in known.items():
        old, role = rows.get(name), wanted[name]
        if old is not None and (not old.by_group or old.role == role):
            continue
        generation = old.generation + 1 if old else 1
        values = {"role": role, "by_group": True, "generation": generation}
        Membership.objects.update_or_create(tenant=tenant, user=user, defaults=values)
        _note_member("member.put", name, user, role=role.value, before=old.role if old else None)


def _note_member(action: str, tenant: str, user: User, **facts: object) -> None:
    target = f"member/{tenant}/{user.username}"
    audit.note(actor=DOOR, action=action, tenant=tenant, target=target, **facts)


def _note(actor: str, action: str, row: Identity) -> None:
    facts = {"issuer": row.issuer, "subject": row.subject, "user": row.user.username}
    audit.note(actor=actor, action=action, target=f"user/{row.user.username}", **facts)
