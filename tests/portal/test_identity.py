"""Tokens of providers are checked to the letter; keys come and go; settings that cannot be stop the start."""

from __future__ import annotations

import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.env import Environment
from portal.identity import config, fetch, jwts, providers
from tenancy.enums import PlatformRole, Role
from tests.support import oidc_provider
from tests.support.oidc_provider import BAD_TOKENS, CLIENT, DISCOVERY, Key


@pytest.fixture(scope="module")
def running():
    with oidc_provider.running() as found:
        yield found


@pytest.fixture
def provider(running):
    providers.forget()
    running.published = [running.key]
    running.asked.clear()
    running.down, running.discovery = False, {}
    return running


def verified(provider, raw):
    return jwts.verified(raw, issuer=provider.issuer, audience=CLIENT, loopback=True)


def test_a_good_token_is_taken(provider):
    assert verified(provider, provider.key.sign(provider.claims(aud=["x", CLIENT])))["sub"] == "s-1"
    assert jwts.issuer_of(provider.key.sign(provider.claims())) == provider.issuer


@pytest.mark.parametrize("flaw", BAD_TOKENS)
def test_a_bad_token_is_refused(provider, flaw):
    with pytest.raises(jwts.Refused):
        verified(provider, BAD_TOKENS[flaw](provider, provider.claims()))


@pytest.mark.parametrize(("late", "good"), [(-50, True), (-70, False)])
def test_clocks_may_differ_by_a_minute(provider, late, good):
    raw = provider.key.sign(provider.claims(exp=int(time.time()) + late))
    if good:
        assert verified(provider, raw)
    else:
        with pytest.raises(jwts.Refused, match="expired"):
            verified(provider, raw)


def test_keys_are_kept_and_a_new_one_is_found(provider, monkeypatch):
    for _ in range(3):
        verified(provider, provider.key.sign(provider.claims()))
    assert provider.asked == [f"GET {DISCOVERY}", "GET /keys"]

    old = provider.key
    new = provider.rotate()
    with pytest.raises(jwts.Refused):
        verified(provider, new.sign(provider.claims()))
    assert len(provider.asked) == 2, "a stranger's kid makes nobody ask again within half a minute"

    monkeypatch.setattr(providers, "PAUSE", 0.0)
    assert verified(provider, new.sign(provider.claims()))
    with pytest.raises(jwts.Refused, match="does not publish"):
        verified(provider, old.sign(provider.claims()))


def test_keys_serve_on_while_the_provider_is_down_but_not_for_ever(provider, monkeypatch):
    verified(provider, provider.key.sign(provider.claims()))
    provider.down = True
    monkeypatch.setattr(providers, "KEPT", 0.0)
    monkeypatch.setattr(providers, "PAUSE", 0.0)
    assert verified(provider, provider.key.sign(provider.claims()))
    monkeypatch.setattr(providers, "STALE", 0.0)
    with pytest.raises(fetch.Unreachable):
        verified(provider, provider.key.sign(provider.claims()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
        {"jwks_uri": "https://user:secret@example.com/keys"},
    ],
)
def test_a_description_that_cannot_be_is_no_provider(provider, wrong):
    provider.discovery = wrong
    with pytest.raises(fetch.Unreachable):
        verified(provider, provider.key.sign(provider.claims()))


def test_redirects_are_not_followed(provider):
    provider.discovery = {"jwks_uri": f"{provider.issuer}/moved"}
    with pytest.raises(fetch.Unreachable):
        verified(provider, provider.key.sign(provider.claims()))
    assert "GET /keys" not in provider.asked


def test_a_key_that_is_a_shared_secret_is_none(provider):
    provider.published = []
    assert verified_keys(provider, {"kty": "oct", "k": "AAAA", "kid": "x"}) == {}
    assert list(verified_keys(provider, Key("y").jwk)) == ["y"]


def verified_keys(provider, jwk):
    return providers._keys({"keys": [jwk, {"kid": 7}, "nonsense"]})


GOOD = {"oidc_issuer": "https://id.example.com", "oidc_client_id": "atoll", "oidc_client_secret": "s"}


def test_without_an_issuer_it_is_off():
    assert config.oidc(Environment()) is None


def test_a_whole_setting():
    found = config.oidc(
        Environment(
            **GOOD,
            oidc_admin_groups="ops, /root ",
            oidc_auditor_groups="audit",
            oidc_tenant_roles="cn=devs=shop:member, leads=shop:owner",
        )
    )
    assert found is not None
    assert (found.name, "s" in repr(found).split("client_secret")) == ("id.example.com", False)
    assert found.groups.platform_role({"/root", "audit"}) is PlatformRole.ADMIN
    assert found.groups.platform_role({"audit"}) is PlatformRole.AUDITOR
    assert found.groups.platform_role(set()) is PlatformRole.NONE
    assert found.groups.memberships({"cn=devs", "leads"}) == {"shop": Role.OWNER}
    assert found.groups.memberships({"cn=devs"}) == {"shop": Role.MEMBER}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("oidc_issuer", "http://id.example.com"),
        ("oidc_issuer", "http://127.0.0.1:1"),
        ("oidc_issuer", "id.example.com"),
        ("oidc_issuer", "https://[id"),
        ("oidc_issuer", "https://id.example.com?x=1"),
        ("oidc_client_id", ""),
        ("oidc_client_secret", ""),
        ("oidc_scopes", "profile"),
        ("oidc_tenant_roles", "devs=shop"),
        ("oidc_tenant_roles", "devs=shop:boss"),
        ("oidc_tenant_roles", "shop:member"),
    ],
)
def test_a_setting_that_cannot_be_stops_the_start_with_its_name(name, value):
    with pytest.raises(ImproperlyConfigured, match=f"ATOLL_{name.upper()}:"):
        config.oidc(Environment(**{**GOOD, name: value}))


def test_what_belongs_to_oidc_is_not_set_without_it():
    with pytest.raises(ImproperlyConfigured, match=r"ATOLL_OIDC_ADMIN_GROUPS: .*ATOLL_OIDC_ISSUER"):
        config.oidc(Environment(oidc_admin_groups="ops"))


def test_ci_issuers():
    given = Environment(ci_issuers="https://a.example, https://b.example/x")
    assert config.ci_issuers(given) == ("https://a.example", "https://b.example/x")
    with pytest.raises(ImproperlyConfigured, match="ATOLL_CI_ISSUERS"):
        config.ci_issuers(Environment(ci_issuers="http://a.example"))
