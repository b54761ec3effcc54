"""Who is who at an OpenID provider; admins link and unlink."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.serializers.identities import Identity, IdentityFilters
from portal.api.serializers.waiting import WaitQuery
from portal.api.single import Single
from tenancy import policy
from tenancy.actions import identities as verbs
from tenancy.enums import Permission
from tenancy.queries import identities

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy import models


class Identities(Resource):
    """All of them."""

    tag = "identities"

    @operation("listIdentities", {200: Identity}, query=IdentityFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists who is linked to an OpenID provider, newest first (admins)."""
        asked = self.query.get
        return self.listed(
            Identity,
            identities.visible_to(self.actor),
            user__username=asked("username"),
            issuer=asked("issuer"),
            subject=asked("subject"),
        )

    @operation("createIdentity", {201: Identity}, body=Identity, idempotent=True)
    def post(self, _: Request) -> Response:
        """Links a user to who they are at an OpenID provider (admins)."""
        given = self.body
        made = verbs.link(
            by=self.actor,
            username=given["user"]["username"],
            issuer=given["issuer"],
            subject=given["subject"],
        )
        headers = {"Location": f"/api/v1/identities/{made.uid}"}
        return self.answer(Identity, made, status=201, headers=headers)


class OneIdentity(Single):
    """One link."""

    tag = "identities"
    kind = Identity

    @operation("getIdentity", {200: Identity})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads who is linked (admins)."""
        return self.told(uid=uid)

    @operation("deleteIdentity", {200: Identity}, query=WaitQuery, conditional=True)
    def delete(self, request: Request, uid: UUID) -> Response:
        """Unlinks, and answers with what it was (admins); the user stays."""
        policy.check(self.actor, Permission.IDENTITY_MANAGE)
        last = self.last(request, self.found(uid))
        verbs.unlink(by=self.actor, uid=uid)
        return last

    def found(self, uid: UUID) -> models.Identity:
        """By its uid."""
        return identities.get(self.actor, uid)
