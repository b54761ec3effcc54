"""Reads of what people are to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenancy.errors import NotAllowed, NotFound
from tenancy.models import Notice

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from tenancy.policy import Actor


def visible_to(actor: Actor) -> QuerySet[Notice]:
    """The actor's own inbox, newest first; a token that is bound to a tenant reads none, for it tells of all."""
    if actor.bound_to is not None:
        msg = "this token is bound to a tenant, and an inbox tells of all of them: use a token that is not"
        raise NotAllowed(msg)
    return Notice.objects.filter(user=actor.user)


def get(actor: Actor, uid: UUID) -> Notice:
    """One of one's own."""
    found = visible_to(actor).filter(uid=uid).first()
    if found is None:
        msg = "there is no such notice in your inbox"
        raise NotFound(msg)
    return found


def unread(actor: Actor) -> int:
    """How many the actor has not read."""
    return visible_to(actor).filter(read_at=None).count()
