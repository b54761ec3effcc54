"""Your tokens, and who a token speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - DRF's views keep their annotations

from portal.api.base import Resource, operation
from portal.api.serializers.tokens import Me, NewToken, Token, TokenFilters
from tenancy.actions import tokens as verbs
from tenancy.errors import NotFound
from tenancy.queries import tenants, tokens

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from tenancy.models import ApiToken


class Tokens(Resource):
    """Your tokens."""

    tag = "tokens"

    @operation("listTokens", {200: Token}, query=TokenFilters, listing=True)
    def get(self, _: Request) -> Response:
        """Lists your tokens, newest first."""
        return self.listed(Token, tokens.visible_to(self.actor), name=self.query.get("name"))

    @operation("createToken", {201: NewToken}, body=Token, idempotent=True)
    def post(self, _: Request) -> Response:
        """Makes a token; its text is in this answer and nowhere else."""
        made, raw = verbs.create(
            by=self.actor,
            name=self.body["name"],
            tenant=(self.body.get("tenant") or {}).get("name"),
            read_only=self.body.get("read_only", False),
            expires_at=self.body.get("expires_at"),
        )
        headers = {"Location": f"/api/v1/tokens/{made.uid}"}
        return self.answer(NewToken, made, status=201, headers=headers, secret="token", raw=raw)  # noqa: S106 - a member's name


class OneToken(Resource):
    """One of your tokens."""

    tag = "tokens"

    @operation("getToken", {200: Token})
    def get(self, _: Request, uid: UUID) -> Response:
        """Reads what is known of a token."""
        return self.answer(Token, self._get(uid))

    @operation("deleteToken", {200: Token})
    def delete(self, _: Request, uid: UUID) -> Response:
        """Revokes a token at once, and answers with what it was."""
        last = self.answer(Token, self._get(uid))
        verbs.revoke(by=self.actor, uid=uid)
        return last

    def _get(self, uid: UUID) -> ApiToken:
        found = tokens.visible_to(self.actor).filter(uid=uid).first()
        if found is None:
            raise NotFound(f"there is no token {uid} of yours")
        return found


class WhoAmI(Resource):
    """The one who asks."""

    tag = "tokens"

    @operation("getMe", {200: Me})
    def get(self, _: Request) -> Response:
        """Tells who this token speaks for, and how far it reaches."""
        mine = tenants.memberships(self.actor)
        bound = next((m.tenant.name for m in mine if m.tenant_id == self.actor.bound_to), None)
        found = {
            "username": self.actor.name,
            "platform_role": self.actor.platform_role or None,
            "read_only": self.actor.read_only,
            "bound_to": bound,
            "tenants": mine,
        }
        return self.answer(Me, found)
