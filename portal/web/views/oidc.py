"""Sign-in at an OpenID provider, and the step-up there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from portal.identity import flow
from portal.identity.flow import SignInFailed
from portal.web import step_up
from portal.web.forms.base import sentence
from tenancy.actions import identities as actions
from tenancy.errors import NotAllowed
from tenancy.queries import identities

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from portal.identity.config import Oidc
    from portal.identity.flow import Proven

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
NEVER: Final = datetime.fromtimestamp(0, UTC)
ASKED_AGAIN_AFTER: Final = timedelta(minutes=10)
"""A sign-in at the provider older than this is asked for again; a decision then has some minutes left."""


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponseBase:
    """Sends the person to the provider: to sign in, or with ``for`` to show once more that it is them.

    A link and not a form: the portal's policy lets forms go to the portal only.
    """
    key = request.GET.get("for", "") if request.user.is_authenticated else ""
    max_age = int(ASKED_AGAIN_AFTER.total_seconds()) if key else None
    try:
        place = flow.begin(request.session, then=_inside(request), step_up=key, max_age=max_age)
    except SignInFailed as error:
        return _failed(request, str(error), 503)
    return HttpResponseRedirect(place)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponseBase:
    """Where the provider sends the person back to."""
    try:
        proven = flow.finish(request.session, request.GET.dict())
        if proven.begun.step_up:
            return _stepped_up(request, proven)
        return _signed_in(request, proven)
    except SignInFailed as error:
        return _failed(request, str(error), 403)
    except NotAllowed as error:
        return _failed(request, sentence(error.detail), 403)


def _signed_in(request: HttpRequest, proven: Proven) -> HttpResponseBase:
    oidc: Oidc | None = settings.ATOLL_OIDC
    assert oidc is not None  # noqa: S101 - for the types: the flow has ended well
    user = actions.sign_in(
        issuer=proven.issuer,
        subject=proven.subject,
        username=proven.username,
        groups=proven.groups,
        mapping=oidc.groups,
        create=oidc.create_users,
    )
    login(request, user, backend=BACKEND)
    # Signed in there long ago is signed in, but no step-up.
    step_up.note_authentication(request, proven.authenticated_at or NEVER)
    request.session.set_expiry(timezone.now() + oidc.session)
    return HttpResponseRedirect(proven.begun.then)


def _stepped_up(request: HttpRequest, proven: Proven) -> HttpResponseBase:
    """The same person, and just now; the session stays theirs."""
    if not request.user.is_authenticated:
        raise SignInFailed(
            "Your session ended meanwhile. Sign in again and repeat what you were about to do."
        )
    if identities.owner(proven.issuer, proven.subject) != request.user:
        raise SignInFailed(
            f"That sign-in is not {request.user.get_username()}'s. Repeat it as yourself, or sign out first."
        )
    at = proven.authenticated_at
    if at is None or at < timezone.now() - step_up.FRESH:
        raise SignInFailed(
            "The provider does not tell that you signed in just now (auth_time). Ask its admins to send it."
        )
    request.session.cycle_key()
    step_up.note_authentication(request, at)
    return HttpResponseRedirect(f"{reverse('step-up')}?{urlencode({'for': proven.begun.step_up})}")


def _inside(request: HttpRequest) -> str:
    """``next`` where that is a page of ours, else home."""
    wanted = request.GET.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if wanted and ours else settings.LOGIN_REDIRECT_URL


def _failed(request: HttpRequest, words: str, status: int) -> HttpResponseBase:
    return render(request, "sign_in_failed.html", {"detail": words}, status=status)
