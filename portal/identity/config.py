"""The settings of OpenID sign-in and of CI issuers, checked at the start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from tenancy.enums import Role
from tenancy.rules.group_roles import GroupRoles, TenantRole

if TYPE_CHECKING:
    from portal.env import Environment

_LOOPBACK: Final = "http is for providers on loopback with ATOLL_OIDC_LOOPBACK=true only"


@dataclass(frozen=True)
class Oidc:
    """Sign-in by one OpenID provider."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    """What the button calls it."""
    scopes: str = "openid profile email"
    username_claim: str = "preferred_username"
    groups_claim: str = "groups"
    groups: GroupRoles = field(default_factory=GroupRoles)
    create_users: bool = True
    session: timedelta = timedelta(hours=8)
    """How long a session lives that began there: as long as a lost group may still count."""
    loopback: bool = False


def oidc(environment: Environment) -> Oidc | None:
    """Of ``ATOLL_OIDC_*``; ``None`` without an issuer; raises ``ImproperlyConfigured`` that names the fault."""
    given = environment
    if not given.oidc_issuer:
        _refuse_orphans(given)
        return None
    for name in ("client_id", "client_secret"):
        if not getattr(given, f"oidc_{name}"):
            _fault(
                f"OIDC_{name.upper()}", "it is empty: give what the provider shows for Atoll's registration"
            )
    if "openid" not in given.oidc_scopes.split():
        _fault("OIDC_SCOPES", "it lacks openid: give for example 'openid profile email groups'")
    return Oidc(
        issuer=_issuer("OIDC_ISSUER", given.oidc_issuer, loopback=given.oidc_loopback),
        client_id=given.oidc_client_id,
        client_secret=given.oidc_client_secret,
        name=given.oidc_name or urlsplit(given.oidc_issuer).hostname or "single sign-on",
        scopes=" ".join(given.oidc_scopes.split()),
        username_claim=given.oidc_username_claim,
        groups_claim=given.oidc_groups_claim,
        groups=_groups(given),
        create_users=given.oidc_create_users,
        session=timedelta(seconds=given.oidc_session),
        loopback=given.oidc_loopback,
    )


def ci_issuers(environment: Environment) -> tuple[str, ...]:
    """Of ``ATOLL_CI_ISSUERS``: the only CI systems whose tokens are looked at."""
    words = _words(environment.ci_issuers)
    return tuple(_issuer("CI_ISSUERS", word, loopback=environment.oidc_loopback) for word in words)


def fetchable(url: str, *, loopback: bool) -> bool:
    """Whether something may be fetched there: https, or http on loopback where that is allowed."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (
        loopback and parts.scheme == "http" and _is_loopback(str(parts.hostname))
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _issuer(name: str, text: str, *, loopback: bool) -> str:
    try:
        good = fetchable(text, loopback=loopback) and not urlsplit(text).query
    except ValueError:
        good = False
    if not good:
        _fault(name, f"{text!r} is no issuer: give its https address, as in its tokens' iss; {_LOOPBACK}")
    return text


def _groups(given: Environment) -> GroupRoles:
    found = (_tenant_role(word) for word in _words(given.oidc_tenant_roles))
    return GroupRoles(
        frozenset(_words(given.oidc_admin_groups)), frozenset(_words(given.oidc_auditor_groups)), tuple(found)
    )


def _tenant_role(word: str) -> TenantRole:
    group, _, place = word.rpartition("=")
    tenant, _, role = place.partition(":")
    if not group or not tenant or role not in set(Role):
        roles = ", ".join(Role)
        _fault("OIDC_TENANT_ROLES", f"{word!r}: give GROUP=TENANT:ROLE, comma-separated; roles are {roles}")
    return TenantRole(group, tenant, Role(role))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _refuse_orphans(given: Environment) -> None:
    for name in ("client_id", "client_secret", "admin_groups", "auditor_groups", "tenant_roles"):
        if getattr(given, f"oidc_{name}"):
            _fault(f"OIDC_{name.upper()}", "it is set without ATOLL_OIDC_ISSUER: set both or neither")


def _fault(name: str, words: str) -> None:
    raise ImproperlyConfigured(f"ATOLL_{name}: {words}")
