"""Your tokens, and who a token speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.serializers.tokens import Me, NewToken, Rotation, Token, TokenFilters
from portal.api.serializers.waiting import WaitQuery
from portal.api.single import Single
from tenancy.actions import tokens as verbs
from tenancy.errors import NotFound
from tenancy.queries import tenants, tokens
from tenancy.token_enums import Scope

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import ApiToken


MINE: Final = "/api/v1/tokens"


class TokenResource(Resource):
    """What the views of tokens share, whoever these speak for."""

    tag = "tokens"

    def one(self, rows: QuerySet[ApiToken], uid: UUID) -> ApiToken:
        """One of these."""
        found = rows.filter(uid=uid).first()
        if found is None:
            raise NotFound(f"there is no token {uid} among these")
        return found

    def shown_once(self, made: ApiToken, raw: str, place: str) -> Response:
        """A new token with its text."""
        headers = {"Location": f"{place}/{made.uid}"}
        return self.answer(NewToken, made, status=201, headers=headers, secret="token", raw=raw)  # noqa: S106 - a member's name

    def wish(self) -> dict[str, Any]:
        """What a new token is to be."""
        asked = self.body.get
        return {
            "name": asked("name"),
            "tenant": (asked("tenant") or {}).get("name"),
            "scopes": asked("scopes"),
            "read_only": asked("read_only", False),
            "expires_at": asked("expires_at"),
            "decides": asked("decides", False),
        }


class Tokens(TokenResource):
    """Your tokens."""

    @operation("listTokens", {200: Token}, query=TokenFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists your tokens, newest first."""
        return self.listed(Token, tokens.visible_to(self.actor), name=self.query.get("name"))

    @operation("createToken", {201: NewToken}, body=Token, idempotent=True)
    def post(self, _: Request) -> Response:
        """Makes a token; its text is in this answer and nowhere else.

        A token makes none that reaches further than itself: neither in scopes, nor in tenants,
        nor in time.
        """
        return self.shown_once(*verbs.create(by=self.actor, **self.wish()), MINE)


class OneToken(TokenResource, Single):
    """One of your tokens."""

    kind = Token
    readiness = "409 when it has ended."

    @operation("getToken", {200: Token})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads what is known of a token."""
        return self.told(uid=uid)

    @operation("deleteToken", {200: Token}, query=WaitQuery, conditional=True)
    def delete(self, request: Request, uid: UUID) -> Response:
        """Revokes a token at once, and answers with what it was."""
        last = self.last(request, self.found(uid))
        verbs.revoke(by=self.actor, uid=uid)
        return last

    def found(self, uid: UUID) -> ApiToken:
        """By its uid."""
        return self.one(tokens.visible_to(self.actor), uid)


class RotateToken(TokenResource):
    """The verb."""

    @operation("rotateToken", {201: NewToken}, body=Rotation, idempotent=True, scope=Scope.TOKENS_ROTATE)
    def post(self, _: Request, uid: UUID) -> Response:
        """Replaces a token: a new text with the same name and reach, shown once.

        The old text is good for `overlap` more, then it is dead. A token may rotate itself, and
        what reaches no further than itself; its own end stays the end of what comes of it.
        """
        made = verbs.rotate(by=self.actor, uid=uid, **self.body)
        return self.shown_once(*made, MINE)


class WhoAmI(Resource):
    """The one who asks."""

    tag = "tokens"

    @operation("getMe", {200: Me}, any_token=True)
    def get(self, _: Request) -> Response:
        """Tells who this token speaks for, and how far it reaches; needs no scope."""
        mine = tenants.memberships(self.actor)
        bound = next((m.tenant.name for m in mine if m.tenant_id == self.actor.bound_to), None)
        found = {
            "username": self.actor.name,
            "platform_role": self.actor.platform_role or None,
            "read_only": self.actor.read_only,
            "decides": self.actor.decides,
            "bound_to": bound,
            "scopes": sorted(self.actor.held),
            "expires_at": self.actor.expires_at,
            "tenants": mine if Scope.TENANTS_READ in self.actor.held else None,
        }
        return self.answer(Me, found)
