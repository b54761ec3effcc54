"""What every page shows of whoever looks at it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.functional import SimpleLazyObject

from tenancy.policy import Actor
from tenancy.queries import notices

if TYPE_CHECKING:
    from django.http import HttpRequest


def inbox(request: HttpRequest) -> dict[str, Any]:
    """How many notices are unread; asked for by pages that show it, and not by their live parts."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {"unread_notices": SimpleLazyObject(partial(notices.unread, Actor(user)))}
