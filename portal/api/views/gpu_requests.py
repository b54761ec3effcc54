"""Requests for accelerators: tenants ask, admins decide with the facts in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.preconditions import expectation, tag_of
from portal.api.serializers.gpu_requests import (
    Consent,
    CounterOffer,
    GpuRequest,
    Refusal,
    RequestFilters,
    TenantRequestFilters,
    WhatIf,
    WhatIfQuery,
    place,
    request_address,
)
from portal.api.single import Single, looked_at_again
from tenancy.actions import decisions
from tenancy.actions import requests as verbs
from tenancy.queries import calendar, grants, previews, tenants
from tenancy.rules.preconditions import ANYTHING, meet
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import GrantRequest


class RequestResource(Resource):
    """What the views of requests share."""

    tag = "gpu-requests"

    def look(self, **named: Any) -> None:  # noqa: ANN401 - parts of the address
        """By the request itself where the address names one."""
        super().look(**named)
        if "uid" in named:
            grants.get_request(self.actor, named["uid"])

    def seen(self, request: Request, uid: UUID) -> datetime | None:
        """When what ``If-Match`` names was changed last; raises 412 where that is over."""
        expected = expectation(request)
        if expected == ANYTHING:
            return None
        row = grants.get_request(self.actor, uid)
        meet(expected, tag_of(GpuRequest(row).data))
        return row.changed_at

    def one(self, row: GrantRequest) -> Response:
        """As the verb left it."""
        return self.answer(GpuRequest, row)


class TenantRequests(RequestResource):
    """The requests of a tenant."""

    @operation("listTenantGpuRequests", {200: GpuRequest}, query=TenantRequestFilters, listing=True)
    def get(self, _: Request, tenant: str) -> Response:
        """Lists a tenant's requests for accelerators, newest first."""
        rows = grants.requests_visible_to(self.actor, tenants.get(self.actor, tenant))
        return self.listed(GpuRequest, rows, **_exact(self.query))

    @operation("createGpuRequest", {201: GpuRequest}, body=GpuRequest, idempotent=True)
    def post(self, _: Request, tenant: str) -> Response:
        """Asks for accelerators; approved at once where the class's policy lets it pass.

        One open request for each class. Every admin but the requester is told; the answers come
        to the inbox of the tenant's members and owners.
        """
        key = self.body["accelerator"]["key"]
        made = verbs.submit(
            by=self.actor,
            tenant_name=tenant,
            key=key,
            terms=previews.wished(
                key, self.body["amount"], self.body.get("starts_on"), self.body.get("ends_on")
            ),
            justification=self.body["justification"],
            pool=place(self.body.get("pool")),
        )
        found = grants.get_request(self.actor, made.uid)
        headers = {"Location": request_address(found), **looked_at_again(found)}
        return self.answer(GpuRequest, found, status=201, headers=headers)


class Requests(RequestResource):
    """The requests of all your tenants."""

    @operation("listGpuRequests", {200: GpuRequest}, query=RequestFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists the requests for accelerators that you may see, newest first."""
        rows = grants.requests_visible_to(self.actor)
        return self.listed(GpuRequest, rows, tenant__name=self.query.get("tenant"), **_exact(self.query))


class OneRequest(RequestResource, Single):
    """One request."""

    kind = GpuRequest
    readiness = "Ready when it is approved, 503 while somebody has to act, 409 when nothing will come of it."

    @operation("getGpuRequest", {200: GpuRequest})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads a request: its terms as they stand, how far it is, and what can be done with it."""
        return self.told(uid=uid)

    def found(self, uid: UUID) -> GrantRequest:
        """By its uid."""
        return grants.get_request(self.actor, uid)


class RequestWhatIf(RequestResource):
    """The approver's view."""

    @operation("previewGpuRequest", {200: WhatIf}, query=WhatIfQuery, scope=Scope.GPU_REQUESTS_APPROVE)
    def get(self, _: Request, uid: UUID) -> Response:
        """Tells what would come of approving these terms now, in each pool (admins).

        By the very function that admits. It takes no lock, so that the decision itself may find
        something else: then it says so, and nothing was changed.
        """
        asked = self.query.get
        named = self.query.get("pool")
        shown = previews.preview(
            self.actor,
            uid,
            amount=asked("amount"),
            since=asked("from_"),
            until=asked("until"),
            pool=tuple(named.split("/")) if named else None,
        )
        return self.answer(WhatIf, shown, today=calendar.today(), terms=shown.terms)


class Approve(RequestResource):
    """The verb."""

    @operation(
        "approveGpuRequest",
        {200: GpuRequest},
        body=Consent,
        idempotent=True,
        conditional=True,
        scope=Scope.GPU_REQUESTS_APPROVE,
    )
    def post(self, request: Request, uid: UUID) -> Response:
        """Agrees to the terms as they stand (admins, never the requester).

        With `If-Match`, only to those that were read: somebody may have changed them since. Looked at anew under the ledger's lock: where it does not fit any more, 409 names the
        nearest amount that does. The first of two approvers leaves it `endorsed`.
        """
        reason, pool = self.body["reason"], place(self.body.get("pool"))
        seen = self.seen(request, uid)
        return self.one(decisions.approve(by=self.actor, uid=uid, reason=reason, pool=pool, seen=seen))


class Counter(RequestResource):
    """The verb."""

    @operation(
        "counterGpuRequest",
        {200: GpuRequest},
        body=CounterOffer,
        idempotent=True,
        scope=Scope.GPU_REQUESTS_APPROVE,
    )
    def post(self, _: Request, uid: UUID) -> Response:
        """Offers something else, which the tenant accepts or declines (admins, never the requester)."""
        terms = previews.offered(
            grants.get_request(self.actor, uid),
            self.body.get("amount"),
            self.body.get("starts_on"),
            self.body.get("ends_on"),
        )
        return self.one(decisions.counter(by=self.actor, uid=uid, terms=terms, reason=self.body["reason"]))


class Deny(RequestResource):
    """The verb."""

    @operation(
        "denyGpuRequest", {200: GpuRequest}, body=Refusal, idempotent=True, scope=Scope.GPU_REQUESTS_APPROVE
    )
    def post(self, _: Request, uid: UUID) -> Response:
        """Says no (admins, never the requester); clusters that wait for it go on waiting."""
        return self.one(decisions.deny(by=self.actor, uid=uid, reason=self.body["reason"]))


class Accept(RequestResource):
    """The verb."""

    @operation("acceptGpuRequest", {200: GpuRequest}, idempotent=True, conditional=True)
    def post(self, request: Request, uid: UUID) -> Response:
        """Takes a counter-offer (members, owners); with `If-Match`, only the one that was read."""
        return self.one(verbs.accept(by=self.actor, uid=uid, seen=self.seen(request, uid)))


class Decline(RequestResource):
    """The verb."""

    @operation("declineGpuRequest", {200: GpuRequest}, idempotent=True)
    def post(self, _: Request, uid: UUID) -> Response:
        """Refuses a counter-offer (members, owners)."""
        return self.one(verbs.decline(by=self.actor, uid=uid))


class Withdraw(RequestResource):
    """The verb."""

    @operation("withdrawGpuRequest", {200: GpuRequest}, idempotent=True)
    def post(self, _: Request, uid: UUID) -> Response:
        """Takes a request back that nobody has decided (members, owners)."""
        return self.one(verbs.withdraw(by=self.actor, uid=uid))


def _exact(query: dict[str, Any]) -> dict[str, Any]:
    return {"state": query.get("state"), "accelerator__key": query.get("class_")}
