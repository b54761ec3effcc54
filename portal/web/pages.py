"""What every page has in common: a signed-in actor, and refusals told as pages or beside fields."""

from __future__ import annotations

from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from portal import denials
from portal.web import step_up
from tenancy.errors import DomainError, NotAllowed, NotFound, ReadOnly, StepUpRequired, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from portal.web.forms.base import DomainForm
    from tenancy.policy import Actor

T = TypeVar("T")
P = ParamSpec("P")
STOP_POLLING = 286
"""htmx swaps the answer in and polls no longer."""


def page(
    view: Callable[Concatenate[HttpRequest, Actor, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """A view for signed-in people: hands it the actor, and tells domain errors as pages."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        try:
            return view(request, step_up.actor(request), *args, **kwargs)
        except StepUpRequired:
            return step_up.ask(request)
        except NotAllowed as error:
            write_down(error, request, request.user.username)
            return refused(request, error)
        except DomainError as error:
            return refused(request, error)

    return never_cache(answer)


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Sends a stranger to the sign-in page and, after it, back to where they were."""
    polled = "HX-Request" in request.headers
    back = request.headers.get("HX-Current-URL", "") if polled else request.get_full_path()
    target = f"{settings.LOGIN_URL}?{urlencode({'next': back if request.method == 'GET' else '/'})}"
    # A redirect would be followed by htmx and its page put into a fragment's place.
    return (
        HttpResponse(status=401, headers={"HX-Redirect": target}) if polled else HttpResponseRedirect(target)
    )


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A domain error as a page of its own."""
    template, status = _page_of(error)
    response = render(request, template, {"detail": error.detail}, status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "30" if isinstance(error, ReadOnly) else "5"
    return response


def attempt(form: DomainForm, action: Callable[[], T]) -> T | None:
    """Calls ``action`` when the form is valid; a refusal is told beside its fields and gives ``None``."""
    if not form.is_valid():
        return None
    try:
        return action()
    except (NotFound, NotAllowed):
        raise
    except DomainError as error:
        form.blame(error)
        return None


def status_of(form: DomainForm) -> int:
    """422 for a form that comes back with faults."""
    return 422 if form.is_bound and form.errors else 200


def write_down(error: NotAllowed, request: HttpRequest, actor: str) -> None:
    """Keeps who tried what on a page, where it was more than a look."""
    place = request.resolver_match
    attempted = f"page {place.url_name}" if place else "page"
    denials.note(error, actor=actor, method=str(request.method), attempted=attempted, path=request.path)


def _page_of(error: DomainError) -> tuple[str, int]:
    if isinstance(error, NotFound):
        return "404.html", 404
    if isinstance(error, NotAllowed):
        return "403.html", 403
    later = isinstance(error, ReadOnly | Unavailable)
    return "refused.html", HTTPStatus.SERVICE_UNAVAILABLE if later else HTTPStatus.CONFLICT
