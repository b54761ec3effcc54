"""Service accounts of a tenant and their tokens, for its owners."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from portal.web.forms.people import AccountForm
from portal.web.forms.tokens import TokenForm
from portal.web.forms.trust import TrustForm, written
from portal.web.pages import attempt, page, status_of
from portal.web.views.clusters import EDITABLE
from portal.web.views.tokens import REVOKED, create, shared
from tenancy import policy
from tenancy.actions import service_accounts as actions
from tenancy.actions import tokens as token_actions
from tenancy.enums import Permission, Role
from tenancy.queries import service_accounts, tenants, tokens

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenancy.models import ApiToken, ServiceAccount
    from tenancy.policy import Actor


@EDITABLE
@page
def index(request: HttpRequest, actor: Actor, tenant: str) -> HttpResponseBase:
    """A tenant's service accounts, and a form to make or change one."""
    found = tenants.get(actor, tenant)
    policy.check(actor, Permission.SERVICE_ACCOUNT_MANAGE, found)
    form = AccountForm(request.POST or None)
    done = attempt(form, partial(_put, actor, tenant, form)) if request.method == "POST" else None
    if done is not None:
        words = "is made. Give it its first token now" if done[1] else f"is now {done[0].role}"
        messages.success(request, f"{done[0].name} {words}.")
        return redirect("service-account", tenant, done[0].name)
    context = {"tenant": found, "accounts": service_accounts.visible_to(actor, found), "form": form}
    return render(request, "tenants/service_accounts.html", context, status=status_of(form))


@EDITABLE
@page
def show(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """A service account's tokens, and a form for a new one, whose text is in this answer and nowhere else."""
    account = service_accounts.managed(actor, tenant, name)
    form = TokenForm(request.POST or None, tenants=None)
    made = attempt(form, partial(create, actor, form, account)) if request.method == "POST" else None
    return _shown(request, account, form, made)


@require_POST
@page
def trust(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Which jobs of CI systems may act as it."""
    account = service_accounts.managed(actor, tenant, name)
    form = TrustForm(request.POST)
    if attempt(form, partial(_trust, actor, account, form)) is None:
        return _shown(request, account, TokenForm(tenants=None), None, form)
    messages.success(request, f"{name} now trusts these jobs, and no others.")
    return redirect("service-account", tenant, name)


@require_POST
@page
def rotate(request: HttpRequest, actor: Actor, tenant: str, name: str, uid: UUID) -> HttpResponseBase:
    """A new text in place of a token's; the old one is good for an hour."""
    account = service_accounts.managed(actor, tenant, name)
    made = token_actions.rotate(by=actor, uid=uid, account=account)
    return _shown(request, account, TokenForm(tenants=None), made)


@require_POST
@page
def revoke(request: HttpRequest, actor: Actor, tenant: str, name: str, uid: UUID) -> HttpResponseBase:
    """Ends a token at once."""
    token_actions.revoke(by=actor, uid=uid, account=service_accounts.managed(actor, tenant, name))
    messages.success(request, REVOKED)
    return redirect("service-account", tenant, name)


@require_POST
@page
def remove(request: HttpRequest, actor: Actor, tenant: str, name: str) -> HttpResponseBase:
    """Removes an account with its tokens."""
    actions.delete(by=actor, tenant=tenant, name=name)
    messages.success(request, f"{name} is gone, and its tokens with it.")
    return redirect("service-accounts", tenant)


def _put(actor: Actor, tenant: str, form: AccountForm) -> tuple[ServiceAccount, bool]:
    given = form.cleaned_data
    return actions.put(
        by=actor,
        tenant=tenant,
        name=given["name"],
        role=Role(given["role"]),
        description=given["description"],
    )


def _trust(actor: Actor, account: ServiceAccount, form: TrustForm) -> ServiceAccount:
    return actions.put(
        by=actor,
        tenant=account.tenant.name,
        name=account.name,
        role=Role(account.role),
        description=account.description,
        trust=form.cleaned_data["text"],
    )[0]


def _shown(
    request: HttpRequest,
    account: ServiceAccount,
    form: TokenForm,
    made: tuple[ApiToken, str] | None,
    trusted: TrustForm | None = None,
) -> HttpResponse:
    form = TokenForm(tenants=None) if made else form
    context = {
        "account": account,
        "tokens": tokens.of_account(account),
        "trusted": trusted or TrustForm(initial={"text": written(account.trust)}),
        "issuers": settings.ATOLL_CI_ISSUERS,
        **shared(form, made),
    }
    status = 201 if made else max(status_of(form), status_of(trusted) if trusted else 0)
    return render(request, "tenants/service_account.html", context, status=status)
