"""A job's token of its CI system, exchanged for a short-lived one of a service account that trusts it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from django.conf import settings
from django.utils import timezone

from tenancy.actions import audit, tokens
from tenancy.actions.unit import atomic
from tenancy.errors import ExchangeRefused, TokenRefused
from tenancy.models import ApiToken, ServiceAccount, TokenExchange
from tenancy.policy import Actor
from tenancy.rules.trust import TrustPolicy, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOOR: Final = "token-exchange"
"""Who acts in the audit log before it is known who asks."""
ACTION: Final = "token.exchange"
LONGEST: Final = timedelta(days=7)
"""A job's token lives minutes; a claim of a year would have us remember it for a year."""
KEPT: Final = timedelta(days=1)
"""For how long after its end a token that came of an exchange is still listed."""
_NO: Final = (
    "no service account of this name trusts this token: compare spec.trust of the account with the token's "
    "claims; the tenant's audit log says which one differs"
)


@dataclass(frozen=True)
class Proof:
    """What a verified token says; the audience is still to be compared."""

    issuer: str
    claims: Mapping[str, Any]


class _Refused(Exception):
    def __init__(self, reason: str, tenant: str = "") -> None:
        super().__init__(reason)
        self.reason, self.tenant = reason, tenant


def exchange(*, account: str, proof: Proof, scopes: Sequence[str] | None = None) -> tuple[ApiToken, str]:
    """A token of the account ``TENANT/NAME``, and its text.

    ``ExchangeRefused`` in the same words whether there is no such account, it does not trust the
    token, or the token was used before; the reason is in the audit log.
    """
    try:
        return _exchange(account, proof, scopes)
    except _Refused as error:
        _deny(account, f"{error.reason} (sub {proof.claims['sub']!r})", error.tenant)
        raise ExchangeRefused(_NO) from error


def refuse_token(*, account: str, reason: str) -> NoReturn:
    """Writes down that a token proved nothing, and says why: that tells nothing of service accounts."""
    _deny(account, reason)
    raise TokenRefused(f"subject_token: {reason}")


@atomic
def sweep() -> int:
    """Forgets exchanges that ended a while ago, and the tokens that came of them; returns how many."""
    old = TokenExchange.objects.filter(ends_at__lt=timezone.now() - KEPT)
    ApiToken.objects.filter(exchange__in=old).delete()
    return old.delete()[0]


@atomic
def _exchange(account: str, proof: Proof, scopes: Sequence[str] | None) -> tuple[ApiToken, str]:
    tenant, _, name = account.partition("/")
    rows = ServiceAccount.objects.select_related("tenant", "user")
    found = rows.filter(tenant__name=tenant, name=name).first()
    if found is None:
        raise _Refused("there is no such service account")
    policy = _policy(found, proof)
    if found.tenant.suspended:
        raise _Refused("the tenant is suspended", tenant)
    now = timezone.now()
    spent = _spend(proof, tenant, now)
    actor = Actor(user=found.user, bound_to=found.tenant_id, account=found)
    ends = now + timedelta(seconds=policy.lifetime)
    made, raw = tokens.create(
        by=actor, name=f"exchange: {proof.claims['sub']}"[:60], scopes=scopes, expires_at=ends
    )
    TokenExchange.objects.filter(pk=spent.pk).update(token=made, ends_at=max(spent.ends_at, ends))
    facts = {"issuer": proof.issuer, "subject": proof.claims["sub"], "uid": made.uid, "expires": ends}
    audit.note(actor=actor.name, action=ACTION, tenant=tenant, target=_target(account), **facts)
    return made, raw


def _policy(account: ServiceAccount, proof: Proof) -> TrustPolicy:
    """The first that admits the token."""
    tenant = account.tenant.name
    mine = [TrustPolicy(**one) for one in account.trust if one["issuer"] == proof.issuer]
    if not mine:
        raise _Refused(f"it trusts no tokens of {proof.issuer}", tenant)
    found = [(refusal(policy, proof.claims, settings.PUBLIC_URL), policy) for policy in mine]
    for why, policy in found:
        if not why:
            return policy
    raise _Refused("; ".join(why for why, _ in found), tenant)


def _spend(proof: Proof, tenant: str, now: datetime) -> TokenExchange:
    """Marks the token as used; of two at once, the database lets one."""
    if proof.claims["exp"] > (now + LONGEST).timestamp():
        raise _Refused(f"it lives longer than {LONGEST.days} days", tenant)
    named = proof.claims.get("jti")
    key = f"{proof.issuer}\n{named}" if isinstance(named, str) else secrets.token_hex(16)
    ends = datetime.fromtimestamp(int(proof.claims["exp"]) + 60, UTC)
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    row, first = TokenExchange.objects.get_or_create(digest=digest, defaults={"ends_at": ends})
    if not first:
        raise _Refused(f"the token was used before (jti {str(named)[:80]!r})", tenant)
    return row


def _deny(account: str, reason: str, tenant: str = "") -> None:
    audit.denied(actor=DOOR, action=ACTION, target=_target(account), tenant=tenant, reason=reason)


def _target(account: str) -> str:
    return f"service-account/{account}"
