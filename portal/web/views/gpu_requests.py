"""One request: how far it is; what its team and the approvers can do with it. And all that wait for approvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID  # noqa: TC003 - Django's converters

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from portal.web import gpu, presenters
from portal.web.forms.gpu import DecisionForm
from portal.web.pages import attempt, page, status_of
from tenancy import policy
from tenancy.actions import decisions
from tenancy.actions import requests as actions
from tenancy.enums import Permission
from tenancy.errors import DomainError, NotFound
from tenancy.grant_enums import RequestState, RequestVerb
from tenancy.queries import grants, previews
from tenancy.rules import requests as rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from tenancy.models import GrantRequest
    from tenancy.policy import Actor

TENANTS: Final[Mapping[str, Callable[..., GrantRequest]]] = {
    "accept": actions.accept,
    "decline": actions.decline,
    "withdraw": actions.withdraw,
}
SAID: Final[Mapping[str, str]] = {
    "accept": "Accepted.",
    "decline": "Declined. Ask again if it is still needed.",
    "withdraw": "Withdrawn.",
    "approve": "Approved. The team is told.",
    "counter": "Offered. The team accepts or declines it.",
    "deny": "Denied. The team is told why.",
}

MOVED: Final = "Its terms have changed since you looked, so nothing was done. Here is what they are now."


@require_GET
@page
def queue(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """All that waits for an approver, oldest first."""
    return render(request, "gpu/approvals.html", _queue(actor))


@require_GET
@page
def queue_live(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The queue if it changed since ``?seen=``."""
    shown = _queue(actor)
    if request.GET.get("seen") == shown["version"]:
        return HttpResponse(status=204)
    return render(request, "gpu/_queue.html", shown)


@require_GET
@page
def show(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """The request's page."""
    return render(request, "gpu/request.html", _shown(request, actor, uid))


@require_GET
@page
def live(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """All of the page that depends on the request, if it changed since ``?seen=``; a reason that is being typed is kept."""
    shown = _shown(request, actor, uid)
    if request.GET.get("seen") == shown["version"]:
        return HttpResponse(status=204)
    return render(request, "gpu/_request.html", {**shown, "live": True})


@require_GET
@page
def what_if(request: HttpRequest, actor: Actor, uid: UUID) -> HttpResponseBase:
    """What approving the terms that are typed so far would come to, unless that is what is ``?shown=``."""
    row = grants.get_request(actor, uid)
    policy.check_look(actor, Permission.GPU_APPROVE)
    form = DecisionForm({**request.GET.dict(), "reason": "-"}, pools=grants.candidates(row))
    form.is_valid()
    shown = _what_if(actor, row, form.cleaned_data)
    if request.GET.get("shown") == shown["what_if_version"]:
        return HttpResponse(status=204)
    return render(request, "gpu/_what_if.html", shown)


@require_POST
@page
def act(request: HttpRequest, actor: Actor, uid: UUID, verb: str) -> HttpResponseBase:
    """One of the verbs; a refusal is told on the request's page."""
    row = grants.get_request(actor, uid)
    if request.POST.get("terms", _terms(row)) != _terms(row):
        messages.warning(request, MOVED)
        typed = urlencode({"reason": request.POST.get("reason", "")})
        return redirect(f"{reverse('gpu-request', args=[uid])}?{typed}")
    form = DecisionForm(request.POST, pools=grants.candidates(row))
    if verb in TENANTS:
        looked = {"seen": row.changed_at} if verb == RequestVerb.ACCEPT else {}
        done: GrantRequest | None = TENANTS[verb](by=actor, uid=uid, **looked)
    elif verb in SAID:
        policy.check(actor, Permission.GPU_APPROVE)
        done = attempt(form, lambda: _decide(actor, row, verb, form.cleaned_data))
    else:
        raise NotFound(f"a request cannot be told to {verb!r}")
    if done is None:
        return render(request, "gpu/request.html", _context(actor, row, form), status=status_of(form))
    messages.success(request, SAID[verb])
    return redirect("gpu-request", uid)


def _terms(row: GrantRequest) -> str:
    """Identifies the terms that somebody looks at: nobody agrees to others than they saw."""
    return presenters.version(row.amount, row.starts_on, row.ends_on, row.pool_id)


def _queue(actor: Actor) -> dict[str, Any]:
    policy.check_look(actor, Permission.GPU_APPROVE)
    rows = gpu.request_rows(grants.to_decide(actor))
    seen = [(row.request.uid, row.request.changed_at) for row in rows]
    return {"requests": rows, "version": presenters.version(seen)}


def _shown(request: HttpRequest, actor: Actor, uid: UUID) -> dict[str, Any]:
    """The terms as they stand, to be decided or changed."""
    row = grants.get_request(actor, uid)
    terms = grants.asked(row)
    typed = {"amount": terms.amount, "since": terms.starts_on, "until": terms.ends_on}
    form = DecisionForm(pools=grants.candidates(row), initial={**typed, **request.GET.dict()})
    return _context(actor, row, form)


def _decide(actor: Actor, row: GrantRequest, verb: str, given: dict[str, Any]) -> GrantRequest:
    reason, pool = given["reason"], given["pool"]
    if verb == RequestVerb.APPROVE:
        named = tuple(pool.split("/", 1)) if pool else None
        return decisions.approve(by=actor, uid=row.uid, reason=reason, pool=named, seen=row.changed_at)
    if verb == RequestVerb.COUNTER:
        terms = previews.offered(row, given["amount"], given["since"], given["until"])
        return decisions.counter(by=actor, uid=row.uid, terms=terms, reason=reason)
    return decisions.deny(by=actor, uid=row.uid, reason=reason)


def _context(actor: Actor, row: GrantRequest, form: DecisionForm) -> dict[str, Any]:
    is_open = row.state in rules.OPEN
    approves = policy.allows(actor, Permission.GPU_APPROVE)
    asked = actor.name in {row.requested_by, *row.asked_by}
    given = form.cleaned_data if form.is_bound else {}
    return {
        "row": gpu.request_row(row),
        "request_": row,
        "open": is_open,
        "terms": _terms(row),
        "version": presenters.version(row.changed_at, is_open, approves, asked),
        "lapses": rules.lapses_on(row.requested_at.date(), grants.asked(row)) if is_open else None,
        "may_ask": is_open and gpu.may_ask(actor, row.tenant) and (asked or not approves),
        "countered": row.state == RequestState.COUNTERED,
        "may_decide": is_open and approves and not asked,
        "own": is_open and approves and asked,
        "form": form,
        **(_what_if(actor, row, given) if approves and is_open else {}),
    }


def _what_if(actor: Actor, row: GrantRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Of the terms that are typed; of those that stand where these make no sense."""
    pool = given.get("pool")
    try:
        shown = previews.preview(
            actor,
            row.uid,
            amount=given.get("amount"),
            since=given.get("since"),
            until=given.get("until"),
            pool=tuple(pool.split("/", 1)) if pool else None,
        )
    except DomainError as error:
        return {"fault": error.detail, "what_if_version": presenters.version(error.detail), "request_": row}
    version = presenters.version(shown)
    return {"shown": shown, "choices": gpu.choices(shown), "what_if_version": version, "request_": row}
