"""Step-up: before a decision over others, whoever is signed in shows once more that it is them.

What they sent is kept, sealed, in their session meanwhile, and sent again by their own browser.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from tenancy.policy import Actor
from tenancy.rules.sealing import seal, unseal

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest, HttpResponse

FRESH: Final = timedelta(minutes=15)
"""For how long a password, or a sign-in elsewhere, is good for decisions."""
KEPT: Final = timedelta(minutes=10)
"""How long a form waits for its sender to come back."""
_AT: Final = "authenticated_at"
_FORMS: Final = "step_up"
_MOST: Final = 3
"""Forms kept at once, for people with several tabs; the oldest goes first."""


@dataclass(frozen=True)
class Waiting:
    """What goes on after the step-up."""

    path: str
    body: str
    """The fields as they were sent; empty for a page that was only looked at."""
    at: float

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The fields but Django's own token, which the page makes anew."""
        lists = QueryDict(self.body).lists()
        return [(key, str(v)) for key, values in lists if key != "csrfmiddlewaretoken" for v in values]


def actor(request: HttpRequest) -> Actor:
    """Whoever is signed in, and whether they may decide over others right now."""
    assert request.user.is_authenticated  # noqa: S101 - for the types: every caller has looked
    return Actor(request.user, decides=is_fresh(request))


def note_authentication(request: HttpRequest, at: datetime) -> None:
    """Keeps when the person last showed who they are."""
    request.session[_AT] = at.timestamp()


@receiver(user_logged_in, dispatch_uid="step-up")
def _signed_in(request: HttpRequest, **_: object) -> None:
    note_authentication(request, timezone.now())


def is_fresh(request: HttpRequest) -> bool:
    """Whether that was recent enough."""
    return float(request.session.get(_AT, 0)) > (timezone.now() - FRESH).timestamp()


def ask(request: HttpRequest) -> HttpResponse:
    """Keeps what was sent, and leads to the page that asks who it is."""
    body = request.POST.urlencode() if request.method == "POST" else ""
    key = secrets.token_urlsafe(8)
    text = json.dumps([request.get_full_path(), body, timezone.now().timestamp()])
    kept = {**request.session.get(_FORMS, {}), key: seal(settings.SEALING_KEYS, text)}
    request.session[_FORMS] = dict(list(kept.items())[-_MOST:])
    return HttpResponseRedirect(f"{reverse('step-up')}?{urlencode({'for': key})}")


def waiting(request: HttpRequest, key: str) -> Waiting | None:
    """What is kept under ``key``; ``None`` when it is gone or too old."""
    sealed = request.session.get(_FORMS, {}).get(key)
    try:
        found = Waiting(*json.loads(unseal(settings.SEALING_KEYS, sealed))) if sealed else None
    except InvalidToken:
        return None
    oldest = (timezone.now() - KEPT).timestamp()
    return found if found and found.at > oldest else None


def forget(request: HttpRequest, key: str) -> None:
    """It went on: it does so once."""
    request.session[_FORMS] = {k: v for k, v in request.session.get(_FORMS, {}).items() if k != key}
