"""Service accounts of a tenant, and their tokens: owners decide."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, agree, operation
from portal.api.declared import DeclaredResource, reads, removes, writes
from portal.api.serializers.service_accounts import ServiceAccount, ServiceAccountFilters
from portal.api.serializers.tokens import NewToken, Rotation, Token, TokenFilters
from portal.api.serializers.waiting import WaitQuery
from portal.api.single import Single
from portal.api.views.tokens import TokenResource
from tenancy import models
from tenancy.actions import service_accounts as verbs
from tenancy.actions import tokens as token_verbs
from tenancy.enums import Role
from tenancy.queries import service_accounts, tenants, tokens
from tenancy.rules.trust import TrustPolicy

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response


class ServiceAccounts(Resource):
    """The service accounts of a tenant."""

    tag = "service-accounts"

    @operation("listServiceAccounts", {200: ServiceAccount}, query=ServiceAccountFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's service accounts by name."""
        rows = service_accounts.visible_to(self.actor, tenants.get(self.actor, tenant))
        return self.listed(ServiceAccount, rows, role=self.query.get("role"))


class OneServiceAccount(DeclaredResource[models.ServiceAccount]):
    """One service account."""

    tag = "service-accounts"
    kind = ServiceAccount
    keys = {"name": "name", "tenant": "tenant"}

    @reads("getServiceAccount", ServiceAccount)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Reads a service account."""
        return self.told(tenant=tenant, name=name)

    @writes("putServiceAccount", ServiceAccount)
    def put(self, request: Request, tenant: str, name: str) -> Response:
        """Makes a service account or changes it (owners); what it may do changes with its next request."""
        return self.written(request, tenant=tenant, name=name)

    @removes("deleteServiceAccount", ServiceAccount)
    def delete(self, request: Request, tenant: str, name: str) -> Response:
        """Removes a service account with its tokens at once, and answers with what it was (owners)."""
        return self.removed(request, tenant=tenant, name=name)

    def rows(self, tenant: str, name: str) -> QuerySet[models.ServiceAccount]:
        """By its name."""
        found = tenants.get(self.actor, tenant)
        return service_accounts.visible_to(self.actor, found).filter(name=name)

    def write(self, tenant: str, name: str) -> None:
        """Makes or changes it."""
        role, words = Role(self.body["role"]), self.body["description"]
        trust = [TrustPolicy(**one) for one in self.body["trust"]]
        verbs.put(by=self.actor, tenant=tenant, name=name, role=role, description=words, trust=trust)

    def remove(self, tenant: str, name: str) -> None:
        """Removes it."""
        verbs.delete(by=self.actor, tenant=tenant, name=name)

    def missing(self, tenant: str, name: str) -> str:
        """Which is not there."""
        return service_accounts.missing(tenant, name)


class AccountTokenResource(TokenResource):
    """What the views of its tokens share."""

    tag = "service-accounts"

    def look(self, **named: str) -> None:
        """By the account, and as one who manages it."""
        self.account(named["tenant"], named["name"])

    def account(self, tenant: str, name: str) -> models.ServiceAccount:
        """The account, for those who manage it."""
        return service_accounts.managed(self.actor, tenant, name)


class AccountTokens(AccountTokenResource):
    """The tokens of a service account."""

    @operation("listServiceAccountTokens", {200: Token}, query=TokenFilters, listing=True)
    def get(self, _: Request, tenant: str, name: str) -> Response:
        """Lists a service account's tokens, newest first (owners, auditors, admins)."""
        rows = service_accounts.credentials_of(self.actor, tenant, name)
        return self.listed(Token, rows, name=self.query.get("name"))

    @operation("createServiceAccountToken", {201: NewToken}, body=Token, idempotent=True)
    def post(self, _: Request, tenant: str, name: str) -> Response:
        """Makes a token for a service account (owners); it reaches its tenant alone, and is shown once."""
        agree((self.body.get("tenant") or {}).get("name"), tenant, "spec.tenant")
        wish = {**self.wish(), "tenant": tenant}
        made = token_verbs.create(by=self.actor, account=self.account(tenant, name), **wish)
        return self.shown_once(*made, f"{address(tenant, name)}/tokens")


class OneAccountToken(AccountTokenResource, Single):
    """One token of a service account."""

    kind = Token
    readiness = "409 when it has ended."

    @operation("getServiceAccountToken", {200: Token})
    def get(self, _: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Reads what is known of a service account's token (owners, auditors, admins)."""
        return self.told(tenant=tenant, name=name, uid=uid)

    @operation("deleteServiceAccountToken", {200: Token}, query=WaitQuery, conditional=True)
    def delete(self, request: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Revokes a service account's token at once, and answers with what it was (owners)."""
        account = self.account(tenant, name)
        # Not as it is read: a token that only revokes need not be one that reads.
        last = self.last(request, self.one(tokens.of_account(account), uid))
        token_verbs.revoke(by=self.actor, uid=uid, account=account)
        return last

    def found(self, tenant: str, name: str, uid: UUID) -> models.ApiToken:
        """By its account and uid."""
        return self.one(service_accounts.credentials_of(self.actor, tenant, name), uid)


class RotateAccountToken(AccountTokenResource):
    """The verb."""

    @operation("rotateServiceAccountToken", {201: NewToken}, body=Rotation, idempotent=True)
    def post(self, _: Request, tenant: str, name: str, uid: UUID) -> Response:
        """Replaces a service account's token (owners); the old text is good for `overlap` more."""
        account = self.account(tenant, name)
        made = token_verbs.rotate(by=self.actor, uid=uid, account=account, **self.body)
        return self.shown_once(*made, f"{address(tenant, name)}/tokens")


def address(tenant: str, name: str) -> str:
    """Where a service account is read."""
    return f"/api/v1/tenants/{tenant}/service-accounts/{name}"
