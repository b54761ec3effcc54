"""CI jobs change the signed token of their CI system for a short-lived one of a service account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from portal.api.base import operation
from portal.api.parsing import StrictFormParser, StrictJSONParser
from portal.api.serializers.exchange import ACCESS_TOKEN, ExchangeAnswer, ExchangeWish
from portal.api.views.health import OpenResource
from portal.identity import jwts
from portal.identity.fetch import Unreachable
from portal.identity.jwts import Refused
from tenancy.actions import exchange
from tenancy.errors import Unavailable
from tenancy.queries import tokens

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response


class TokenExchange(OpenResource):
    """Whoever has a job's token; it is the only proof that is asked for."""

    tag = "tokens"
    parser_classes = (StrictJSONParser, StrictFormParser)

    @operation("exchangeToken", {200: ExchangeAnswer}, body=ExchangeWish, open=True, problems=(429,))
    def post(self, _: Request) -> Response:
        """Exchanges a CI job's token for one of a service account that trusts it (RFC 8693).

        Refusals are 400 with `error: invalid_request`, and do not tell which service accounts there are.
        """
        wanted, scopes = self.body["service_account"], self.body.get("scope")
        proof = _proven(self.body["subject_token"], wanted)
        made, raw = exchange.exchange(account=wanted, proof=proof, scopes=scopes)
        assert made.expires_at is not None  # noqa: S101 - for the types: these always end
        answer = {
            "access_token": raw,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": round((made.expires_at - made.created_at).total_seconds()),
            "scope": " ".join(tokens.patterns(made)),
        }
        return self.answer(ExchangeAnswer, answer, secret="access_token")  # noqa: S106 - a member's name


def _proven(raw: str, account: str) -> exchange.Proof:
    """What the token says, once its signature, issuer and times hold; else it is refused and written down."""
    allowed: tuple[str, ...] = settings.ATOLL_CI_ISSUERS
    try:
        issuer = jwts.issuer_of(raw)
        if issuer not in allowed:
            exchange.refuse_token(account=account, reason=_strange(issuer, allowed))
        claims: dict[str, Any] = jwts.verified(
            raw, issuer=issuer, audience=None, loopback=settings.ATOLL_OIDC_LOOPBACK
        )
    except Refused as error:
        exchange.refuse_token(account=account, reason=str(error))
    except Unreachable as error:
        raise Unavailable("the keys of the token's issuer cannot be had right now: try again") from error
    return exchange.Proof(issuer, claims)


def _strange(issuer: str, allowed: tuple[str, ...]) -> str:
    if not allowed:
        return "no CI system is allowed here: an admin sets ATOLL_CI_ISSUERS"
    return f"its issuer {issuer[:200]!r} is not allowed here: an admin adds it to ATOLL_CI_ISSUERS"
